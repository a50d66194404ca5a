"""One log line for each outage of the store, however many requests fail in it, and one at its
end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..errors import StoreError

__all__ = ["Outage"]

_QUIET = 60.0
"""Seconds between two lines about outages of the same kind, so that a store that comes and goes
does not fill the log."""


class Outage:
    """Logs the first failure of an outage, and the first success after it.

    Failures of another kind, such as a full disk, are another outage. The texts of one kind vary
    with the moment: a connection is refused, then reset, then there is no attempt at all.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._kind: type[StoreError] | None = None
        """The kind of the current outage; None while the store answers."""
        self._lines: dict[type[StoreError], float] = {}
        """The time of the latest line for each kind."""
        self._failed = 0
        self._asking = threading.Lock()

    def tell(self, error: StoreError) -> None:
        """Log the failure, unless it belongs to an outage that was logged."""
        kind, now = type(error), time.monotonic()
        with self._lock:
            self._failed += 1
            if kind is self._kind or now - self._lines.get(kind, -_QUIET) < _QUIET:
                return
            self._kind, self._lines[kind] = kind, now
        self._log.error("the store cannot be used, so requests are answered 503: %s", error)

    def over(self, answers: Callable[[], object]) -> None:
        """Log that the store answers again, if the outage was logged and `answers` does not raise.

        A request that succeeded may not have needed the store: the questions of a balancer, the
        metrics of an exporter. One thread at a time calls `answers`, which may wait for the store.
        """
        if self._kind is None or not self._asking.acquire(blocking=False):
            return
        threading.Thread(
            target=self._ask, args=(answers,), name="honeytrace-outage", daemon=True
        ).start()

    def _ask(self, answers: Callable[[], object]) -> None:
        try:
            answers()
        except StoreError:
            return
        finally:
            self._asking.release()
        with self._lock:
            if self._kind is None:
                return
            failed, self._failed, self._kind = self._failed, 0, None
        self._log.warning("the store answers again; requests that were answered 503: %d", failed)
