"""Capture sessions in tests: in memory, at once, with an injected clock and ids.

    def test_answer():
        with honeytrace.testing.capture() as sessions:
            answer("why?")
        assert sessions[0].inputs == {"question": "why?"}

As a pytest fixture: `def test_answer(honeytrace_sessions): ...`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING, Any

from ._capture.context import current
from ._capture.external import complete
from ._capture.finished import record_of
from ._capture.hooks import hooks
from ._capture.session import Session
from ._record.record import Update
from ._record.stamp import without_stamp
from ._runtime.capturing import captured
from ._runtime.runtime import Runtime
from .lookup import StoreFamily
from .lookup.recorded import RecordedSession

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._runtime.settings import Settings

__all__ = ["CapturedSessions", "capture", "cases"]


listeners: list[Callable[[RecordedSession], object]] = []
"""Functions that hear of every captured session. A test that is recorded may capture, too."""


class CapturedSessions(list[RecordedSession]):
    """The sessions that have ended, in order of their end. `children`, `parent`, `tree()` work."""

    def by_name(self, session_name: str) -> list[RecordedSession]:
        """Those of this name."""
        return [session for session in self if session.session_name == session_name]


@contextmanager
def capture(
    *, start: float | None = None, tick: float = 0.001, **settings: Unpack[Settings]
) -> Iterator[CapturedSessions]:
    """Record into a list while the block runs; nothing else hears of it.

    start: epoch seconds of an injected clock, which then goes on by `tick` seconds at each reading;
    ids are then the same in every run, too, and records do not name line and commit.
    settings: as for `configure`; earlier settings and the environment do not apply.
    """
    sessions = CapturedSessions()

    def take(runtime: Runtime, item: Session | Update) -> None:
        store, config = runtime.destination.memory, runtime.config
        assert store is not None
        family = StoreFamily(store)
        if isinstance(item, Update):
            store.update([item])
            for i, session in enumerate(sessions):
                if session.session_id == item.event_id:
                    sessions[i] = family.get(item.event_id) or session
        else:
            complete(item)
            record = record_of(item, config.project, config.source)
            if start is not None:
                record = without_stamp(record)
            store.insert([record])
            sessions.append(family.load(record))
            for hear in listeners:
                hear(sessions[-1])

    with captured(settings, take):
        outer = current.get()
        current.set(None)
        if start is not None:
            step, first = round(tick * 1e9), round(start * 1e9)
            hooks.clock_ns = count(first, step).__next__
            hooks.offset_ns = 0
            hooks.tick = count(1).__next__
        try:
            yield sessions
        finally:
            current.set(outer)


def cases(pattern: str) -> Callable[[Any], Any]:
    """Return a decorator that runs a pytest function with every case of a pattern.

    The function takes the case::

        @honeytrace.testing.cases("cases/*.json")
        def test_answers(case):
            case.check()

    pattern: files as `honeytrace case add` writes them, relative to the file of the test.
    Raises ReplayError if there are none.
    """
    import pytest

    here = os.path.dirname(sys._getframe(1).f_code.co_filename)
    # this room is below that of replay, which captures with it
    found = import_module("honeytrace._replay.cases").find_cases([os.path.join(here, pattern)])
    names = [os.path.splitext(os.path.basename(each.path))[0] for each in found]
    return pytest.mark.parametrize("case", found, ids=names)
