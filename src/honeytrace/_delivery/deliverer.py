"""One batch at a time: filled from the queue, handed to the sink, settled in the books."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .._base.interrupts import interrupts
from .._base.lazy import logger
from .._base.native_locks import RLock, get_ident
from .._capture.context import paused
from .._capture.hooks import hooks
from .._config import Config
from .._record.record import Item, size_of
from ..errors import StoreDamagedError
from ..sinks import Delivery, Sink
from .backoff import Outage
from .batch import Batch
from .encoder import Encoder
from .ledger import Ledger
from .overflow import Overflow
from .queue import Queue

MakeSink = Callable[[Exception | None], Sink]
"""A function that makes the sink, for the first delivery and after the sink was closed. Its
argument is the exception that made the last sink unusable, or None."""


class Deliverer:
    """Owner of the sink and the batch. A batch stays here until the sink has reported the fate of
    every item, so no exception loses an item.
    """

    def __init__(
        self,
        config: Config,
        queue: Queue,
        overflow: Overflow,
        encoder: Encoder,
        make_sink: MakeSink,
    ) -> None:
        self.config = config
        self.batch = Batch()
        self.ledger = Ledger(queue, overflow, encoder, self.batch)
        self.outage = Outage()
        self.quiet = False
        """True when the process ends: an outage that begins now is reported in another way."""
        self.importing = RLock()
        """Held while modules may be imported: a fork meanwhile would leave half modules."""
        self._queue, self._overflow, self._encoder = queue, overflow, encoder
        self._make_sink = make_sink
        self._sink: Sink | None = None
        self._damage: Exception | None = None
        self._stale = False
        self._turn = RLock()
        """Held while a batch is delivered."""
        self._thread: int | None = None
        """The thread that is delivering now."""

    def is_here(self) -> bool:
        """Return whether this thread is delivering, so that the caller runs inside the sink."""
        return self._thread == get_ident()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep deliveries from starting inside the block."""
        with self._turn:
            yield

    def step(self, timeout: float, *, for_program: bool = True) -> bool:
        """Deliver one batch within `timeout` seconds; true if it is settled and more items wait.

        for_program: the thread belongs to the program, so an interrupt is raised.
        """
        if not self._turn.acquire(timeout=timeout):
            return False
        try:
            if self._thread is not None:  # the sink, or a signal handler above it, has called us
                return False
            self._thread = get_ident()
            try:
                with paused():
                    return self._deliver(timeout, for_program)
            finally:
                self._thread = None
        finally:
            self._turn.release()

    def _deliver(self, timeout: float, for_program: bool) -> bool:
        self._close_stale()
        self._load()
        if not self.batch:
            return bool(self._queue.items)
        part = self.batch.part.copy()
        try:
            fate = self._open_sink().deliver(part, timeout=timeout)
            # a destination that takes part of a batch is up, so there is no reason to wait
            waits = bool(fate.retry_after or len(fate.retry) * 2 > len(part))
            if len(fate.retry) < len(part):
                self.outage.ended()
                self._damage = None
                self._settle(part, fate)
        except BaseException as exc:
            if for_program and (not isinstance(exc, Exception) or interrupts(exc)):
                raise  # an interrupt of the program's
            if isinstance(exc, StoreDamagedError) and self._damage is None:
                self._damage, self._stale = exc, True
                return True  # at once, with a new store
            self._failed(str(exc) or type(exc).__name__, None)
            self._untaken(part)
            return False
        if waits:
            self._failed(fate.why or "the destination is busy", fate.retry_after)
            if len(fate.retry) == len(part) and not fate.retry_after:
                self._untaken(part)
            return False
        return self.waiting()

    def waiting(self) -> bool:
        """Return whether anything waits; without a lock, because a fork may come at any moment."""
        return bool(self._queue.items or self.batch or self._overflow.waiting)

    # the batch

    def _load(self) -> None:
        """Fill the batch from the queue."""
        room = self.config.batch_size - len(self.batch)
        size = self.config.most_bytes - (sum(map(size_of, self.batch)) if self.batch else 0)
        if room <= 0 or size <= 0:
            return
        if hooks.clock_ns is time.perf_counter_ns:  # otherwise a test has injected a clock
            hooks.sync_clock()
        with self._queue.lock:
            if not self.batch:
                self.ledger.begin_batch()
            if self._overflow.waiting:  # records on disk are older than the queued ones
                found = self._overflow.take(room, size)
                self.ledger.take(len(found))
                self.batch.add(found, self.ledger.delivered)
            else:
                self._take(room, size)
            self._queue.trim()
            self.ledger.changed.notify_all()

    def _take(self, room: int, size: int) -> None:
        waiting = deque(self._queue.take(room, size))
        self.ledger.take(len(waiting))
        records: list[Item] = []
        self._encoder.encode(waiting, records)
        self.batch.add(records, self.ledger.delivered)

    def _settle(self, part: Sequence[Item], fate: Delivery) -> None:
        with self._queue.lock:
            self.ledger.delivered += len(part) - len(fate.retry) - len(fate.refused)
            self._left(part, fate.retry, fate.refused, self.batch.settled(fate.retry))

    def _untaken(self, part: Sequence[Item]) -> None:
        with self._queue.lock:
            self._left(part, part, (), self.batch.failed(self.ledger.delivered))

    def _left(
        self,
        part: Sequence[Item],
        retry: Sequence[Item],
        refused: Sequence[tuple[Item, str]],
        poison: Sequence[Item],
    ) -> None:
        for item, reason in (
            *refused,
            *((item, "never taken, while others are") for item in poison),
        ):
            self.ledger.refuse(reason)
            self._overflow.set_aside(item, reason)
        self._encoder.release_all(part, set(map(id, retry)) - set(map(id, poison)))
        if not self.batch:
            self._overflow.settle()
        self.ledger.changed.notify_all()

    def _failed(self, why: str, retry_after: float | None) -> None:
        with self.importing:
            self.outage.failed(why, retry_after, quiet=self.quiet)
        with self._queue.lock:
            self.ledger.changed.notify_all()  # an impatient flush stops waiting

    # the sink

    def serve(self, config: Config, make_sink: MakeSink) -> None:
        """Continue under another configuration, with the same pending items and the same books."""
        self.config, self._make_sink = config, make_sink
        self.close_sink()

    def _open_sink(self) -> Sink:
        if self._sink is None:
            with self.importing:
                self._sink = self._make_sink(self._damage)
        return self._sink

    def close_sink(self) -> None:
        """Close the sink now or, while it delivers, right afterwards; a new one is made later."""
        self._stale = True
        if self._turn.acquire(blocking=False):
            try:
                if self._thread is None:
                    self._close_stale()
            finally:
                self._turn.release()

    def _close_stale(self) -> None:
        if not self._stale:
            return
        self._stale = False
        sink, self._sink = self._sink, None
        if sink is not None:
            try:
                sink.close()
            except Exception:  # noqa: BLE001 - a sink may raise anything
                logger.warning("honeytrace could not close its sink", exc_info=True)
