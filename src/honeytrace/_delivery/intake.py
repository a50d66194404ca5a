"""`Intake`: entrance and exit of the queue, which every traced call passes.

The entrance takes no lock and wakes nobody on an ordinary call, so a signal handler or a finaliser
that traces cannot deadlock it: `deque.append` is atomic and re-entrant. The byte count is a plain
attribute: CPython switches threads within `x += n` only if Python code computes `n`. The count is
corrected whenever the queue runs empty.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .._record.record import size_of as size_of_item

if not cython.compiled:  # otherwise intake.pxd has them in C
    from .._base.primitives import untrack
    from .._capture.running import Running, size_of

_compiled = cython.compiled


def weigh(item: Any) -> int:
    """Return the approximate number of bytes an item takes in memory."""
    return size_of(item) if isinstance(item, Running) else size_of_item(item)


class Intake:
    """Entrance for finished sessions, and exit for the flush thread.

    keep: appends to `items`. bytes: approximate number of waiting bytes. _level: number of bytes
    that may wait before `_crossed` is called.
    """

    __slots__ = ("__dict__", "_level", "bytes", "items", "keep")
    _level: int
    bytes: int
    items: deque[Any]
    keep: Callable[[Any], object]

    def _crossed(self) -> None:
        """Handle a level that was crossed; implemented by the queue."""
        raise NotImplementedError

    def put(self, session: Any) -> None:
        """Take a finished session; this is the hook `submit`."""
        if _compiled:
            session._handed = self.keep(session) is None
        else:
            # One call of a function in C does both, so that `fail` does not queue it again after an
            # interrupt. Nothing is appended for `setattr`, which returns None.
            handed = map(setattr, (session,), ("_handed",), (True,))
            self.items.extend(chain((session,), filter(None, handed)))
        if _compiled and session._plain:
            untrack(session)  # it has ended and is in no cycle, so the collector need not scan it
        size = size_of(session)
        self.bytes += size
        if self.bytes > self._level:
            self._crossed()

    def take(self, count: int, room: int) -> list[Any]:
        """Return up to `count` items, about `room` bytes in total, oldest first."""
        taken: list[Any] = []
        most, left = min(count, sys.maxsize), min(room, sys.maxsize)
        while len(taken) < most and left > 0:
            try:
                item = self.items.popleft()
            except IndexError:
                self.bytes = 0
                break
            size = weigh(item)
            left -= size
            self.bytes -= size
            taken.append(item)
        return taken
