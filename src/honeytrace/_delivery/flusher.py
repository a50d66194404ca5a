"""The flush thread: waits for records and delivers them in batches.

The thread is a daemon. It starts with the first item, waits without a timer while no call is open
and there is nothing to do, and starts again in a forked child and after `stop`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from .._base.lazy import logger
from .._base.native_locks import get_ident, keep_native, sleep
from .._capture.context import PAUSED, OwnThread, current
from .._config import Config
from .._durability.disk_queue import tree_of
from .._record.record import Item
from .backoff import Outage
from .deliverer import Deliverer, MakeSink
from .encoder import Encoder
from .native_threads import NativeThread, new_thread
from .overflow import Overflow
from .queue import ANY, LOCK_TIMEOUT, Pending, Queue
from .stats import FlushResult, Stats

_DELIVERY_TIMEOUT = 60.0
"""Seconds for one batch."""
_PAUSE = 0.1
"""Longest time in seconds that a fork waits for an idle thread to end."""


def _never() -> None:
    """Note nothing."""


class Flusher:
    """Owner of the queue and the thread. `started` is called when the thread starts."""

    def __init__(
        self,
        config: Config,
        make_sink: MakeSink,
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self.encoder = encoder = Encoder(config)
        self.queue = Queue(config.queue_bytes, self._attend, self._lose)
        self._overflow = Overflow(
            config, self.queue, encoder.encode, encoder.release, self._warn_of_losses
        )
        self.queue.shed, self.queue.overfull = self._overflow.shed, self._wait_for_room
        self.deliverer = Deliverer(config, self.queue, self._overflow, encoder, make_sink)
        self.ledger, self.outage = self.deliverer.ledger, self.deliverer.outage
        self.importing = self.deliverer.importing
        self.turn = self.deliverer.turn
        self.sync: Callable[[], object] = bool
        """Function that writes the journal to the disk."""
        self.beat: Callable[[], float | None] = _never
        """Function that notes that the process lives; it returns the seconds to the next note, or
        None while there is nothing to note."""
        self._started = started
        self._thread: OwnThread | NativeThread | None = None
        self._urgent = False
        self._exit_left: float | None = None
        """Seconds that may still be spent on delivery at the end of the process; None before."""

    # the thread

    def _attend(self) -> None:
        if self._exit_left is not None:  # after the exit hook, no thread lives long enough
            self.queue.expect(ANY)
            if not self.outage.failures:
                self._flush_at_exit(self._exit_left)
        elif self._thread is None or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        self._thread = thread = new_thread(self._run, "honeytrace-flush")
        try:
            thread.start()
            self._started()
        except BaseException as exc:
            self._thread = None
            if not isinstance(exc, RuntimeError):  # an interrupt: the next record tries again
                self.queue.expect(ANY)
                raise
            again = self.queue.bytes + self.config.most_bytes  # no thread can start for now
            self.queue.expect(min(again, self.queue.limit - 1))

    def _run(self) -> None:
        current.set(PAUSED)
        while self._is_mine():
            keep_native()
            if not self.deliverer.batch and not self._overflow.waiting:
                self._rest()
            if self._is_mine() and not self._urgent:
                self._gather()
            self.sync()
            self._warn_of_losses()
            self._urgent = False
            while (
                self._is_mine()
                and self.deliverer.step(_DELIVERY_TIMEOUT, for_program=False)
                and self._goes_on()
            ):
                pass
        self.queue.wake()  # the wake-up may be for the thread that took over

    def _rest(self) -> None:
        """Wait for the next item, or until the thread is woken for another reason."""
        while (wait := self.beat()) is not None:
            self.queue.rest(wait, ANY)
            if self._urgent or self.queue.items or not self._is_mine():
                return
        self.queue.rest(None, ANY)

    def _is_mine(self) -> bool:
        """Return whether this thread is still in charge: not stopped and not replaced."""
        thread = self._thread
        return thread is not None and thread.ident == get_ident() and thread.is_alive()

    def _goes_on(self) -> bool:
        """Return whether the next batch is sent at once. Beside busy threads each batch waits some
        milliseconds for the GIL, so small batches would be too many."""
        queue = self.queue
        return (
            bool(self.deliverer.batch or self._overflow.waiting)
            or queue.bytes > self._much()
            or len(queue.items) >= self.config.batch_size
            or self.ledger.settled() < self.ledger.goal
        )

    def _much(self) -> int:
        """Return the number of bytes that are sent without waiting for more."""
        return min(self.config.most_bytes, self.queue.limit // 2)

    def _gather(self) -> None:
        if self.outage.failures:
            self.queue.rest(self.outage.wait, self.queue.limit)
        else:
            self.queue.rest(self.config.flush_interval, self._much())

    # for the queue and the journal

    def _lose(self, item: Pending) -> None:
        self.encoder.release(item)
        self._warn_of_losses()

    def _warn_of_losses(self) -> None:
        self.ledger.warn_of_losses()

    def _wait_for_room(self) -> None:
        """Block the caller, with `overflow="block"`, until the queue is within its bound again."""
        if self.config.overflow != "block" or self._is_mine() or self.deliverer.is_here():
            return
        queue = self.queue
        with queue.lock:
            while (
                queue.bytes > queue.limit and self._exit_left is None and self._thread is not None
            ):
                self.ledger.changed.wait(1.0)

    def relieve(self) -> bool:
        """Make room in a full journal: move its oldest waiting records to the disk queue."""
        with self.queue.alone(LOCK_TIMEOUT) as mine:
            return mine and bool(self.queue.items) and self._overflow.shed()

    # called from other modules

    def serve(self, config: Config, make_sink: MakeSink) -> None:
        """Continue under another configuration, with the same pending items and the same books."""
        self.config = self.encoder.config = config
        self.queue.resize(config.queue_bytes)
        with self.queue.lock:
            self._overflow.configure(config)
        self.deliverer.serve(config, make_sink)

    def flush(self, timeout: float, *, patient: bool = True) -> FlushResult:
        """Deliver everything accepted so far, for at most `timeout` seconds.

        Without patience, a failed delivery is not waited for, and losses are not reported.
        """
        deadline = time.monotonic() + min(timeout, threading.TIMEOUT_MAX)
        goal = self.ledger.aim()
        done = self.ledger.settled() >= goal
        if not done and self._exit_left is None:
            self._attend()
        if self._thread is None:
            self._flush_here(deadline)
        elif not done and not self._is_mine():
            self._urgent = True
            self.queue.wake()
            self.ledger.wait(goal, deadline, lambda: bool(self.outage.failures) and not patient)
        return self.ledger.result(goal, tell=patient)

    def _flush_here(self, deadline: float) -> None:
        while (left := deadline - time.monotonic()) > 0:
            if not self.deliverer.step(left):
                break

    def _flush_at_exit(self, left: float) -> None:
        """Deliver what a later exit hook recorded. All hooks together have the seconds that the
        first delivery has left: a server that hangs would otherwise cost as much for each call."""
        begun = time.monotonic()
        try:
            self._flush_here(begun + left)
        finally:
            self._exit_left = max(0.0, left - (time.monotonic() - begun))

    def stats(self) -> Stats:
        """Return the books, after the queue is trimmed to its bound."""
        with self.queue.lock:
            self.queue.trim()
            return self.ledger.stats()

    def pending(self, session_id: str | None = None) -> list[Item]:
        """Return copies of undelivered items, oldest first. Of items that are only on disk, these
        are the items in the tree of this session."""
        with self.queue.lock:
            waiting = [self.encoder.record(item) for item in self.queue.items.copy()]
            batch, places = list(self.deliverer.batch), self._overflow.places()
        on_disk = () if session_id is None else tree_of(session_id, places)
        return [*batch, *on_disk, *(item for item in waiting if item is not None)]

    def stop(self, timeout: float) -> FlushResult:
        """Flush, end the thread and close the sink; the next item starts both again."""
        result = self.flush(timeout)
        is_mine = self._is_mine()
        thread, self._thread = self._thread, None
        self.queue.expect(ANY)
        self._urgent = True
        self.queue.wake()
        if thread is not None and not is_mine and thread.is_alive():
            thread.join(timeout=0.5 if result else 0.0)
        self.deliverer.close_sink()
        return result

    def pause(self) -> None:
        """End an idle thread before a fork; the next item starts it again.

        Python 3.12 and later warn about forks in programs with threads.
        """
        thread = self._thread
        if thread is None or not thread.is_alive() or self._is_mine() or self.deliverer.waiting():
            return
        self._thread = None
        self.queue.expect(ANY)
        self.queue.wake()
        thread.join(_PAUSE)
        if sys.version_info < (3, 13):  # there, `join` returns a moment before the system's thread
            end = time.monotonic() + _PAUSE
            while os.path.exists(f"/proc/self/task/{thread.native_id}") and time.monotonic() < end:
                sleep(0)
        if self.deliverer.waiting():  # an item came meanwhile
            self._attend()

    def finish(self, timeout: float) -> None:
        """Stop at the end of the process; the next process delivers the remaining items."""
        self._exit_left, self.deliverer.quiet = timeout, True
        begun = time.monotonic()
        result = self.stop(timeout)
        self._exit_left = max(0.0, timeout - (time.monotonic() - begun))
        self.ledger.warn_of_losses(now=True)
        if result.pending:
            _report(result.pending, self.outage, self.config.exit_timeout, self._keep())

    def _keep(self) -> str:
        """Write items that are only in memory to disk; return the fate of all of them as text."""
        with self.queue.lock:
            queued = [item for item in self.queue.items if getattr(item, "_slot", None) is None]
            records = [
                record for item in queued if (record := self.encoder.record(item)) is not None
            ]
            held = self.encoder.slots.keys() | self._overflow.out
            loose = [item for item in (*self.deliverer.batch, *records) if id(item) not in held]
            return self._overflow.keep(loose)

    def keep_in(self, directory: str) -> None:
        """Use this directory, beside the journal, for records that memory has no room for."""
        with self.queue.lock:
            self._overflow.keep_in(directory)

    def forget(self) -> None:
        """Let go of the files on disk, in a forked child: they belong to the parent."""
        self._overflow.forget()


def _report(pending: int, outage: Outage, exit_timeout: float, kept: str) -> None:
    """Log the number of records that were not delivered, the reason, and their fate."""
    why = f": {outage.why}" if outage.failures else f" within exit_timeout={exit_timeout}"
    if outage.failures and outage.why == outage.told:
        why = ""  # the log has it
    text = "honeytrace: %d records were not delivered before the program ended%s; %s"
    logger.warning(text, pending, why, kept)
