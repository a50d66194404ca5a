"""The flush thread: takes batches from the queue and sees them delivered, refused or dropped.

A batch stays ours until the sink has told the fate of every item: nothing is popped and then lost
to an exception. The thread is a daemon, starts with the first item, rests without a timer when
there is nothing to do, and is started anew in a forked child and after `stop`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from .._capture.context import PAUSED, OwnThread, current, hot, paused
from .._config import Config
from .._durability.disk_queue import tree_of
from .._interrupts import interrupts
from .._lazy import logger
from .._record.record import Item, size_of
from ..errors import StoreDamagedError
from ..sinks import Delivery, Sink
from .backoff import Outage
from .batch import Batch
from .encoder import Encoder
from .overflow import Overflow
from .queue import ANY, LOCK_TIMEOUT, Queue
from .stats import FlushResult, Stats

_DELIVERY_TIMEOUT = 60.0
_PAUSE = 0.1
"""Seconds that a fork waits at most for an idle thread to end."""


class Flusher:
    """Owns the queue, the thread, the sink and the books.

    `make_sink` is called for the first delivery and after the sink was closed, with the exception
    that made the last sink unusable, or None. `started` is called when the thread starts.
    """

    def __init__(
        self,
        config: Config,
        make_sink: Callable[[Exception | None], Sink],
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self.encoder = encoder = Encoder(config)
        self.queue = Queue(config.queue_bytes, self._attend, encoder.release)
        self._overflow = Overflow(config, self.queue, encoder.encode, encoder.release)
        self.queue.shed = self._shed
        self.sync: Callable[[], object] = bool
        """Writes the journal through to the disk."""
        self._make_sink = make_sink
        self._started = started
        self._sink: Sink | None = None
        self._damage: Exception | None = None
        self._thread: threading.Thread | None = None
        self._turn = threading.RLock()
        """Held while a batch is delivered: by the thread, or by whoever flushes without it."""
        self.importing = threading.RLock()
        """Held while modules may be imported: a fork in the middle would leave the child halves."""
        self._stale = self._urgent = False
        # one lock with the queue: a signal handler's wait within a wait gives back all of it
        # taken as the lock itself: an interrupt amid `Condition.__enter__` would leave it locked
        self._books = threading.Condition(self.queue.lock)
        self._deliverer: int | None = None
        """The thread that delivers just now."""
        self._batch = Batch()
        self._batch_start = 0
        """How many items were recorded before the batch; all of them are settled."""
        self._taken = self._delivered = self._told = self._goal = 0
        self._refused: Counter[str] = Counter()
        self._outage = Outage()
        self._exit_timeout: float | None = None

    # the thread

    def _attend(self) -> None:
        if self._exit_timeout is not None:  # after our exit hook, no thread lives long enough
            self.queue.expect(ANY)
            if not self._outage.failures:
                self._flush_here(time.monotonic() + self._exit_timeout)
        elif self._thread is None or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        self._thread = thread = OwnThread(target=self._run, name="honeytrace-flush", daemon=True)
        try:
            thread.start()
            self._started()
        except BaseException as exc:
            self._thread = None
            again = self.queue.bytes + self.config.most_bytes
            self.queue.expect(min(again, self.queue.limit - 1))
            if not isinstance(exc, RuntimeError):  # which says that there is no thread to be had
                raise

    def _run(self) -> None:
        current.set(PAUSED)
        while self._is_mine():
            if not self._batch and not self._overflow.waiting:
                self.queue.rest(None, ANY)
            if self._is_mine() and not self._urgent:
                self._gather()
            self.sync()
            self._urgent = False
            while self._is_mine() and self.step(_DELIVERY_TIMEOUT) and self._goes_on():
                pass
        self.queue.wake()  # it may have been for the thread that took over

    def _is_mine(self) -> bool:
        """Whether this thread is still the one: not stopped, and not started twice."""
        return self._thread is threading.current_thread()

    def _goes_on(self) -> bool:
        """Whether the next batch goes at once: part of one would come too often beside busy
        threads, each for some milliseconds' wait for the GIL."""
        queue = self.queue
        return (
            bool(self._batch or self._overflow.waiting)
            or queue.bytes > self._much()
            or len(queue.items) >= self.config.batch_size
            or self._settled() < self._goal
        )

    def _much(self) -> int:
        """How many bytes are sent without waiting for more."""
        return min(self.config.most_bytes, self.queue.limit // 2)

    def _gather(self) -> None:
        if self._outage.failures:
            self.queue.rest(self._outage.wait, self.queue.limit)
        else:
            self.queue.rest(self.config.flush_interval, self._much())

    def step(self, timeout: float) -> bool:
        """Deliver one batch within `timeout` seconds; true when it is settled and there is more."""
        if not self._turn.acquire(timeout=timeout):
            return False
        try:
            if self._deliverer is not None:  # the sink, or a signal handler above it, has called us
                return False
            self._deliverer = threading.get_ident()
            try:
                with paused():
                    return self._deliver(timeout)
            finally:
                self._deliverer = None
        finally:
            self._turn.release()

    def _deliver(self, timeout: float) -> bool:
        self._close_stale()
        self._load()
        if not self._batch:
            return bool(self.queue.items)
        part = self._batch.part.copy()
        try:
            fate = self._open_sink().deliver(part, timeout=timeout)
            # a destination that takes part of a batch is there: no reason to wait
            waits = bool(fate.retry_after or len(fate.retry) * 2 > len(part))
            if len(fate.retry) < len(part):
                self._outage.ended()
                self._damage = None
                self._settle(part, fate)
        except BaseException as exc:
            if not self._is_mine() and (not isinstance(exc, Exception) or interrupts(exc)):
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
        return self._waiting()

    def _load(self) -> None:
        """Fill the batch up from the queue."""
        room = self.config.batch_size - len(self._batch)
        size = self.config.most_bytes - (sum(map(size_of, self._batch)) if self._batch else 0)
        if room <= 0 or size <= 0:
            return
        if hot.clock_ns is time.perf_counter_ns:  # else a test has injected a clock
            hot.sync_clock()
        with self.queue.lock:
            if not self._batch:
                self._batch_start = self._gone()
            if self._overflow.waiting:  # older than all that is queued
                found = self._overflow.take(room, size)
                self._taken += len(found)
                self._batch.add(found, self._delivered)
            else:
                self._take(room, size)
            self.queue.trim()
            self._books.notify_all()

    def _take(self, room: int, size: int) -> None:
        waiting = deque(self.queue.take(room, size))
        self._taken += len(waiting)
        records: list[Item] = []
        self.encoder.encode(waiting, records)
        self._batch.add(records, self._delivered)

    def _settle(self, part: Sequence[Item], fate: Delivery) -> None:
        with self.queue.lock:
            self._delivered += len(part) - len(fate.retry) - len(fate.refused)
            self._left(part, fate.retry, fate.refused, self._batch.settled(fate.retry))

    def _untaken(self, part: Sequence[Item]) -> None:
        with self.queue.lock:
            self._left(part, part, (), self._batch.failed(self._delivered))

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
            self._refused[reason] += 1
            self._overflow.set_aside(item, reason)
        self.encoder.release_all(part, set(map(id, retry)) - set(map(id, poison)))
        if not self._batch:
            self._overflow.settle()
        self._books.notify_all()

    def _shed(self) -> bool:
        """What a full queue asks for. With `overflow="block"` the caller waits here."""
        if self._overflow.shed():
            return True
        mine = self._is_mine() or self._deliverer == threading.get_ident()
        if self.config.overflow != "block" or mine:
            return False
        queue = self.queue
        while queue.bytes > queue.limit and self._exit_timeout is None and self._thread is not None:
            with queue.others():
                self._books.wait(1.0)
        return queue.bytes <= queue.limit

    def relieve(self) -> bool:
        """Make room in a full journal: move the oldest records that wait from there to disk."""
        with self.queue.alone(LOCK_TIMEOUT) as mine:
            return mine and bool(self.queue.items) and self._overflow.shed()

    def _failed(self, why: str, retry_after: float | None) -> None:
        with self.importing:
            self._outage.failed(why, retry_after, quiet=self._exit_timeout is not None)
        with self.queue.lock:
            self._books.notify_all()  # an impatient flush waits no longer

    # the sink

    def _open_sink(self) -> Sink:
        if self._sink is None:
            with self.importing:
                self._sink = self._make_sink(self._damage)
        return self._sink

    def _close_sink(self) -> None:
        """Close the sink now or, while it delivers, right afterwards; then it is made anew."""
        self._stale = True
        if self._turn.acquire(blocking=False):
            try:
                if self._deliverer is None:
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

    # what others call

    def serve(self, config: Config, make_sink: Callable[[Exception | None], Sink]) -> None:
        """Go on under another configuration, with all that is pending and the books as they are."""
        self.config = self.encoder.config = config
        self._make_sink = make_sink
        self.queue.resize(config.queue_bytes)
        with self.queue.lock:
            self._overflow.configure(config)
        self._close_sink()

    def flush(self, timeout: float, *, patient: bool = True) -> FlushResult:
        """Deliver what was accepted so far, for at most `timeout` seconds.

        Without patience, delivery that fails is not waited for, and losses are not told of.
        """
        deadline = time.monotonic() + min(timeout, threading.TIMEOUT_MAX)
        with self.queue.lock:
            goal = self._recorded()
            self._goal = max(self._goal, goal)
            done = self._settled() >= goal
        if not done and self._exit_timeout is None:
            self._attend()
        if self._thread is None:
            self._flush_here(deadline)
        elif not done and not self._is_mine():
            self._urgent = True
            self.queue.wake()
            with self.queue.lock:
                while self._settled() < goal and (left := deadline - time.monotonic()) > 0:
                    if self._outage.failures and not patient:
                        break
                    self._books.wait(left)
        return self._result(goal, tell=patient)

    def _flush_here(self, deadline: float) -> None:
        while (left := deadline - time.monotonic()) > 0 and self.step(left):
            pass

    def _result(self, goal: int, tell: bool) -> FlushResult:
        with self.queue.lock:
            stats, settled = self.stats(), self._settled()
            refused, dropped = sum(stats.refused.values()), sum(stats.dropped.values())
            complete = settled >= goal and refused + dropped == self._told
            if tell:
                self._told = refused + dropped
        pending = stats.pending + stats.journalled
        return FlushResult(complete, stats.delivered, pending, refused, dropped)

    def _gone(self) -> int:
        """So many items are in a batch, or were, or were lost before one."""
        overflow = self._overflow
        lost = overflow.dropped + overflow.unreadable + overflow.unencodable
        return self._taken + self.queue.dropped + lost

    def _recorded(self) -> int:
        with self.queue.lock:
            return self._gone() + self._overflow.waiting + len(self.queue.items)

    def _settled(self) -> int:
        """So many items, counted from the first one recorded, are off our hands."""
        with self.queue.lock:
            return self._batch_start if self._batch else self._gone()

    def stats(self) -> Stats:
        with self.queue.lock:
            if self.config.overflow != "block":  # which would wait for room
                self.queue.trim()
            recorded, waiting = self._recorded(), self._overflow.waiting
            dropped = +Counter(
                {
                    "not encodable": self.encoder.failed,
                    "queue full": self.queue.dropped,
                    "disk full": self._overflow.dropped,
                    "unreadable": self._overflow.unreadable,
                }
            )
            settled = self._delivered + self._refused.total() + dropped.total()
            return Stats(
                recorded=recorded,
                delivered=self._delivered,
                pending=recorded - settled - waiting,
                journalled=waiting,
                refused=dict(self._refused),
                dropped=dict(dropped),
            )

    def pending(self, session_id: str | None = None) -> list[Item]:
        """Copies of what is not delivered yet, oldest first. Of what is on disk alone there is only
        what is in the tree of this session."""
        with self.queue.lock:
            waiting = [self.encoder.record(item) for item in self.queue.items.copy()]
            batch, places = list(self._batch), self._overflow.places()
        on_disk = () if session_id is None else tree_of(session_id, places)
        return [*batch, *on_disk, *(item for item in waiting if item is not None)]

    def stop(self, timeout: float) -> FlushResult:
        """Flush, end the thread and close the sink; the next item starts them anew."""
        result = self.flush(timeout)
        thread, self._thread = self._thread, None
        self.queue.expect(ANY)
        self._urgent = True
        self.queue.wake()
        if thread is not None and thread is not threading.current_thread() and thread.is_alive():
            thread.join(timeout=0.5 if result else 0.0)
        self._close_sink()
        return result

    def pause(self) -> None:
        """Before a fork: end the thread where it has nothing to do, until there is something.

        Python 3.12 and later warn of forks beside threads.
        """
        thread = self._thread
        if thread is None or not thread.is_alive() or self._is_mine() or self._waiting():
            return
        self._thread = None
        self.queue.expect(ANY)
        self.queue.wake()
        thread.join(_PAUSE)
        if sys.version_info < (3, 13):  # where `join` returns a moment before the system's thread
            end = time.monotonic() + _PAUSE
            while os.path.exists(f"/proc/self/task/{thread.native_id}") and time.monotonic() < end:
                time.sleep(0)
        if self._waiting():  # it came meanwhile
            self._attend()

    def _waiting(self) -> bool:
        """Whether there is anything to deliver; without a lock, for a fork may come anywhere."""
        return bool(self.queue.items or self._batch or self._overflow.waiting)

    def finish(self, timeout: float) -> None:
        """`stop` for the end of the process; what is left then is for the next one to deliver."""
        self._exit_timeout = timeout
        result = self.stop(timeout)
        if result.pending:
            outage = self._outage
            why = f": {outage.why}" if outage.failures else f" within exit_timeout={timeout}"
            logger.warning(
                "honeytrace: %d records were not delivered before the program ended%s; %s",
                result.pending,
                "" if outage.failures and outage.why == outage.told else why,
                self._keep(),
            )

    def _keep(self) -> str:
        """Put on disk what is in memory alone; says what becomes of it."""
        with self.queue.lock:
            queued = [item for item in self.queue.items if getattr(item, "_slot", None) is None]
            records = [
                record for item in queued if (record := self.encoder.record(item)) is not None
            ]
            held = self.encoder.slots.keys() | self._overflow.out
            loose = [item for item in (*self._batch, *records) if id(item) not in held]
            return self._overflow.keep(loose)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep deliveries away meanwhile."""
        with self._turn:
            yield

    def keep_in(self, directory: str) -> None:
        """Where to put on disk what there is no room for: beside the journal."""
        with self.queue.lock:
            self._overflow.keep_in(directory)

    def forget(self) -> None:
        """In a forked child: what is on disk is the parent's."""
        self._overflow.forget()
