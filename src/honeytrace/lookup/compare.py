"""Compare two runs of the same pipeline: additions, removals and changes.

Children are paired by name: first those with equal inputs, then in order of start. So neither a
call more, nor threads that started in another order, make everything after them look changed.
"""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import Any, Literal

import orjson

from .._base.lazy import pattern
from .._record.tokens import ANSWERED_FROM
from .tree import Place
from .view import SessionView

__all__ = ["Change", "Comparison", "Pair", "compare"]

Kind = Literal["added", "removed", "changed"]
Couple = tuple["SessionView | None", "SessionView | None"]

COMPARED = ("session_name", "status", "error", "config", "inputs", "outputs", "metrics")
"""The fields in which a change counts; times differ always."""

MOST_CHANGES = 100
"""Of one session; more are not told."""

_MADE_UP = pattern(
    r"(?:^|\.)(?:id|call_id|tool_call_id|tool_use_id|response_id|request_id|created|created_at"
    r"|system_fingerprint)$"
)
"""Paths of values that a provider makes up for each reply: they differ between equal runs."""

_ALIGNED = 500
"""Longer lists are compared item by item, since aligning takes quadratic time."""


@dataclass(frozen=True)
class Change:
    """One value that differs; `path` reads as in Python: `outputs.result[2].text`.

    `before` is None where the value was added, `after` where it was removed. An index in a path
    counts in the earlier list for a removal, otherwise in the later list.
    """

    path: str
    kind: Kind
    before: Any
    after: Any

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, under the names of the fields."""
        return dict(vars(self))


@dataclass(frozen=True)
class Pair:
    """A session of one run and its counterpart in the other, if it has one.

    `changes` has at most `MOST_CHANGES`; `depth` counts levels below the two that are compared.
    """

    status: Literal["same", "changed", "added", "removed"]
    place: Place
    before: SessionView | None
    after: SessionView | None
    changes: Sequence[Change] = field(default=())

    @property
    def session_name(self) -> str:
        """The name of both, or that of the later one."""
        session = self.after or self.before
        assert session is not None
        return session.session_name

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; of the sessions themselves id, status and duration in milliseconds."""
        return {
            "status": self.status,
            "depth": self.place.depth,
            "session_name": self.session_name,
            "before": _in_short(self.before),
            "after": _in_short(self.after),
            "changes": [change.to_dict() for change in self.changes],
        }


@dataclass(frozen=True)
class Comparison:
    """Every session of both trees, in the order in which one draws them; the first is the roots."""

    pairs: Sequence[Pair]

    @property
    def counts(self) -> dict[str, int]:
        """The number of pairs that are the same, changed, added and removed."""
        counts = {"same": 0, "changed": 0, "added": 0, "removed": 0}
        for pair in self.pairs:
            counts[pair.status] += 1
        return counts

    def __repr__(self) -> str:
        told = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
        return f"<Comparison {told}>"

    def _repr_html_(self) -> str:
        from .notebook_tables import comparison_html  # only notebooks ask

        return comparison_html(self.pairs, self.counts)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: `{"counts": {…}, "sessions": […]}`."""
        return {"counts": self.counts, "sessions": [pair.to_dict() for pair in self.pairs]}


def compare(before: SessionView, after: SessionView) -> Comparison:
    """The two sessions and everything inside them, paired."""
    before_inside, after_inside = _children(before), _children(after)
    pairs = []
    stack: list[tuple[Couple, Place]] = [((before, after), Place(0, True))]
    while stack:
        (old, new), place = stack.pop()
        pairs.append(_pair(old, new, place))
        olds = before_inside.get(old.session_id, []) if old else []
        if new is not None and ANSWERED_FROM in new.details:
            olds = []  # a replay answered the call, so nothing could run inside it
        news = after_inside.get(new.session_id, []) if new else []
        couples = _matched(olds, news)[::-1]
        stack += [(each, Place(place.depth + 1, n == 0)) for n, each in enumerate(couples)]
    return Comparison(pairs)


def _children(top: SessionView) -> dict[str, list[SessionView]]:
    """Everything in the tree by the id of its parent."""
    inside: dict[str, list[SessionView]] = defaultdict(list)
    above: list[str] = []
    for session, place in top.walk():
        del above[place.depth :]
        if above:
            inside[above[-1]].append(session)
        above.append(session.session_id)
    return inside


def _matched(olds: list[SessionView], news: list[SessionView]) -> list[Couple]:
    """Couple siblings in the later order; a removed one keeps its place after its predecessor."""
    partners: dict[SessionView, SessionView] = {}
    left = set(olds)
    for key in (_call, _name):
        waiting = defaultdict(list)
        for old in reversed(olds):
            if old in left:
                waiting[key(old)].append(old)
        for new in news:
            if new not in partners and waiting[key(new)]:
                partners[new] = waiting[key(new)].pop()
                left.discard(partners[new])
    after = {old: new for new, old in partners.items()}
    removed: dict[SessionView | None, list[Couple]] = defaultdict(list)
    last = None
    for old in olds:
        if old in left:
            removed[last].append((old, None))
        else:
            last = after[old]
    couples = removed[None]
    for new in news:
        couples += [(partners.get(new), new), *removed[new]]
    return couples


def _call(session: SessionView) -> object:
    return session.session_name, orjson.dumps(session.inputs, option=orjson.OPT_SORT_KEYS)


def _name(session: SessionView) -> object:
    return session.session_name


def _pair(old: SessionView | None, new: SessionView | None, place: Place) -> Pair:
    if old is None or new is None:
        return Pair("added" if old is None else "removed", place, old, new)
    found: list[Change] = []
    for name in COMPARED:
        changes = filter(_counts, differences(name, getattr(old, name), getattr(new, name)))
        found += islice(changes, MOST_CHANGES - len(found))
    return Pair("changed" if found else "same", place, old, new, found)


def _counts(change: Change) -> bool:
    """False for ids and times that a provider generates anew in every run."""
    return change.kind != "changed" or not _MADE_UP.search(change.path)


Differs = tuple[str, "Kind", Any, Any]


def differences(path: str, before: Any, after: Any) -> Iterator[Change]:
    """Yield the differences of two JSON values, without recursion: they may be nested deeply."""
    stack: list[Differs] = [(path, _kind(before, after), before, after)]
    while stack:
        path, kind, before, after = stack.pop()
        if kind == "changed" and before == after:
            continue
        elif kind != "changed":
            yield Change(path, kind, before, after)
        elif isinstance(before, dict) and isinstance(after, dict):
            stack += [*_in_objects(path, before, after)][::-1]
        elif isinstance(before, list) and isinstance(after, list):
            stack += [*_in_lists(path, before, after)][::-1]
        else:
            yield Change(path, kind, before, after)


def _kind(before: Any, after: Any) -> Kind:
    """Of a field that both have, where None is none."""
    if before is None and after is not None:
        return "added"
    return "removed" if after is None and before is not None else "changed"


def _in_objects(
    path: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Differs]:
    for key in dict.fromkeys((*before, *after)):
        at = f"{path}.{key}" if key.isidentifier() else f"{path}[{json.dumps(key)}]"
        kind: Kind = "changed" if key in before and key in after else "removed"
        kind = kind if key in before else "added"
        yield at, kind, before.get(key), after.get(key)


def _in_lists(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[Differs]:
    for old, new in _aligned(before, after):
        if old is None or new is None:
            kind: Kind = "added" if old is None else "removed"
        else:
            kind = "changed"
        yield (
            f"{path}[{old if new is None else new}]",
            kind,
            None if old is None else before[old],
            None if new is None else after[new],
        )


def _aligned(
    before: Sequence[Any], after: Sequence[Any]
) -> Iterator[tuple[int | None, int | None]]:
    """Yield the indices of unequal items: replaced ones side by side, others alone."""
    blocks: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, len(before), 0, len(after))]
    if len(before) != len(after) and max(len(before), len(after)) <= _ALIGNED:
        old, new = ([orjson.dumps(item) for item in items] for items in (before, after))
        blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for tag, start, end, new_start, new_end in blocks:
        if tag != "equal":
            yield from zip_longest(range(start, end), range(new_start, new_end))


def _in_short(session: SessionView | None) -> dict[str, Any] | None:
    if session is None:
        return None
    return {
        "session_id": session.session_id,
        "status": session.status,
        "duration": session.duration,
    }
