"""Checks of merged rows in ClickHouse, made when concurrent writes of other nodes are visible."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .._base.native_locks import RLock, allocate_lock
from .._record.record import Record
from .errors import StoreBusyError, StoreUnavailableError

__all__ = ["SETTLE", "Add", "Check", "Checks"]

SETTLE = 3.0
"""Seconds after which concurrent writes of other nodes are visible."""

Add = Callable[["Record | None"], "tuple[Record, int | None]"]
"""A function that merges new data into a record or creates one; also returns the position of the
latest change in its batch, or None if the session has arrived and was not changed."""

log = logging.getLogger("honeytrace")


class Check(NamedTuple):
    """One write to merged rows: each of the sessions in `adding` must name the write's `token`."""

    tenant: str
    adding: dict[str, Add]
    token: int


class Checks:
    """Checks that wait until they are due; one thread runs all that are due at once.

    `verify` runs them. The thread lives only while checks wait.
    """

    def __init__(self, verify: Callable[[Sequence[Check]], None], wait: float = SETTLE) -> None:
        self._verify = verify
        self._wait = wait
        self._lock = allocate_lock()
        self._waiting: deque[tuple[float, Check]] = deque()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self.exclusive = RLock()
        """Held while checks run. A deletion holds it, because a check would restore what it has
        read before the deletion."""

    def add(self, check: Check) -> None:
        """Run a check some seconds from now, or when the store is closed."""
        with self._lock:
            self._waiting.append((time.monotonic() + self._wait, check))
            # A forked child inherits the attribute, but not the running thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._work, name="honeytrace-verify", daemon=True
                )
                self._thread.start()

    def run(self) -> None:
        """Run all waiting checks now."""
        self._run_due(math.inf)

    def forget(self, tenant: str, existing: Callable[[Sequence[str]], set[str]]) -> None:
        """Drop the checks of deleted sessions: if one arrives again, it is a new session."""
        with self.exclusive, self._lock:
            ids = {i for _, check in self._waiting if check.tenant == tenant for i in check.adding}
            gone = ids - existing(list(ids)) if ids else ids
            for _, check in self._waiting:
                if check.tenant == tenant:
                    for event_id in gone:
                        check.adding.pop(event_id, None)

    def close(self) -> None:
        """Run the waiting checks and end the thread."""
        self._closed.set()
        self.run()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._closed.is_set():
                    self._thread = None
                    return
                due = self._waiting[0][0]
            self._closed.wait(max(0.0, due - time.monotonic()))
            self._run_due(time.monotonic())

    def _run_due(self, now: float) -> None:
        with self.exclusive:
            due: list[Check] = []
            with self._lock:
                while self._waiting and self._waiting[0][0] <= now:
                    due.append(self._waiting.popleft()[1])
            if not due:
                return
            try:
                self._verify(due)
            except (StoreUnavailableError, StoreBusyError) as error:
                if self._closed.is_set():
                    log.warning("honeytrace could not verify its last writes: %s", error)
                    return
                with self._lock:
                    again = time.monotonic() + self._wait
                    self._waiting.extend((again, check) for check in due)
            except Exception as error:  # noqa: BLE001 - this thread has to outlive one failure
                log.warning("honeytrace could not verify its writes: %s", error)
