"""Marks of what is unusual in a run, found without a judge.

loop      the same call with the same inputs and the same outcome, three times or more in a row
retries   the same call failing three times or more below one parent
swallowed a failed call below a parent that ended well, and that was not tried again with success
slow      a call that took far longer than others of its name
tokens    a call that used far more tokens than others of its name
new       a call whose path of names no earlier run of the same name has
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, NamedTuple

from .._base.lazy import orjson
from .._record.record import RESERVED, Record
from .._record.tokens import tokens_of
from ..store import Query, Reader
from .recorded import RecordedSession
from .tree import walk

__all__ = ["KINDS", "Mark", "Marker", "Marks", "kinds_of", "run_marks"]

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
_TOGETHER = 50
"""Trees that are read at once."""
_MOST = 5_000
"""Calls of a tree that are looked at, and about as many of the earlier runs together."""


class Mark(NamedTuple):
    """Something unusual about one call: a kind of `KINDS`, and a line for people."""

    kind: str
    text: str


Marks = Mapping[str, Sequence[Mark]]
"""The marks of the calls of a run, by the id of the call."""


def kinds_of(record: Record, marks: Marks) -> list[str]:
    """Return the kinds of marks in a run, or of a call inside one, in the order of `KINDS`."""
    some = marks.values() if record.parent_id is None else [marks.get(record.event_id, ())]
    found = {each.kind for each in chain.from_iterable(some)}
    return [kind for kind in KINDS if kind in found]


class Marker:
    """Marks of several runs of one store; the runs that they are held against are read once."""

    def __init__(self, store: Reader, room: int = 4 * _MOST) -> None:
        """room: calls that are read; beyond them, runs are held against fewer others."""
        self._store, self._room = store, room
        self._trees: dict[str, _Tree] = {}
        self._roots: dict[str, tuple[list[Record], bool]] = {}
        """Runs of a name, newest first and without gaps; true if there are no earlier ones."""

    def of(self, records: Sequence[Record]) -> dict[str, Marks]:
        """Return the marks of the runs that these sessions belong to, by the id of the session."""
        runs = self._runs(records)
        self._read(each.event_id for each in runs)
        earlier = self._earlier(runs)
        self._read(each.event_id for some in earlier.values() for each in some)
        found: dict[str, Marks] = {}
        for run in runs:
            tree = self._trees.get(run.event_id)
            marks: dict[str, list[Mark]] = defaultdict(list)
            if tree is not None:
                before = _enough(self._trees, earlier.get(run.event_id, ()))
                for session_id, mark in chain(_by_itself(tree), _unusual(tree, before)):
                    marks[session_id].append(mark)
            found[run.event_id] = dict(marks)
        return {each.event_id: found.get(each.root_id, {}) for each in records}

    def _runs(self, records: Sequence[Record]) -> list[Record]:
        """Return the roots of these sessions, as far as they are stored."""
        roots = {each.event_id: each for each in records if each.parent_id is None}
        missing = dict.fromkeys(each.root_id for each in records if each.root_id not in roots)
        found = [*roots.values(), *self._store.get_many(list(missing))]
        return [each for each in found if each.parent_id is None]

    def _earlier(self, runs: Sequence[Record]) -> dict[str, list[Record]]:
        """Return the earlier runs that each run is held against, as far as there is room."""
        names = Counter(each.event_name for each in runs)
        known = [len(tree.walked) for tree in self._trees.values()]
        each_has = max(1.0, sum(known) / max(1, len(known)))
        found: dict[str, list[Record]] = {}
        wanted: set[str] = set()
        for run in sorted(runs, key=lambda each: -each.start_time):
            if len(wanted) * each_has > self._room:
                break
            some = found[run.event_id] = self._before(run, names.pop(run.event_name, 0))
            wanted.update(each.event_id for each in some if each.event_id not in self._trees)
        return found

    def _before(self, run: Record, alike: int) -> list[Record]:
        """Return the runs of the same name before one. `alike`: number of runs that will ask the
        same; 0 if the last answer did not reach so far."""
        known, are_all = self._roots.get(run.event_name, ([], False))
        found = [each for each in known if each.start_time < run.start_time]
        reaches = are_all or len(found) >= _EARLIER_RUNS
        if not known or not reaches or known[0].start_time < run.start_time:
            query = Query(
                session_name=run.event_name,
                roots_only=True,
                until=run.start_time,
                limit=_EARLIER_RUNS + alike,
            )
            found = [*self._store.list(query)]
            self._roots[run.event_name] = [run, *found], len(found) < query.limit
        return found[:_EARLIER_RUNS]

    def _read(self, root_ids: Iterable[str]) -> None:
        """Read these trees as far as there is room, some at once if they fit."""
        missing = [each for each in dict.fromkeys(root_ids) if each not in self._trees]
        for at in range(0, len(missing), _TOGETHER):
            if self._room <= 0:
                return
            some = missing[at : at + _TOGETHER]
            calls: dict[str, list[Record]] = defaultdict(list)
            records = self._store.trees(some, self._room + 1)
            if len(records) > self._room:
                self._read_one_by_one(some)
                return
            for record in records:
                calls[record.root_id].append(record)
            self._trees.update((root_id, _Tree(tree[:_MOST])) for root_id, tree in calls.items())
            self._room -= len(records)

    def _read_one_by_one(self, root_ids: Sequence[str]) -> None:
        for root_id in root_ids:
            tree = self._store.list(Query(root_id=root_id, limit=_MOST))
            self._trees[root_id] = _Tree(tree)
            self._room -= len(tree)
            if self._room <= 0:
                return


def run_marks(store: Reader, session: RecordedSession) -> Marks:
    """Return the marks of every call in the run of a session, by id."""
    record = store.get(session.session_id)
    return {} if record is None else Marker(store).of([record])[record.event_id]


class _Call(NamedTuple):
    """What marks look at in a call, with the names that `walk` uses."""

    session_id: str
    parent_id: str | None
    children_ids: Sequence[str]
    name: str
    status: str
    start: float
    duration: float | None
    tokens: int | None
    outcome: tuple[str, str, bytes | None, bytes | None]
    """Equal for equal calls that ended alike: name, status, inputs and outputs."""

    @classmethod
    def of(cls, record: Record) -> _Call:
        name, status = record.event_name, record.status
        return cls(
            record.event_id,
            record.parent_id,
            () if record.children_ids == b"[]" else orjson.loads(record.children_ids),
            name,
            status,
            record.start_time,
            record.duration,
            _tokens(record),
            (name, status, record.inputs, record.outputs),
        )


class _Recorded:
    """The objects of a session that may tell of tokens."""

    def __init__(self, record: Record) -> None:
        parts = (record.config, record.metadata, record.metrics, record.outputs)
        decoded: list[dict[str, Any]] = [orjson.loads(part) if part else {} for part in parts]
        self.config, self.metadata, self.metrics, self.outputs = decoded
        self.metadata.pop(RESERVED, None)


def _tokens(record: Record) -> int | None:
    """Return the tokens that a call itself recorded."""
    for part in (record.metadata, record.metrics, record.outputs):
        if part and (b"oken" in part or b"sage" in part):  # in every name of tokens
            break
    else:
        return None
    return tokens_of(_Recorded(record)).get("total_tokens") or None


Walked = Sequence[tuple[_Call, int, "tuple[str, ...]"]]
"""Calls in the order of their tree, each with its depth and the names from the root to it."""


class _Tree:
    """A run, and what other runs are held against: its paths, and figures by name."""

    def __init__(self, records: Iterable[Record]) -> None:
        calls = sorted(map(_Call.of, records), key=lambda each: (each.start, each.session_id))
        root = next((each for each in calls if each.parent_id is None), None)
        self.walked: Walked = [] if root is None else _walked(root, calls)
        self.paths = {path for _, _, path in self.walked}
        self.durations: dict[str, list[float]] = defaultdict(list)
        self.tokens: dict[str, list[float]] = defaultdict(list)
        for call, _, _ in self.walked:
            if call.duration is not None:
                self.durations[call.name].append(call.duration)
            if call.tokens:
                self.tokens[call.name].append(call.tokens)


def _walked(top: _Call, calls: Sequence[_Call]) -> Walked:
    found: list[tuple[_Call, int, tuple[str, ...]]] = []
    above: list[str] = []
    for call, place in walk(top, calls):
        del above[place.depth :]
        above.append(call.name)
        found.append((call, place.depth, tuple(above)))
    return found


def _enough(trees: Mapping[str, _Tree], earlier: Iterable[Record]) -> list[_Tree]:
    """Return the earlier runs, as many as have about `_MOST` calls together."""
    found: list[_Tree] = []
    room = _MOST
    for record in earlier:
        tree = trees.get(record.event_id)
        if tree is None or room <= 0:
            break
        room -= len(tree.walked)
        found.append(tree)
    return found


def _by_itself(tree: _Tree) -> Iterator[tuple[str, Mark]]:
    """Yield the marks that a tree shows by itself: loops, retries and swallowed errors."""
    children: dict[str, list[_Call]] = defaultdict(list)
    above: list[_Call] = []
    for call, depth, _ in tree.walked:
        del above[depth:]
        if above:
            children[above[-1].session_id].append(call)
        above.append(call)
    by_id = {call.session_id: call for call, _, _ in tree.walked}
    for parent_id, inside in children.items():
        yield from _repeated(inside)
        if by_id[parent_id].status == "ok":
            yield from _swallowed(inside)


def _repeated(siblings: Sequence[_Call]) -> Iterator[tuple[str, Mark]]:
    """Yield loops and retries among the calls inside one parent, each at its first call."""
    if len(siblings) < _ROW:
        return
    for _, row in groupby(siblings, key=lambda each: each.outcome):
        same = list(row)
        if len(same) >= _ROW and same[0].status == "ok":
            text = f"the same call {len(same)} times in a row, with the same outcome"
            yield same[0].session_id, Mark("loop", text)
    failed: dict[str, list[_Call]] = defaultdict(list)
    for each in siblings:
        if each.status == "error":
            failed[each.name].append(each)
    for name, some in failed.items():
        if len(some) >= _ROW:
            ended = "gave up" if siblings[-1].status == "error" else "went on"
            text = f"{name[:60]} failed {len(some)} times below one parent, which {ended}"
            yield some[0].session_id, Mark("retries", text)


def _swallowed(siblings: Sequence[_Call]) -> Iterator[tuple[str, Mark]]:
    recovered: set[str] = set()
    """Names of which a later call went well."""
    found: list[str] = []
    for each in reversed(siblings):
        if each.status == "ok":
            recovered.add(each.name)
        elif each.status == "error" and each.name not in recovered:
            found.append(each.session_id)
    for session_id in reversed(found):
        yield session_id, Mark("swallowed", "failed, and its parent ended well all the same")


def _unusual(tree: _Tree, before: Sequence[_Tree]) -> Iterator[tuple[str, Mark]]:
    """Yield what no earlier run has: paths, and calls far beyond the others of their name."""
    if not before:
        return
    new: set[tuple[str, ...]] = set()
    for call, _, path in tree.walked:
        if path in new:
            continue
        if not any(path in each.paths for each in before):
            if path[:-1] not in new:
                shown = " > ".join(path)[-120:]
                text = f"no call at this place in {len(before)} earlier runs: {shown}"
                yield call.session_id, Mark("new", text)
            new.add(path)
    for call, _, _ in tree.walked:
        if call.duration is not None and call.duration >= _SHORT:
            others = [each.durations[call.name] for each in before if call.name in each.durations]
            usual = _beyond(call.duration, others)
            if usual is not None:
                yield call.session_id, Mark("slow", _times(call.duration, usual, "ms"))
        if call.tokens:
            others = [each.tokens[call.name] for each in before if call.name in each.tokens]
            usual = _beyond(call.tokens, others)
            if usual is not None:
                yield call.session_id, Mark("tokens", _times(call.tokens, usual, "tokens"))


def _beyond(figure: float, others: Sequence[Sequence[float]]) -> float | None:
    """Return the usual figure of some runs if this one is far beyond it."""
    if any(figure <= each for some in others for each in some):
        return None
    figures = sorted(chain.from_iterable(others))
    if len(figures) < _FEWEST:
        return None
    usual = figures[len(figures) // 2]
    return usual if figure > _FAR * usual else None


def _times(figure: float, usual: float, unit: str) -> str:
    return f"{figure:,.0f} {unit}, where {usual:,.0f} is usual"
