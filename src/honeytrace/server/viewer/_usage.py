"""Model, tokens, cost and time to first token of the calls on a page, summed up their trees.

Only records that may contain tokens are parsed, and only a limited number per page. Calls beyond
the limit have no figures rather than wrong ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import orjson

from ..._display.figures import amount_text, count_text
from ..._record.record import RESERVED, Record
from ..._record.tokens import ANSWERED_FROM
from ...lookup.usage import UNKNOWN_MODEL, Usage, own_usage, tree_usage
from ...store import Query, Reader

__all__ = [
    "UNKNOWN",
    "Figures",
    "Kind",
    "figures_of",
    "list_figures",
    "run_figures",
    "spent_text",
    "time_to_first",
]

_RUN = 2_000
"""Number of calls of one run whose figures are summed, which takes a tenth of a second."""

_LIST = 1_500
"""Number of calls of all runs in a list."""

_FIRST = ("time_to_first_token", "time_to_first_item")
_HINTS = (b"oken", b"sage", b"cost", ANSWERED_FROM.encode())
"""A pattern in every record with tokens or cost: `tokens`, `usage`, `cost_usd`; and in every call
that a replay answered."""

Kind = Literal["run", "model", "tool", "call"]
"""Display names of the kinds of calls."""


class Figures(NamedTuple):
    """The figures of a call and all calls inside, as texts; empty if they are unknown."""

    model: str = ""
    tokens: str = ""
    """Prompt and completion tokens: `2,493 → 46`."""
    total: str = ""
    """The short form of the tokens: `5.2k tok`."""
    cost: str = ""
    own: bool = False
    """True if the call itself, not a call inside, used a model."""
    counted: int | None = None
    dollars: float | None = None
    """Tokens and cost as numbers, to sort by."""
    recorded: bool = False
    """True if a replay answered the call, so that it spent nothing."""
    models: tuple[str, ...] = ()
    """The names of all models that were used."""

    @property
    def short(self) -> str:
        """All figures on one line."""
        return " · ".join(part for part in (self.model, self.total, self.spent) if part)

    @property
    def spent(self) -> str:
        """The cost where nothing beside it says that it is one."""
        return spent_text(self.cost)


UNKNOWN = Figures()
"""The figures of a call without recorded usage."""

_RECORDED = Figures(total="recorded", recorded=True)


@dataclass(frozen=True)
class _Spender:
    """The parts of a record that usage is read from."""

    session_id: str
    parent_id: str | None
    start_time: float
    children_ids: Sequence[str]
    config: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


def run_figures(reader: Reader, root_id: str) -> Mapping[str, Figures]:
    """Return the figures of each call of a run, by id; empty for a run that is too large."""
    records = reader.list(Query(root_id=root_id, limit=_RUN + 1))
    return {} if len(records) > _RUN else _figures(records)


def list_figures(reader: Reader, records: Iterable[Record]) -> Mapping[str, Figures]:
    """Return the figures of the sessions of a list, calls inside included, by id."""
    found: dict[str, Figures] = {}
    roots: dict[str, None] = {}
    for record in records:
        if record.parent_id is not None and record.children_ids == b"[]":
            found |= _figures([record])
        else:
            roots[record.root_id] = None
    # One query for all runs, since each query of a database engine takes milliseconds.
    inside = reader.trees(list(roots), _LIST + 1)
    if len(inside) <= _LIST:
        runs: dict[str, list[Record]] = {}
        for record in inside:
            runs.setdefault(record.root_id, []).append(record)
        for run in runs.values():
            found |= _figures(run)
        return found
    left = _LIST
    for root_id in roots:
        tree = reader.list(Query(root_id=root_id, limit=left + 1))
        left -= len(tree)
        if left < 0:
            break
        found |= _figures(tree)
    return found


def _figures(records: Sequence[Record]) -> dict[str, Figures]:
    spenders = sorted(map(_spender, records), key=lambda each: (each.start_time, each.session_id))
    ids = {each.session_id for each in spenders}
    found: dict[str, Figures] = {}
    own = {each.session_id: bool(each.outputs or each.metrics) and bool(own_usage(each))
           for each in spenders}  # fmt: skip
    recorded = [each.session_id for each in spenders if ANSWERED_FROM in each.details]
    if not any(own.values()):
        return dict.fromkeys(recorded, _RECORDED)
    for top in spenders:
        if top.parent_id not in ids:
            for session_id, usage in tree_usage(top, spenders).items():
                found[session_id] = figures_of(usage, own=own.get(session_id, False))
    return found | dict.fromkeys(recorded, _RECORDED)


def _spender(record: Record) -> _Spender:
    head = record.event_id, record.parent_id, record.start_time, orjson.loads(record.children_ids)
    telling = (record.metadata, record.metrics, record.outputs)
    if not any(hint in part for part in telling if part for hint in _HINTS):
        return _Spender(*head)
    config, metadata, metrics, outputs = (
        orjson.loads(part) if part else {} for part in (record.config, *telling)
    )
    details = metadata.pop(RESERVED, None)
    notes = details if isinstance(details, dict) else {}
    return _Spender(*head, config, metadata, metrics, outputs, notes)


def figures_of(usage: Usage, *, own: bool = False) -> Figures:
    """Return a usage as texts."""
    if not usage:
        return Figures()
    models = [name for name in usage.models if name != UNKNOWN_MODEL]
    model = models[0] if models else ""
    if len(models) > 1:
        model += f" +{len(models) - 1}"
    halves = (usage.prompt_tokens, usage.completion_tokens)
    tokens = ""
    if any(half is not None for half in halves):
        tokens = " → ".join("?" if half is None else f"{half:,}" for half in halves)
    total = "" if usage.total_tokens is None else f"{count_text(usage.total_tokens)} tok"
    cost = ""
    if usage.cost is not None:
        cost = amount_text(usage.cost, at_least=bool(usage.unpriced))
    counted, names = usage.total_tokens, tuple(models)
    return Figures(model, tokens, total, cost, own, counted, usage.cost, models=names)


def spent_text(cost: str) -> str:
    """Return a cost for a place without a heading."""
    return "cost unknown" if cost == "unknown" else cost


def time_to_first(metrics: Mapping[str, Any]) -> float | None:
    """Return the milliseconds until the first token of a streamed answer; None if not measured."""
    found = (metrics.get(name) for name in _FIRST)
    return next((float(each) for each in found if isinstance(each, (int, float))), None)
