"""The queue of finished sessions for the flush thread: bounded in bytes, and it never waits.

The producer's side takes no lock and wakes nobody on an ordinary call, so a signal handler or a
finaliser that traces cannot deadlock it: `deque.append` and `SimpleQueue.put` are re-entrant. The
byte count is a plain attribute: in CPython no other thread runs within `x += n` if `n` is already
computed, and any drift is corrected whenever the queue runs empty.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

try:
    from _queue import Empty, SimpleQueue  # cheaper to import than `queue`
except ImportError:
    from queue import Empty, SimpleQueue

from .._base.native_locks import RLock
from .._capture.session import Session
from .._record.record import Record, Update, size_of
from .intake import Intake, weigh

ANY = -1 << 62
"""A level that every item crosses, even if the byte count has drifted below zero."""

LOCK_TIMEOUT = 1.0
"""Seconds that a caller who needs the lock waits for it, for example while a batch is filled."""

Pending = Session | Update | Record


class Queue(Intake):
    """A queue of at most `limit` bytes. Beyond that, `shed` makes room. If it cannot, items are
    dropped as `overflow` says; each is counted in `dropped` and reported to `lost`.

    `attend` is called when an item may need the flush thread.
    """

    def __init__(
        self,
        limit: int,
        attend: Callable[[], None],
        lost: Callable[[Pending], None] = lambda item: None,
    ) -> None:
        self.limit = min(limit, sys.maxsize)
        self.attend = attend
        self.lost = lost
        self.shed: Callable[[], bool] = bool
        """Function that moves some of the oldest items elsewhere; it returns False if it fails."""
        self.overflow = "drop_oldest"
        """`"drop_oldest"`, `"drop_newest"` or `"block"`: nothing is dropped, `overfull` waits."""
        self.overfull: Callable[[], object] = bool
        """Function called, without the lock, after an item that found no room."""
        self._trimming = False
        self.items = deque()
        self.keep = self.items.append
        self.bytes = 0
        self.dropped = 0
        self.lock = RLock()
        """Lock held while items are dropped or counted, so that each is in exactly one column."""
        self._level = ANY
        self._wake: SimpleQueue[None] = SimpleQueue()

    def add(self, update: Update) -> None:
        """Take an update."""
        self.items.append(update)
        size = size_of(update)
        self.bytes += size
        if self.bytes > self._level:
            self._crossed()

    def _crossed(self) -> None:
        if self._level < self.limit:
            self._level = self.limit
            self._wake.put(None)
            self.attend()
        if self.bytes > self.limit:
            self.trim()
            if self.bytes > self.limit:
                self.overfull()

    def trim(self) -> None:
        """Make room when the queue is over its limit.

        This does not wait, because the holder of the lock trims for everybody. If that takes so
        long that the queue is far over its limit, the caller does wait.
        """
        with self.alone(LOCK_TIMEOUT if self.bytes > self.limit * 1.25 else 0) as mine:
            while mine and self.bytes > self.limit and self.items and not self.shed():
                if self.overflow == "block":
                    break
                newest = self.overflow == "drop_newest"
                item = self.items.pop() if newest else self.items.popleft()
                self.dropped += 1
                size = weigh(item)
                self.bytes -= size
                self.lost(item)

    @contextmanager
    def alone(self, timeout: float = 0) -> Iterator[bool]:
        """Hold the lock; False if it cannot be taken, or if this thread is making room already."""
        if self.lock._is_owned():  # as `threading.Condition` asks it
            mine, self._trimming = not self._trimming, True
            try:
                yield mine
            finally:
                self._trimming = not mine
            return
        try:  # around `acquire`, because an interrupt may come right after it
            mine = self.lock.acquire(timeout=timeout)
            self._trimming = self._trimming or mine
            yield mine
        finally:
            if self.lock._is_owned():
                self._trimming = False
                self.lock.release()

    def put_back(self, items: Sequence[Pending]) -> None:
        """Put the items that were taken last back at the front."""
        self.items.extendleft(reversed(items))
        size = sum(map(weigh, items))
        self.bytes += size

    def wake(self) -> None:
        """Make `rest` return."""
        self._wake.put(None)

    def expect(self, level: int) -> None:
        """Call `attend` once more than `level` bytes wait."""
        self._level = min(level, self.limit)

    def resize(self, limit: int) -> None:
        """Hold at most `limit` bytes from the next item on."""
        self.limit = min(limit, sys.maxsize)
        self.expect(self._level)

    def rest(self, timeout: float | None, level: int) -> None:
        """Wait until `wake`, until more than `level` bytes are here, or `timeout` seconds."""
        self.expect(level)
        if self.items if level == ANY else self.limit > level < self.bytes:
            timeout = 0.0
        try:
            self._wake.get(timeout=None if timeout is None else min(timeout, threading.TIMEOUT_MAX))
            while True:
                self._wake.get_nowait()
        except Empty:
            pass
