"""One log line for each outage of the store, however many requests fail in it."""

from __future__ import annotations

import logging
import threading
import time

from ..errors import StoreError

__all__ = ["Outage"]

_QUIET = 60.0
"""Seconds without a failure after which the next failure counts as a new outage."""


class Outage:
    """Logs the first failure of an outage, and each failure with a different text."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._said = ""
        self._last = 0.0

    def tell(self, error: StoreError) -> None:
        """Log the failure, unless the same one occurred less than a minute ago."""
        text, now = str(error), time.monotonic()
        with self._lock:
            known = text == self._said and now - self._last < _QUIET
            self._said, self._last = text, now
        if not known:
            self._log.error("the store cannot be used, so requests are answered 503: %s", text)
