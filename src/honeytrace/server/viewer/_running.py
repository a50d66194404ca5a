"""Calls under way, as the pages and the live streams see them.

Reading the journals takes a few milliseconds, so all requests within a quarter of a second share
one reading.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from ..._record.record import Record
from ...lookup.processes import RunningProcess, processes
from ...lookup.running import under_way
from ...store import Reader
from ...store.overlay import Overlay

__all__ = ["Running"]

_FRESH = 0.25
"""Seconds for which one reading is shared."""


class Running:
    """The calls under way in the processes with a journal in `journal`; an empty path means
    none."""

    def __init__(self, journal: str) -> None:
        self.journal = journal
        self._lock = threading.Lock()
        self._read = 0.0
        self._found: Sequence[Record] = ()

    def now(self) -> Sequence[Record]:
        """Return the running calls, and ended calls that are not stored yet, in order of start."""
        if not self.journal:
            return ()
        with self._lock:
            if time.monotonic() - self._read > _FRESH:
                self._found = under_way(self.journal)
                self._read = time.monotonic()
            return self._found

    def processes(self) -> Sequence[RunningProcess]:
        """Return the living processes with their open calls, in order of pid."""
        return processes(self.journal) if self.journal else ()

    def over(self, store: Reader) -> Reader:
        """Return the store, overlaid with the calls under way."""
        found = self.now()
        return Overlay(store, found) if found else store
