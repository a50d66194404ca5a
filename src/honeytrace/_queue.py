"""Finished sessions on their way to the flush thread: bounded in bytes, never waiting.

The producer's side takes no lock and wakes nobody on an ordinary call, so a signal handler or a
finaliser that traces cannot deadlock it: `deque.append` and `SimpleQueue.put` are re-entrant. The
byte count is a plain attribute: in CPython no other thread runs within `x += n`, and where one did,
the count is set right whenever the queue runs empty.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from ._record import Update
from ._session import Session

OVERHEAD = 700
"""Bytes of a queued session beside its inputs and outputs, measured with tracemalloc."""

Pending = Session | Update


def size_of(item: Pending) -> int:
    if isinstance(item, Session):
        size = OVERHEAD + len(item._inputs or b"") + len(item._outputs or b"")
        return (
            size + item._extra_size() if item._extras or item._failure or item._children else size
        )
    return OVERHEAD + sum(map(len, item.fields.values()))


class Queue:
    """Holds at most `limit` bytes; beyond, the oldest go, counted in `dropped`.

    `attend` is called when somebody should look after the queue: on the first item after a rest,
    and when `batch_bytes` are waiting.
    """

    def __init__(self, limit: int, batch_bytes: int, attend: Callable[[], None]) -> None:
        self.limit = limit
        self.batch_bytes = batch_bytes
        self.attend = attend
        self.items: deque[Pending] = deque()
        self.keep = self.items.append
        self.bytes = 0
        self.dropped = 0
        self._mark = 0
        """Where `put` next has something to do: 0 at rest, then a full batch, then the limit."""
        self._wake: SimpleQueue[None] = SimpleQueue()

    def put(self, item: Pending) -> None:
        """Take an item; this is `hot.submit`."""
        self.items.append(item)
        self.bytes += size_of(item)
        if self.bytes > self._mark:
            self._crossed()

    def _crossed(self) -> None:
        if self._mark == 0:
            self._mark = self.batch_bytes
            self.attend()
        elif self._mark < self.limit:
            self._mark = self.limit
        while self.bytes > self.limit:
            try:
                self.bytes -= size_of(self.items.popleft())
            except IndexError:
                break
            self.dropped += 1
        self.wake()

    def take(self, count: int) -> list[Pending]:
        """Up to `count` items, about `batch_bytes` in all, oldest first."""
        taken: list[Pending] = []
        room = self.batch_bytes
        while len(taken) < count and room > 0:
            try:
                item = self.items.popleft()
            except IndexError:
                self.bytes = 0
                break
            size = size_of(item)
            room -= size
            self.bytes -= size
            taken.append(item)
        self._mark = self.limit if self.bytes > self.batch_bytes else self.batch_bytes
        return taken

    def wake(self) -> None:
        """Let `rest` return."""
        self._wake.put(None)

    def rest(self, timeout: float | None) -> None:
        """Wait until `wake`, or `timeout` seconds; None rests until an item comes."""
        if timeout is None:
            self._mark = 0
            if self.items:
                return
        try:
            self._wake.get(timeout=timeout)
            while True:
                self._wake.get_nowait()
        except Empty:
            pass
