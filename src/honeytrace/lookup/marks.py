"""Marks of what is unusual in a run, found without a judge.

loop      the same call with the same inputs and the same outcome, three times or more in a row
retries   the same call failing three times or more below one parent
swallowed a failed call below a parent that ended well, and that was not tried again with success
slow      a call that took far longer than others of its name
tokens    a call that used far more tokens than others of its name
new       a call whose path of names no earlier run of the same name has
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from ..store import Query, Reader
from .family import StoreFamily
from .recorded import RecordedSession
from .tree import Place
from .usage import own_usage

__all__ = ["KINDS", "Mark", "Marker", "marks_of", "repeated", "run_marks"]

KINDS = ("loop", "retries", "swallowed", "slow", "tokens", "new")

_ROW = 3
"""Equal calls in a row from which on they are a loop, and failures that are retries."""
_EARLIER_RUNS = 20
"""Earlier runs of the same name that a run is held against."""
_FEWEST = 5
"""Calls of a name that are needed to say that one of them is unusual."""
_FAR = 4.0
"""An outlier is this many times the median of its name, and beyond every other call."""
_SHORT = 50.0
"""Milliseconds below which no call is slow."""
_MOST = 5_000
"""Calls of a tree that are looked at, and about as many of the earlier runs together."""

Walked = Sequence[tuple[RecordedSession, Place]]


class Mark(NamedTuple):
    """Something unusual about one call: a kind of `KINDS`, and a line for people."""

    kind: str
    text: str


class Marker:
    """Marks of several runs of one store; the runs that they are held against are read once."""

    def __init__(self, store: Reader) -> None:
        self._family, self._store = StoreFamily(store), store
        self._trees: dict[str, Walked] = {}
        self._room = 4 * _MOST
        """Calls that are still read; beyond them, runs are held against fewer others."""

    def marks(self, run: RecordedSession) -> dict[str, list[Mark]]:
        """Return the marks of every call in a run by id, beside the earlier runs of its name."""
        walked = self._tree(run)
        marks: dict[str, list[Mark]] = defaultdict(list)
        for session_id, mark in marks_of(walked):
            marks[session_id].append(mark)
        before = self._earlier(run) if run.parent_id is None else []
        if before:
            for session_id, mark in _unusual(walked, before):
                marks[session_id].append(mark)
        return dict(marks)

    def _earlier(self, run: RecordedSession) -> list[Walked]:
        query = Query(
            session_name=run.session_name,
            roots_only=True,
            until=run.start_time,
            limit=_EARLIER_RUNS,
        )
        found: list[Walked] = []
        room = _MOST
        for record in self._store.list(query):
            if room <= 0 or (self._room <= 0 and record.event_id not in self._trees):
                break
            found.append(self._tree(self._family.load(record)))
            room -= len(found[-1])
        return found

    def _tree(self, run: RecordedSession) -> Walked:
        known = self._trees.get(run.session_id)
        if known is None:
            known = self._trees[run.session_id] = list(run.walk())[:_MOST]
            self._room -= len(known)
        return known


def run_marks(store: Reader, run: RecordedSession) -> dict[str, list[Mark]]:
    """Return the marks of every call in one run by id."""
    return Marker(store).marks(run)


def marks_of(walked: Walked) -> Iterator[tuple[str, Mark]]:
    """Yield the marks that a tree shows by itself: loops, retries and swallowed errors."""
    children: dict[str, list[RecordedSession]] = defaultdict(list)
    above: list[RecordedSession] = []
    for session, place in walked:
        del above[place.depth :]
        if above:
            children[above[-1].session_id].append(session)
        above.append(session)
    by_id = {session.session_id: session for session, _ in walked}
    for parent_id, inside in children.items():
        yield from repeated(inside)
        if by_id[parent_id].status == "ok":
            yield from _swallowed(inside)


def repeated(siblings: Sequence[RecordedSession]) -> Iterator[tuple[str, Mark]]:
    """Yield loops and retries among the calls inside one parent, each at its first call."""
    for _, row in groupby(siblings, key=_outcome):
        same = list(row)
        if len(same) >= _ROW and same[0].status == "ok":
            text = f"the same call {len(same)} times in a row, with the same outcome"
            yield same[0].session_id, Mark("loop", text)
    failed: dict[str, list[RecordedSession]] = defaultdict(list)
    for each in siblings:
        if each.status == "error":
            failed[each.session_name].append(each)
    for name, some in failed.items():
        if len(some) >= _ROW:
            ended = "gave up" if siblings[-1].status == "error" else "went on"
            text = f"{name[:60]} failed {len(some)} times below one parent, which {ended}"
            yield some[0].session_id, Mark("retries", text)


def _swallowed(siblings: Sequence[RecordedSession]) -> Iterator[tuple[str, Mark]]:
    for number, each in enumerate(siblings):
        later = siblings[number + 1 :]
        if each.status == "error" and not any(
            other.session_name == each.session_name and other.status == "ok" for other in later
        ):
            yield (
                each.session_id,
                Mark("swallowed", "failed, and its parent ended well all the same"),
            )


def _outcome(session: RecordedSession) -> tuple[str, str, bytes, bytes]:
    return session.session_name, session.status, _json(session.inputs), _json(session.outputs)


def _json(value: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # nested deeper than orjson goes
        return repr(value).encode("utf-8", "replace")


def _unusual(walked: Walked, before: Sequence[Walked]) -> Iterator[tuple[str, Mark]]:
    """Yield what no earlier run has: paths, and calls far beyond the others of their name."""
    paths = {path for earlier in before for _, path in _paths(earlier)}
    durations: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, list[float]] = defaultdict(list)
    for earlier in before:
        for session, _ in earlier:
            if session.duration is not None:
                durations[session.session_name].append(session.duration)
            if used := own_usage(session).total_tokens:
                counts[session.session_name].append(used)
    known: set[tuple[str, ...]] = set()
    for session, path in _paths(walked):
        name = session.session_name
        if path not in paths and path[:-1] not in known and path not in known:
            text = f"no call at this place in {len(before)} earlier runs: {' > '.join(path)[-120:]}"
            yield session.session_id, Mark("new", text)
        if path not in paths:
            known.add(path)
        usual = _beyond(session.duration, durations[name])
        if usual is not None and (session.duration or 0) >= _SHORT:
            yield session.session_id, Mark("slow", _times(session.duration, usual, "ms"))
        used = own_usage(session).total_tokens
        usual = _beyond(used, counts[name])
        if usual is not None:
            yield session.session_id, Mark("tokens", _times(used, usual, "tokens"))


def _paths(walked: Iterable[tuple[RecordedSession, Place]]) -> Iterator[Any]:
    """Yield each call with the names from the root down to it."""
    above: list[str] = []
    for session, place in walked:
        del above[place.depth :]
        above.append(session.session_name)
        yield session, tuple(above)


def _beyond(figure: float | None, others: Sequence[float]) -> float | None:
    """Return the usual figure if this one is far beyond it."""
    if figure is None or len(others) < _FEWEST:
        return None
    usual = statistics.median(others)
    return usual if figure > max(others) and figure > _FAR * usual else None


def _times(figure: float | None, usual: float, unit: str) -> str:
    return f"{figure or 0:,.0f} {unit}, where {usual:,.0f} is usual"
