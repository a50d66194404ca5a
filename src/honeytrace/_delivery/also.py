"""Second destinations: each gets the records that the first one took, in its own thread.

The first destination has the journal and the books. A second one that is slow or away never delays
it: the records that wait are bounded in bytes. Beyond that, the oldest are dropped and counted.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence

from .._base.lazy import logger
from .._base.native_locks import Condition, RLock, sleep
from .._capture.context import PAUSED, current
from .._record.record import Item, size_of
from ..sinks import Delivery, Sink
from .native_threads import new_thread

LIMIT = 64_000_000
"""Bytes that wait for a second destination; beyond it, the oldest records are dropped."""

_BATCH = 500
_TIMEOUT = 30.0
"""Seconds that one delivery may take."""

_IDLE = 60.0
"""Seconds between two checks of an empty queue; `put` wakes the thread earlier."""

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
"""Seconds before a failed delivery is repeated; the wait doubles each time."""


class Also:
    """A thread that delivers into `sink`; nothing else uses that sink."""

    def __init__(self, sink: Sink, limit: int = LIMIT) -> None:
        self.sink = sink
        self.dropped = 0
        """Items that found no room while the sink was away."""
        self.refused = 0
        self._limit = limit
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._lock = RLock()
        self._changed = Condition(self._lock)
        self._process = 0
        self._busy = False
        self._failing = False

    def put(self, items: Sequence[Item]) -> None:
        """Take items that the first destination has taken."""
        with self._lock:
            if self._process != os.getpid():  # also in a forked child, which has no thread
                self._process, self._busy, self._failing = os.getpid(), False, False
                new_thread(self._run, "honeytrace-also").start()
            self._items += items
            self._bytes += sum(map(size_of, items))
            while self._bytes > self._limit and len(self._items) > 1:
                self._bytes -= size_of(self._items.popleft())
                self.dropped += 1
            self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Return whether everything is delivered within `timeout` seconds; False at once while the
        sink is away."""
        deadline = time.monotonic() + timeout
        with self._lock:
            while (self._items or self._busy) and not self._failing:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return not (self._items or self._busy)

    def _run(self) -> None:
        current.set(PAUSED)  # calls that a sink makes are not recorded
        wait = _FIRST_WAIT
        while True:
            with self._lock:
                while not self._items:
                    self._changed.wait(_IDLE)
                batch = [self._items.popleft() for _ in range(min(_BATCH, len(self._items)))]
                self._bytes -= sum(map(size_of, batch))
                self._busy = True
            delivery = self._deliver(batch)
            with self._lock:
                self._busy = False
                self.refused += len(delivery.refused)
                if delivery.retry:
                    self._items.extendleft(reversed(delivery.retry))
                    self._bytes += sum(map(size_of, delivery.retry))
                if delivery.retry and not self._failing:
                    logger.warning(
                        "honeytrace: a second destination takes no records for now: %s",
                        delivery.why or "it gave no reason",
                    )
                self._failing = bool(delivery.retry)
                self._changed.notify_all()
            if self._failing:
                sleep(max(wait, delivery.retry_after or 0))
                wait = min(wait * 2, _LONGEST_WAIT)
            else:
                wait = _FIRST_WAIT

    def _deliver(self, batch: Sequence[Item]) -> Delivery:
        try:
            return self.sink.deliver(batch, timeout=_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - a sink of the program's may raise anything
            return Delivery(batch, why=f"{type(error).__name__}: {error}")


class Both:
    """A sink that passes the records that the first sink took on to others."""

    def __init__(self, first: Sink, others: Sequence[Also]) -> None:
        self._first = first
        self._others = others

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        """Deliver to the first; everything except its `retry` goes to the others, too."""
        delivery = self._first.deliver(batch, timeout=timeout)
        again = {id(item) for item in delivery.retry}
        taken = [item for item in batch if id(item) not in again] if again else batch
        for other in self._others:
            other.put(taken)
        return delivery

    def close(self) -> None:
        """Close the first; the others close with the process."""
        self._first.close()
