"""Grouping of small writes: those that come while one is under way are then written together."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .._base.native_locks import allocate_lock
from .errors import RecordRefusedError, StoreBusyError

__all__ = ["Grouping"]

T = TypeVar("T")


class _Part(Generic[T]):
    """The items of one caller."""

    def __init__(self, items: Sequence[T]) -> None:
        self.items = items
        self.done = False
        self.error: Exception | None = None


class _Queue(Generic[T]):
    """The parts of one tenant that wait, and the lock of the caller that writes."""

    def __init__(self) -> None:
        self.turn = allocate_lock()
        self.lock = allocate_lock()
        self.waiting: deque[_Part[T]] = deque()

    def add(self, part: _Part[T]) -> None:
        """Add a part at the end."""
        with self.lock:
            self.waiting.append(part)

    def take(self, most: int) -> list[_Part[T]]:
        """Take the first part, and the next ones up to `most` items together."""
        taken: list[_Part[T]] = []
        size = 0
        with self.lock:
            while self.waiting and (not taken or size + len(self.waiting[0].items) <= most):
                taken.append(self.waiting.popleft())
                size += len(taken[-1].items)
        return taken


class Grouping(Generic[T]):
    """Calls `write` with a tenant and the items of several callers at once.

    A lone caller never waits. A group has at most `most` items, or one part. Every caller gets the
    error of its own items: if a group is refused, each part is written alone.
    """

    def __init__(self, write: Callable[[str, Sequence[T]], None], most: int = 10_000) -> None:
        self._write = write
        self._most = most
        self._queues: dict[str, _Queue[T]] = {}
        self._pid = os.getpid()

    def put(self, tenant: str, items: Sequence[T]) -> None:
        """Write these items; returns when they are stored. Raises what `write` raises."""
        if self._pid != os.getpid():  # A forked child: the parent's threads may hold the locks.
            self._queues, self._pid = {}, os.getpid()
        queue = self._queues.setdefault(tenant, _Queue())
        part = _Part(items)
        queue.add(part)
        with queue.turn:
            while not part.done:
                self._write_group(tenant, queue.take(self._most))
        if part.error is not None:
            raise part.error

    def _write_group(self, tenant: str, group: Sequence[_Part[T]]) -> None:
        try:
            self._write_parts(tenant, group)
        except BaseException:  # This caller was interrupted, and the others have to know.
            for part in group:
                if not part.done:
                    part.error = StoreBusyError("the write was interrupted: try again")
                    part.done = True
            raise

    def _write_parts(self, tenant: str, parts: Sequence[_Part[T]]) -> None:
        error: Exception | None = None
        try:
            self._write(tenant, [item for part in parts for item in part.items])
        except RecordRefusedError as refusal:
            if len(parts) > 1:
                for part in parts:
                    self._write_parts(tenant, [part])
                return
            error = refusal
        except Exception as failure:  # noqa: BLE001 - each caller raises it
            error = failure
        for part in parts:
            part.error, part.done = error, True
