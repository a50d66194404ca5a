"""Overflow to disk: records that memory has no room for, kept in order until they are delivered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from .._base.lazy import logger
from .._config import NO_JOURNAL, Config
from .._durability.disk_queue import DiskQueue, DiskQueueFullError, Place
from .._durability.quarantine import set_aside
from .._record.record import Item
from .queue import Pending, Queue

_CHUNK = 500_000
"""Bytes moved to disk at once. This costs two milliseconds in the call that exceeds the bound."""
_ITEMS = 2_000
_QUIET = 60.0
"""Seconds between two warnings about a disk that takes nothing."""
_AGAIN = 5.0
"""Seconds before a disk that took nothing is tried again."""


class Overflow:
    """The disk side of the queue. All methods run under the queue's lock.

    `encode` makes records of queued items: it moves all of them from its first argument to its
    second, except those that it drops. `release` frees the journal place of a record. `lost` is
    called with items that were dropped from disk.
    """

    def __init__(
        self,
        config: Config,
        queue: Queue,
        encode: Callable[[deque[Pending], list[Item]], None],
        release: Callable[[Item], None],
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue, self._encode, self._release, self._lost = queue, encode, release, lost
        self.dropped = self.unreadable = self.unencodable = 0
        self._spill: DiskQueue | None = None
        self._directory: str | None = None
        self._blocked_until = self._quiet_until = 0.0
        self.out: set[int] = set()
        """Items taken from disk and not settled, by identity; they are still on disk."""
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Use this configuration; records on disk stay in their directory until delivered."""
        self._config = config
        self._queue.overflow = config.overflow
        if config.journal == NO_JOURNAL or config.store == ":memory:":
            self._directory = None
        else:
            self._directory = config.journal
        self._renew()
        self._blocked_until = 0.0

    def keep_in(self, directory: str) -> None:
        """Write new records to this directory, because the journal is not in the configured one."""
        if self._directory is not None:
            self._directory = directory
            self._renew()

    def _renew(self) -> None:
        spill, directory = self._spill, self._directory
        if directory is None:
            if spill is not None and not spill.bytes:
                self._spill = None
        elif spill is None:
            self._spill = DiskQueue(directory, self._config.disk_bytes)
        else:  # existing segments stay in their directory
            spill.directory, spill.limit = directory, self._config.disk_bytes

    @property
    def waiting(self) -> int:
        """Number of records on disk that the flush thread has not taken."""
        return self._spill.waiting if self._spill else 0

    def shed(self) -> bool:
        """Move some of the oldest items from memory to disk; return False if that fails."""
        spill = self._spill
        oldest = self._config.overflow == "drop_oldest"
        if (
            spill is None
            or time.monotonic() < self._blocked_until
            or (not oldest and spill.bytes + _CHUNK > spill.limit)
        ):
            return False
        waiting = deque(self._queue.take(_ITEMS, _CHUNK))
        records: list[Item] = []
        count = len(waiting)
        try:
            try:
                self._encode(waiting, records)
            finally:
                self.unencodable += count - len(records) - len(waiting)
            while not self._append(spill, records):
                lost = 0
                if oldest and time.monotonic() >= self._blocked_until:
                    lost = spill.drop_oldest()
                if not lost:
                    self._queue.put_back(records)
                    return False
                self.dropped += lost
                self._lost()
        except BaseException:  # an interrupt: none of the items were written
            self._queue.put_back([*records, *waiting])
            raise
        for record in records:
            self._release(record)
        return True

    def _append(self, spill: DiskQueue, records: list[Item]) -> bool:
        """Write items to disk; False if there is no room. A full disk is not tried for a while."""
        try:
            spill.append(records)
        except DiskQueueFullError:
            return False
        except OSError as error:
            now = time.monotonic()
            self._blocked_until = now + _AGAIN
            if now >= self._quiet_until:
                self._quiet_until = now + _QUIET
                logger.warning(
                    "honeytrace cannot put on disk the records beyond queue_bytes: %s", error
                )
            return False
        return True

    def take(self, count: int, room: int) -> Sequence[Item]:
        """Return the oldest items on disk; they stay there until `settle`."""
        assert self._spill is not None
        taken, lost = self._spill.take(count, room)
        self.unreadable += lost
        self.out.update(map(id, taken))
        return taken

    def places(self) -> list[Place]:
        """Return the places on disk of the other items."""
        return self._spill.places() if self._spill else []

    def settle(self) -> None:
        """Note that everything taken is delivered."""
        self.out.clear()
        if self._spill is not None:
            self._spill.settle()

    def keep(self, items: Sequence[Item]) -> str:
        """Write items that no journal has to disk at the end of the process; return their fate."""
        if self._spill is None:
            return "they are lost: there is no journal"
        try:
            if items:
                self._spill.append(items)
        except OSError as error:
            return f"{len(items)} of them are lost: {error}"
        return f"they are kept in {self._directory}, for the next process to deliver"

    def set_aside(self, item: Item, reason: str) -> None:
        """Keep a refused item in `refused/`, for a person to look at."""
        if self._directory is not None:
            try:
                set_aside(self._directory, item, reason)
            except OSError as error:
                logger.warning("honeytrace cannot set a refused record aside: %s", error)

    def forget(self) -> None:
        """Let go of the files, in a forked child."""
        if self._spill is not None:
            self._spill.forget()
