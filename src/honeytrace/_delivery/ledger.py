"""The books: counts of recorded items and of the fate of each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from .._base.lazy import logger
from .._base.native_locks import Condition
from .._capture.hooks import hooks
from .batch import Batch
from .encoder import Encoder
from .overflow import Overflow
from .queue import Queue
from .stats import FlushResult, Stats

_QUIET = 60.0
"""Seconds between two warnings of dropped items."""


class Ledger:
    """Counts of the items on their way from the queue to the sink, changed under the queue's lock.

    Items are numbered in the order in which they were recorded; the first `settled()` of them are
    delivered, refused or dropped.
    """

    def __init__(self, queue: Queue, overflow: Overflow, encoder: Encoder, batch: Batch) -> None:
        self._queue, self._overflow, self._encoder, self._batch = queue, overflow, encoder, batch
        self._lock = queue.lock
        # It shares the queue's lock, so a signal handler that waits within a wait frees it fully.
        self.changed = Condition(queue.lock)
        """Condition that is notified when an item was settled or a delivery failed."""
        self.delivered = 0
        self.goal = 0
        """Number of the last item whose delivery was requested at once."""
        self._taken = 0
        self._batch_start = 0
        """Number of items recorded before the batch; all of them are settled."""
        self._refused: Counter[str] = Counter()
        self._warned = 0
        """Number of dropped items that were logged."""
        self._quiet_until = 0.0
        self._told = 0
        """Number of losses that a flush has reported."""

    def begin_batch(self) -> None:
        """Note that everything that left the queue is settled, and begin a new batch."""
        self._batch_start = self._gone()

    def take(self, count: int) -> None:
        """Count items that went from the queue, or from disk, into the batch."""
        self._taken += count

    def refuse(self, reason: str) -> None:
        """Count a refused item of the batch."""
        self._refused[reason] += 1

    def _gone(self) -> int:
        """Number of items that are or were in a batch, or were lost before one."""
        overflow = self._overflow
        lost = overflow.dropped + overflow.unreadable + overflow.unencodable
        return self._taken + self._queue.dropped + lost

    def recorded(self) -> int:
        """Return the number of items recorded."""
        with self._lock:
            return self._gone() + self._overflow.waiting + len(self._queue.items)

    def settled(self) -> int:
        """Return the number of settled items, counted from the first one recorded."""
        with self._lock:
            return self._batch_start if self._batch else self._gone()

    def aim(self) -> int:
        """Request the delivery of everything recorded so far; return the number of items."""
        with self._lock:
            goal = self.recorded()
            self.goal = max(self.goal, goal)
            return goal

    def wait(self, goal: int, deadline: float, gives_up: Callable[[], bool]) -> None:
        """Wait until `goal` items are settled, until `deadline`, or until `gives_up()`."""
        with self._lock:
            while self.settled() < goal and (left := deadline - time.monotonic()) > 0:
                if gives_up():
                    break
                self.changed.wait(left)

    def stats(self) -> Stats:
        """Return the books at this moment."""
        with self._lock:
            recorded, waiting = self.recorded(), self._overflow.waiting
            dropped = self._dropped()
            settled = self.delivered + self._refused.total() + dropped.total()
            # calls that never became an item have no number, but they are in the sums
            unrecorded = +Counter({"not recorded": hooks.unrecorded})
            return Stats(
                recorded=recorded + unrecorded.total(),
                delivered=self.delivered,
                pending=recorded - settled - waiting,
                journalled=waiting,
                refused=dict(self._refused),
                dropped=dict(dropped + unrecorded),
            )

    def _dropped(self) -> Counter[str]:
        return +Counter(
            {
                "not encodable": self._encoder.failed,
                "queue full": self._queue.dropped,
                "disk_bytes reached": self._overflow.dropped,
                "unreadable": self._overflow.unreadable,
            }
        )

    def warn_of_losses(self, *, now: bool = False) -> None:
        """Log dropped items: the first at once, later ones every minute, or `now`."""
        moment = time.monotonic()
        if moment < self._quiet_until and not now:
            return
        dropped = self._dropped()
        if (count := dropped.total()) > self._warned:
            self._warned, self._quiet_until = count, moment + _QUIET
            logger.warning(
                "honeytrace has dropped %d records (%s): more is recorded than the destination "
                "takes; raise disk_bytes or queue_bytes, or record less (sample_rate)",
                count,
                ", ".join(f"{reason}: {number}" for reason, number in dropped.items()),
            )

    def result(self, goal: int, *, tell: bool) -> FlushResult:
        """Return the result of a flush up to `goal`; with `tell`, it reports the losses so far."""
        with self._lock:
            stats, settled = self.stats(), self.settled()
            refused, dropped = sum(stats.refused.values()), sum(stats.dropped.values())
            complete = settled >= goal and refused + dropped == self._told
            if tell:
                self._told = refused + dropped
        pending = stats.pending + stats.journalled
        return FlushResult(complete, stats.delivered, pending, refused, dropped)
