"""One log line for each outage of the store, however many requests fail in it."""

from __future__ import annotations

import logging
import threading
import time

from ..errors import StoreError

__all__ = ["Outage"]

_QUIET = 60.0
"""Seconds without a failure after which the next one is another outage."""


class Outage:
    """Tells `log` of the first failure, and of one with another text."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._said = ""
        self._last = 0.0

    def tell(self, error: StoreError) -> None:
        """Log the failure unless the last one, less than a minute ago, was the same."""
        text, now = str(error), time.monotonic()
        with self._lock:
            known = text == self._said and now - self._last < _QUIET
            self._said, self._last = text, now
        if not known:
            self._log.error("the store cannot be used, so requests are answered 503: %s", text)
