"""What readers would wait for, done before they ask: the store's indexes, the choices, templates.

A thread does so when the server starts and while its pages are looked at, and at no other time: a
server that only takes sessions in indexes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from ...errors import StoreError
from ._page import Site, warm

__all__ = ["Ahead"]

log = logging.getLogger("honeytrace.server")

_REST = 5.0
"""Seconds from one time to the next at least."""


class Ahead:
    """The thread, from `start` to `stop`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stopped = threading.Event()

    def start(self) -> None:
        """Do at once what the first page needs, and the rest in the thread."""
        warm()
        self._try(self._site.refresh)
        # a daemon: it may be at work on the store when the process ends, as others may
        threading.Thread(target=self._run, name="honeytrace-ahead", daemon=True).start()

        threading.Thread(target=_import_prices, name="honeytrace-prices", daemon=True).start()

    def stop(self) -> None:
        """Let it end; what it is at ends when the store is closed."""
        self._stopped.set()
        self._site.asked.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._try(self._site.store.index)
            self._stopped.wait(_REST)
            self._site.asked.wait()
            self._site.asked.clear()
            self._try(self._site.refresh)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StoreError as error:
            if not self._stopped.is_set():
                log.warning("the viewer's indexes are behind: %s", error)


def _import_prices() -> None:
    """Import what knows the prices of models: it takes a second or two, for which the first page
    with a cost would wait."""
    with suppress(ImportError):
        import genai_prices  # noqa: F401
