"""Ownership of this process's journal, and recovery of journals that dead processes left.

The journal is opened with the first session. A thread then delivers records of dead processes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from .._base.lazy import logger
from .._base.native_locks import Event
from .._capture.context import PAUSED, OwnThread, current
from .._capture.hooks import discard, hooks
from .._capture.session import Session
from .._config import NO_JOURNAL, Config
from .._delivery.flusher import Flusher
from .._delivery.native_threads import NativeThread, new_thread
from .._durability.journal import Journal, Slot, open_journal
from ..sinks import Sink

if TYPE_CHECKING:
    from .._durability.recovery import Recovered
    from .._durability.redelivery import Redelivery


_FIRST_TRY, _LONGEST_TRY = 1.0, 60.0
"""Seconds between attempts to deliver records of dead processes."""
_LOOK = 1.0
"""Seconds between two checks that the journal's file still exists."""


class Keeper:
    """Keeper of the journal under one configuration. `lock` is held while that changes.

    `make_sink` makes another sink for the destination of `flusher`; `before` is the last keeper.
    """

    def __init__(
        self,
        config: Config,
        flusher: Flusher,
        make_sink: Callable[[], Sink],
        lock: Any,
        before: Keeper | None,
    ) -> None:
        self.journal: Journal | None = None
        self._config, self._flusher = config, flusher
        self._make_sink = make_sink
        self._lock = lock
        self._unprotected = 0 if before is None else before.unprotected
        self._opening = False
        self._meanwhile: list[Session] = []
        """Sessions that a signal or log handler recorded while the journal was being opened."""
        self._look_at = 0.0
        self._recovering: OwnThread | NativeThread | None = None
        self._ended = Event()
        """True when another configuration is in force or the process ends."""

    @property
    def unprotected(self) -> int:
        """Number of records that found no room in this journal and those before it."""
        return self._unprotected + (0 if self.journal is None else self.journal.unprotected)

    def wire(self) -> None:
        """Set the hook that journals sessions; the next session opens the journal."""
        if self._config.journal == NO_JOURNAL:
            hooks.opened = discard
        else:
            hooks.opened = self._first_opened if self.journal is None else self.journal.opened

    def _first_opened(self, s: Session) -> Slot | None:
        """Open the journal or decide to run without; this is `hooks.opened` until then."""
        journal = self.ensure(s)
        if s._parent is None and type(s) is Session:  # its duration must not include the opening
            s._start = hooks.clock_ns()
        return None if journal is None else journal.opened(s)

    def ensure(self, s: Session | None = None) -> Journal | None:
        """Return the journal; None without one, or while it is being opened: `s` follows then."""
        # while the queue's lock is held, nothing that is recorded leaves the queue
        with self._lock, self._flusher.queue.lock:
            if self._opening:
                if s is not None:
                    self._meanwhile.append(s)
                return None
            if hooks.opened == self._first_opened:
                self._opening = True
                try:
                    self._open()
                finally:
                    self._opening = False
                    self._follow()
        return self.journal

    def take_over(self, older: Keeper) -> None:
        """Keep the journal of the previous configuration if directory and size are the same.

        A program that configures again and again while its destination is away would otherwise
        hold a journal, a mapping and two descriptors for each configuration.
        """
        ours, theirs = self._config, older._config
        journal = older.journal
        same = (ours.journal, ours.journal_bytes) == (theirs.journal, theirs.journal_bytes)
        if journal is None or not same or ours.store == ":memory:" or theirs.store == ":memory:":
            return
        self.journal, older.journal = journal, None
        journal.record_as(ours.project, ours.source)
        self._unprotected = older._unprotected
        self._flusher.sync = self._look_after
        self._flusher.beat = self._beat
        if older._recovering is not None and older._recovering.is_alive():
            self._start_recovery()

    def _beat(self) -> float | None:
        """Note in the journal that the process lives; None if no call is open."""
        journal = self.journal
        return None if journal is None else journal.beat()

    def _look_after(self) -> None:
        """Write the journal to the disk and check its file; called between batches."""
        journal = self.journal
        if journal is None:
            return
        journal.beat()
        if self._config.journal_sync:
            journal.sync()
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK
            if journal.is_gone():
                self._replace(journal)

    def _replace(self, journal: Journal) -> None:
        """Replace a journal that `is_gone`; the next session opens another."""
        if not self._lock.acquire(blocking=False):  # its owner may wait for this thread
            return
        try:
            if self.journal is not journal:
                return
            self.journal = None
            if hooks.opened == journal.opened:
                self.wire()
            # counted only now: a call that began after the count would be in neither journal
            count = journal.in_use()
            self._unprotected += journal.unprotected + count
            journal.retire()
        finally:
            self._lock.release()
        logger.warning(
            "honeytrace: the journal %s was deleted, moved or truncated, and a new one is made; %d "
            "records would not have survived a kill meanwhile: leave its directory alone while the "
            "program runs",
            journal.path,
            count,
        )

    def _follow(self) -> None:
        """Journal the sessions that were recorded while the journal was being opened."""
        while self._meanwhile:
            s = self._meanwhile.pop()
            if (
                self.journal is not None and not s._sealed
            ):  # otherwise the handler itself has flushed
                s._slot = self.journal.opened(s)
                if s._end and s._slot is not None:
                    self.journal.closed(s, s._slot)

    def _open(self) -> None:
        config = self._config
        self.journal, warning = open_journal(
            config.journal, config.journal_bytes, config.project, config.source
        )
        if warning:
            logger.warning("honeytrace: %s", warning)
        hooks.opened = discard
        if self.journal is not None:
            self.journal.relieve = self._flusher.relieve
            self._flusher.keep_in(os.path.dirname(self.journal.path))
            self._flusher.sync = self._look_after
            self._flusher.beat = self._beat
            hooks.opened = self.journal.opened
        if not self._ended.is_set() and self._recovering is None:
            self._start_recovery()

    def end(self) -> None:
        """Stop further attempts at recovery."""
        self._ended.set()

    def join(self, timeout: float) -> None:
        """Wait for a running recovery for at most `timeout` seconds."""
        if self._recovering is not None:
            self._recovering.join(max(0.0, timeout))

    def retire(self) -> None:
        """Remove the journal as soon as nothing in it is needed; later sessions have another."""
        journal = self.journal
        if journal is not None:
            self._unprotected += journal.unprotected
            self.journal = None
            journal.retire()

    # recovery of dead processes

    def _start_recovery(self) -> None:
        thread = new_thread(self._keep_recovering, "honeytrace-recovery")
        with suppress(RuntimeError):  # no thread can start: the next process recovers
            thread.start()
            self._recovering = thread

    def _keep_recovering(self) -> None:
        """Deliver records of dead processes as soon as that is possible; runs in a thread."""
        import logging

        current.set(PAUSED)
        wait, level = _FIRST_TRY, logging.WARNING
        while True:
            found: Recovered | None = None
            try:
                with self._flusher.importing:  # it may fail for lack of descriptors
                    from .._durability.recovery import Recovered
                found = Recovered()
                self.recover(found)
            except Exception as error:  # noqa: BLE001 - a sink may raise anything
                text = "honeytrace cannot deliver what dead processes left, and keeps trying: %s"
                logger.log(level, text, error)
                asked = getattr(error, "retry_after", None)
            else:
                return
            if found is not None and found.records:
                wait = _FIRST_TRY
            if self._ended.wait(asked or wait):
                return
            wait, level = min(wait * 2, _LONGEST_TRY), logging.DEBUG

    def recover(self, found: Recovered | None = None) -> Recovered:
        """Deliver the records of dead processes and add the counts to `found`.

        Raises the errors of the destination, and AwayError if it takes no more for now.
        """
        with self._flusher.importing:
            from .._durability.recovery import recover_all

        with self._redelivery() as redelivery:
            return recover_all(self._config.journal, redelivery.deliver, found)

    @contextmanager
    def _redelivery(self) -> Iterator[Redelivery]:
        with self._flusher.importing:
            from .._durability.redelivery import Redelivery

        # a sink of the program is never called twice at once and never closed here
        own = self._config.sink is not None
        redelivery = Redelivery(self._another_sink, self._flusher.turn if own else nullcontext)
        try:
            yield redelivery
        finally:
            if not own:
                redelivery.close()

    def _another_sink(self) -> Sink:
        with self._flusher.importing:
            return self._make_sink()
