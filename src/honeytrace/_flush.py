"""The flush thread: takes batches from the queue and sees them delivered, refused or dropped.

A batch stays ours until the sink has told the fate of every item: nothing is popped and then lost
to an exception. The thread is a daemon, starts with the first item, rests without a timer when
there is nothing to do, and is started anew in a forked child.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ._config import Config
from ._context import hot, paused
from ._queue import Pending, Queue
from ._record import Item
from ._session import Session
from .sinks import Delivery, Sink

logger = logging.getLogger("honeytrace")
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0


@dataclass
class Stats:
    """What became of every record: recorded = delivered + pending + refused + dropped.

    Updates count like sessions. `refused` and `dropped` map a reason to a number.
    """

    recorded: int = 0
    delivered: int = 0
    pending: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    sampled_out: int = 0
    """Trees that sampling left out; they are not among the recorded."""


class FlushResult(NamedTuple):
    """True when everything accepted before the flush was delivered. The numbers are totals."""

    complete: bool
    delivered: int
    pending: int
    refused: int
    dropped: int

    def __bool__(self) -> bool:
        return self.complete


class Flusher:
    """Owns the queue, the thread, the sink and the books."""

    def __init__(self, config: Config, make_sink: Callable[[], Sink]) -> None:
        self.config = config
        self._make_sink = make_sink
        self._sink: Sink | None = None
        self.queue = Queue(config.queue_bytes, config.batch_bytes, self._attend)
        self._thread: threading.Thread | None = None
        self._turn = threading.RLock()
        """Held while a batch is delivered: by the thread, or by whoever flushes without it."""
        self._books = threading.Condition()
        self._batch: list[Item] = []
        self._taken = self._delivered = 0
        self._refused: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._failures = 0
        self._urgent = self._stopped = False

    # the thread

    def _attend(self) -> None:
        if self._thread is None and not self._stopped:
            self._thread = threading.Thread(target=self._run, name="honeytrace-flush", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no threads at interpreter shutdown: the exit hook delivers
                self._thread = None

    def _run(self) -> None:
        while not self._stopped:
            self.queue.rest(None)
            while not self._stopped and (self.queue.items or self._batch):
                if not self._urgent:
                    self.queue.rest(self._pause)
                self._urgent = False
                while self.step(timeout=60.0):
                    pass

    @property
    def _pause(self) -> float:
        return self._wait if self._failures else self.config.flush_interval

    _wait = 0.0

    def step(self, timeout: float) -> bool:
        """Deliver one batch; true when it is settled and there is more."""
        with self._turn, paused():  # what delivery calls is nobody's session
            self._load()
            if not self._batch:
                return False
            try:
                fate = self._open_sink().deliver(self._batch, timeout=timeout)
            except Exception as exc:  # noqa: BLE001 - a sink may raise anything; the batch stays ours
                fate = Delivery(retry=self._batch)
                self._failed(exc, None)
            else:
                # a destination that takes part of a batch is there: no reason to wait
                if fate.retry_after or (fate.retry and len(fate.retry) == len(self._batch)):
                    self._failed(None, fate.retry_after)
                else:
                    self._recovered()
            self._settle(fate)
            return not self._failures and bool(self.queue.items or self._batch)

    def _load(self) -> None:
        """Fill the batch up from the queue."""
        room = self.config.batch_size - len(self._batch)
        if room <= 0:
            return
        hot.sync_clock()
        with self._books:
            taken = self.queue.take(room)
            self._taken += len(taken)
            for item in taken:
                record = self._encoded(item)
                if record is None:
                    self._dropped["not encodable"] += 1
                else:
                    self._batch.append(record)

    def _encoded(self, item: Pending) -> Item | None:
        if not isinstance(item, Session):
            return item
        try:
            return item._to_record(self.config.project, self.config.source)
        except Exception:  # a defect of ours must not cost the batch
            logger.exception("honeytrace could not encode a session")
            return None

    def _settle(self, fate: Delivery) -> None:
        with self._books:
            for _, reason in fate.refused:
                self._refused[reason] += 1
            self._delivered += len(self._batch) - len(fate.retry) - len(fate.refused)
            self._batch = list(fate.retry)
            self._books.notify_all()

    def _open_sink(self) -> Sink:
        if self._sink is None:
            self._sink = self._make_sink()
        return self._sink

    def _failed(self, exc: Exception | None, retry_after: float | None) -> None:
        if self._failures == 0:
            logger.warning("honeytrace cannot deliver, and keeps trying: %s", exc or "try later")
        self._failures += 1
        import random  # 5 ms that only a program in trouble pays

        longest = min(_FIRST_WAIT * 2 ** min(self._failures, 10), _LONGEST_WAIT)
        self._wait = retry_after or random.uniform(longest / 2, longest)

    def _recovered(self) -> None:
        if self._failures:
            logger.warning("honeytrace delivers again")
        self._failures = 0

    # what others call

    def flush(self, timeout: float, *, patient: bool = True) -> FlushResult:
        """Deliver what was accepted so far, for at most `timeout` seconds.

        Without patience, delivery that fails is not waited for.
        """
        deadline = time.monotonic() + timeout
        goal = self._accepted()
        lost = self._lost()
        if self._thread is None or not self._thread.is_alive():
            self._flush_here(deadline)
        else:
            self._urgent = True
            self.queue.wake()
            with self._books:
                while self._settled() < goal and (left := deadline - time.monotonic()) > 0:
                    if self._failures and not patient:
                        break
                    self._books.wait(left)
        stats = self.stats()
        complete = self._settled() >= goal and self._lost() == lost
        refused, dropped = sum(stats.refused.values()), sum(stats.dropped.values())
        return FlushResult(complete, stats.delivered, stats.pending, refused, dropped)

    def _flush_here(self, deadline: float) -> None:
        while self.queue.items or self._batch:
            left = deadline - time.monotonic()
            if left <= 0 or not (self.step(timeout=left) or not self._batch):
                break

    def _accepted(self) -> int:
        with self._books:
            return self._taken + len(self.queue.items) + self.queue.dropped

    def _lost(self) -> int:
        return self._refused.total() + self._dropped.total() + self.queue.dropped

    def _settled(self) -> int:
        return self._delivered + self._lost()

    def stats(self) -> Stats:
        with self._books:
            dropped = +self._dropped
            if self.queue.dropped:
                dropped["queue full"] = self.queue.dropped
            settled = self._delivered + self._refused.total() + sum(dropped.values())
            recorded = self._taken + len(self.queue.items) + self.queue.dropped
            return Stats(
                recorded=recorded,
                delivered=self._delivered,
                pending=recorded - settled,
                refused=dict(self._refused),
                dropped=dict(dropped),
            )

    def pending(self) -> list[Item]:
        """Copies of what is not delivered yet, oldest first."""
        with self._books:
            waiting = [self._encoded(item) for item in self.queue.items.copy()]
            return [*self._batch, *(item for item in waiting if item is not None)]

    def stop(self, timeout: float) -> FlushResult:
        """Flush, then end the thread and close the sink."""
        result = self.flush(timeout)
        self._stopped = True
        self.queue.wake()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=0.5 if result else 0.0)
        if self._sink is not None and result:
            self._sink.close()
        return result
