"""Tokens and cost, read from recorded sessions and added up the tree.

Figures that nobody recorded are None, "unknown", never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from .._record.tokens import (
    ANSWERED_FROM,
    COUNTS,
    Noted,
    model_of,
    recorded_cost,
    spending_of,
    tokens_of,
)
from .prices import price
from .tree import Node, walk

UNKNOWN_MODEL = "unknown"
"""The name in `models` of tokens whose model nobody recorded."""


class Usage(NamedTuple):
    """Tokens and cost of a session and of everything inside it.

    A figure is None where it is unknown. `prompt_tokens` include the cached ones.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    """Prompt tokens that were read from the provider's cache, as part of `prompt_tokens`."""
    cost: float | None = None
    """US dollars: as recorded, otherwise tokens times price; models in `unpriced` are left out."""
    unpriced: tuple[str, ...] = ()
    """Models that were used and have no price, so that `cost` is a lower bound or unknown."""
    models: Mapping[str, Usage] = {}
    """The same figures by model; empty in an entry of itself."""

    def __bool__(self) -> bool:
        return any(figure is not None for figure in self[:5])

    def _repr_html_(self) -> str:
        from .notebook_tables import usage_html  # only notebooks ask

        return usage_html(self, self.models)

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON-ready values; unknown ones are None."""
        figures = dict(zip(FIGURES, self, strict=False))
        return {
            **figures,
            "unpriced": list(self.unpriced),
            "models": {
                name: dict(zip(FIGURES, each, strict=False)) for name, each in self.models.items()
            },
        }


FIGURES = Usage._fields[:5]


class Spender(Noted, Node, Protocol):
    """The fields from which usage is read; a `RecordedSession` has them."""

    @property
    def start_time(self) -> float: ...


S = TypeVar("S", bound=Spender)
N = TypeVar("N", int, float)


def own_usage(session: Spender) -> Usage:
    """Return the usage of one session without its descendants; none of a call that a replay
    answered."""
    return _usage(session, *spending_of(session))


def _usage(session: Spender, counts: Mapping[str, int], cost: float | None) -> Usage:
    if not counts and cost is None:
        return Usage()
    model, provider = model_of(session)
    if cost is None and model is not None:
        cost = price(model, provider, counts, session.start_time)
    name = model or UNKNOWN_MODEL
    unpriced = (name,) if cost is None else ()
    prompt, completion, whole, cached = (counts.get(count) for count in COUNTS)
    models = {name: Usage(prompt, completion, whole, cached, cost)}
    return Usage(prompt, completion, whole, cached, cost, unpriced, models)


def tree_usage(top: S, found: Iterable[S]) -> dict[str, Usage]:
    """The usage of `top` and of each session inside it, by id, every one with its own inside.

    Agents and frameworks repeat the sum of the calls inside them, so of a session's own figures
    and the sum of those inside it, the larger counts. In a replay such a sum includes the calls
    that were answered from the recording, which spent nothing.
    """
    walked = [(session, place.depth) for session, place in walk(top, found)]
    is_replay = any(ANSWERED_FROM in session.details for session, _ in walked)
    usages: dict[str, Usage] = {}
    spent: dict[int, list[Usage]] = {}
    recorded: dict[int, list[Usage]] = {}
    for session, depth in reversed(walked):  # children come before their parent
        own, inside = own_usage(session), total(spent.pop(depth + 1, [])[::-1])
        usage = _larger(own, inside)
        if is_replay:
            whole = _recorded_usage(session)
            within = total(recorded.pop(depth + 1, [])[::-1])
            if within != inside and not _is_larger(whole, within):
                usage = inside
            recorded.setdefault(depth, []).append(_larger(whole, within))
        usages[session.session_id] = usage
        if usage:
            spent.setdefault(depth, []).append(usage)
    return usages


def _recorded_usage(session: Spender) -> Usage:
    """Return the usage that a session recorded, spent or not."""
    return _usage(session, tokens_of(session), recorded_cost(session))


def total(usages: Iterable[Usage]) -> Usage:
    """The sum of figures, as far as they are known."""
    found = [usage for usage in usages if usage]
    if len(found) < 2:
        return found[0] if found else Usage()
    models: dict[str, list[Usage]] = {}
    for usage in found:
        for name, each in usage.models.items():
            models.setdefault(name, []).append(each)
    return _sum(found)._replace(
        unpriced=tuple(dict.fromkeys(name for usage in found for name in usage.unpriced)),
        models={name: _sum(each) for name, each in models.items()},
    )


def _sum(usages: Sequence[Usage]) -> Usage:
    return Usage(
        prompt_tokens=_known(usage.prompt_tokens for usage in usages),
        completion_tokens=_known(usage.completion_tokens for usage in usages),
        total_tokens=_known(usage.total_tokens for usage in usages),
        cached_tokens=_known(usage.cached_tokens for usage in usages),
        cost=_known(usage.cost for usage in usages),
    )


def _known(figures: Iterable[N | None]) -> N | None:
    """The sum of the figures that are known; None where none is."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


def _larger(own: Usage, inside: Usage) -> Usage:
    if not own or not inside:
        return own or inside
    chosen, other = (own, inside) if _is_larger(own, inside) else (inside, own)
    if chosen.cost is None and other.cost is not None:
        return chosen._replace(cost=other.cost, unpriced=())
    return chosen


def _is_larger(own: Usage, inside: Usage) -> bool:
    if own.total_tokens is None and inside.total_tokens is None:
        return (own.cost or 0) > (inside.cost or 0)
    return (own.total_tokens or 0) > (inside.total_tokens or 0)


Usage.__module__ = "honeytrace"
