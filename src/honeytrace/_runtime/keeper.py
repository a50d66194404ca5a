"""Owns this process's journal and starts the recovery of journals that dead processes left.

The journal is opened with the first session, and a thread then delivers what the dead have left.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from .._base.lazy import logger
from .._capture.context import PAUSED, OwnThread, current
from .._capture.hooks import discard, hooks
from .._capture.session import Session
from .._config import NO_JOURNAL, Config
from .._delivery.flusher import Flusher
from .._delivery.native_threads import Event, NativeThread, new_thread
from .._durability.journal import Journal, Slot, open_journal
from ..sinks import Sink

if TYPE_CHECKING:
    from .._durability.recovery import Recovered
    from .._durability.redelivery import Redelivery


_FIRST_TRY, _LONGEST_TRY = 1.0, 60.0
"""Seconds between attempts to deliver what dead processes left."""
_LOOK = 1.0
"""Seconds between two looks at whether the journal's file is still there."""


class Keeper:
    """Keeps what is recorded under one configuration. `lock` is held while that changes.

    `make_sink` gives another way to where `flusher` delivers; `before` was this one's predecessor.
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
        """Another configuration is in force, or the process ends."""

    @property
    def unprotected(self) -> int:
        """Records that found no room in this journal and those before it."""
        return self._unprotected + (0 if self.journal is None else self.journal.unprotected)

    def wire(self) -> None:
        """Have the journal hear of what begins; the next session opens it."""
        if self._config.journal == NO_JOURNAL:
            hooks.opened = discard
        else:
            hooks.opened = self._first_opened if self.journal is None else self.journal.opened

    def _first_opened(self, s: Session) -> Slot | None:
        """`hooks.opened` until there is a journal: open it, or do without."""
        journal = self.ensure(s)
        if s._parent is None:  # nobody knows it yet: the opening is not part of its duration
            s._start = hooks.clock_ns()
        return None if journal is None else journal.opened(s)

    def ensure(self, s: Session | None = None) -> Journal | None:
        """The journal; None where there is none, or it is just being opened, for `s` to follow."""
        # without the queue's lock nothing recorded meanwhile is taken from there
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
        """Keep the journal of the configuration before this one, where it is the same.

        Programs that configure again and again while nobody takes their records would otherwise
        hold a journal, a mapping and two descriptors for each time.
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
        if older._recovering is not None and older._recovering.is_alive():
            self._start_recovery()

    def _look_after(self) -> None:
        """Called by the flush thread, between batches."""
        journal = self.journal
        if journal is None:
            return
        if self._config.journal_sync:
            journal.sync()
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK
            if journal.is_gone():
                self._replace(journal)

    def _replace(self, journal: Journal) -> None:
        """The file of this journal was deleted or moved: have the next session open another."""
        if not self._lock.acquire(blocking=False):  # its owner may wait for this thread: later
            return
        try:
            if self.journal is not journal:
                return
            count = journal.in_use()
            self.journal = None
            self._unprotected += journal.unprotected + count
            if hooks.opened == journal.opened:
                self.wire()
            journal.retire()
        finally:
            self._lock.release()
        logger.warning(
            "honeytrace: the journal %s is gone, and a new one is made; %d records would not have "
            "survived a kill meanwhile: keep this directory while the program runs",
            journal.path,
            count,
        )

    def _follow(self) -> None:
        """Have those in the journal, too, that were recorded meanwhile."""
        while self._meanwhile:
            s = self._meanwhile.pop()
            if self.journal is not None and not s._sealed:  # else the handler itself has flushed
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
            hooks.opened = self.journal.opened
        if not self._ended.is_set() and self._recovering is None:
            self._start_recovery()

    def end(self) -> None:
        """Begin no further attempt at recovery."""
        self._ended.set()

    def join(self, timeout: float) -> None:
        """Give a recovery under way so many seconds."""
        if self._recovering is not None:
            self._recovering.join(max(0.0, timeout))

    def retire(self) -> None:
        """Remove the journal as soon as nothing in it is needed; what still comes has another."""
        journal = self.journal
        if journal is not None:
            self._unprotected += journal.unprotected
            self.journal = None
            journal.retire()

    # the dead

    def _start_recovery(self) -> None:
        thread = new_thread(self._keep_recovering, "honeytrace-recovery")
        with suppress(RuntimeError):  # no thread to be had: the next process recovers
            thread.start()
            self._recovering = thread

    def _keep_recovering(self) -> None:
        """The thread that delivers what processes that died have left, once that is possible."""
        import logging

        with self._flusher.importing:
            from .._durability.recovery import Recovered

        current.set(PAUSED)
        wait, level = _FIRST_TRY, logging.WARNING
        while True:
            found = Recovered()
            try:
                self.recover(found)
            except Exception as error:  # noqa: BLE001 - a sink may raise anything
                text = "honeytrace cannot deliver what dead processes left, and keeps trying: %s"
                logger.log(level, text, error)
                asked = getattr(error, "retry_after", None)
            else:
                return
            if found.records:
                wait = _FIRST_TRY
            if self._ended.wait(asked or wait):
                return
            wait, level = min(wait * 2, _LONGEST_TRY), logging.DEBUG

    def recover(self, found: Recovered | None = None) -> Recovered:
        """Deliver what processes that died have left; the counts go on in `found`.

        Raises what the destination does, AwayError where it takes no more just now.
        """
        with self._flusher.importing:
            from .._durability.recovery import recover_all

        with self._redelivery() as redelivery:
            return recover_all(self._config.journal, redelivery.deliver, found)

    @contextmanager
    def _redelivery(self) -> Iterator[Redelivery]:
        with self._flusher.importing:
            from .._durability.redelivery import Redelivery

        # a sink of the program's own is never called twice at once, nor closed
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
