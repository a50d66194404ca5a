"""The tape: recorded calls, each of which answers one call."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..lookup.recorded import RecordedSession
from . import messages
from .calls import Call, Caller
from .code import Code, same_function
from .keys import key_of, masks_of

Match = Literal["inputs", "name"]
_Table = dict["str | None", list[Call]]


@dataclass(frozen=True)
class Asked:
    """A call that wants an answer. `path` gives its callers, nearest first, when they decide."""

    name: str
    code: Code | None
    inputs: Mapping[str, Any]
    masks: frozenset[str]
    cut: str | None
    path: Callable[[], Iterable[Caller]]
    alone: bool
    """No other function of this name is traced in the process."""


@dataclass(frozen=True)
class Answer:
    """A call that was answered, and the recorded session it was answered from, if it is one."""

    session_name: str
    inputs: Mapping[str, Any]
    answered_from: RecordedSession | None
    label: str


@dataclass(frozen=True)
class Miss:
    """A call that had no answer, and why."""

    session_name: str
    inputs: Mapping[str, Any]
    reason: str

    def __str__(self) -> str:
        return self.reason


class Tape:
    """Recorded calls by function. `source` names the recording in messages."""

    def __init__(
        self,
        calls: Sequence[Call],
        *,
        source: str,
        match: Match = "inputs",
        ignore: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self.calls = list(calls)
        self.source = source
        self.answered: list[Answer] = []
        self.missed: list[Miss] = []
        self._match = match
        self._ignore = {name: frozenset(_paths(given)) for name, given in (ignore or {}).items()}
        self._lock = threading.Lock()
        self._by_name: dict[str, list[Call]] = {}
        for call in self.calls:
            self._by_name.setdefault(call.name, []).append(call)
        self._tables: dict[Any, _Table] = {}
        self._asked: Counter[Any] = Counter()

    def take(self, asked: Asked) -> Call | Miss:
        """Return the recorded call that answers this one, once; or why there is none."""
        with self._lock:
            calls = self._calls_of(asked)
            hits = self._hits(asked, calls)
            if hits:
                chosen = hits[0] if len(hits) == 1 else _nearest(hits, list(asked.path()))
                chosen.used = True
                return chosen
            return self._miss(asked, calls)

    def note_answer(self, asked: Asked, call: Call) -> None:
        self.answered.append(Answer(asked.name, asked.inputs, call.session, call.label))

    def note_miss(self, miss: Miss) -> bool:
        """Remember a call without answer; return whether it is the first."""
        with self._lock:
            self.missed.append(miss)
            return len(self.missed) == 1

    def unused(self) -> list[Call]:
        return [call for call in self.calls if not call.used]

    def _calls_of(self, asked: Asked) -> list[Call]:
        """Return the calls of a function: by its code where both sides have one, else by name."""
        calls = self._by_name.get(asked.name, [])
        code = asked.code
        same = [
            call
            for call in calls
            if call.code is None or code is None or same_function(call.code, code)
        ]
        moved = {call.code.function for call in calls if call.code}
        return same or (calls if asked.alone and len(moved) == 1 else [])

    def _hits(self, asked: Asked, calls: Sequence[Call]) -> list[Call]:
        if self._match == "name":
            return [call for call in calls if not call.used][:1]
        ignored = self._ignore.get(asked.name, frozenset()) | self._ignore.get("*", frozenset())
        found: list[Call] = []
        for masks in {masks_of(call.details) for call in calls}:
            # a mask of both sides is text to compare; one of a single side hides what was there
            hidden = (masks ^ asked.masks) | ignored
            key = key_of(asked.inputs, asked.cut, hidden)
            if key is not None:
                table = self._table(calls, masks, hidden)
                found += [call for call in table.get(key, ()) if not call.used]
        return found

    def _table(
        self, calls: Sequence[Call], masks: frozenset[str], hidden: frozenset[str]
    ) -> _Table:
        """Return the calls with these masks by key. A search through a list took 361 us a call
        where 300 were recorded."""
        which = id(calls[0]), len(calls), masks, hidden
        table = self._tables.get(which)
        if table is None:
            table = self._tables[which] = {}
            for call in calls:
                if masks_of(call.details) == masks:
                    table.setdefault(call.key(hidden), []).append(call)
        return table

    def _miss(self, asked: Asked, calls: Sequence[Call]) -> Miss:
        key = asked.name, key_of(asked.inputs)
        self._asked[key] += 1
        unused = [call for call in calls if not call.used]
        alike = [call for call in calls if call.used and call.key() == key[1]]
        if alike or not unused:
            now = len(alike or calls) + self._asked[key]
            known = alike or calls
            text = messages.too_often(asked.name, asked.inputs, known, now, alike=bool(alike))
        else:
            text = messages.unlike(asked.name, asked.inputs, calls, self.source)
        return Miss(asked.name, asked.inputs, text)


def _paths(given: Iterable[str]) -> Iterable[str]:
    return [given] if isinstance(given, str) else given


def _nearest(hits: Sequence[Call], path: Sequence[Caller]) -> Call:
    """Return the call with the longest common path of callers; of several, the first."""
    return max(hits, key=lambda call: _common(call.path, path))


def _common(one: Sequence[Caller], other: Sequence[Caller]) -> int:
    count = 0
    for ours, theirs in zip(one, other, strict=False):
        if ours != theirs:
            break
        count += 1
    return count
