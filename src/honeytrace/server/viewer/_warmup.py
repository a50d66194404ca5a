"""Preparation of the store's indexes, the choices and the templates before readers need them.

A thread prepares them when the server starts and while its pages are in use. A server that only
receives sessions indexes nothing.
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
"""Least number of seconds between two preparations."""


class Ahead:
    """The preparing thread, from `start` to `stop`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stopped = threading.Event()

    def start(self) -> None:
        """Prepare the first page at once, and the rest in the thread."""
        warm()
        self._try(self._site.refresh)
        # The thread is a daemon, because it may be using the store when the process ends.
        threading.Thread(target=self._run, name="honeytrace-ahead", daemon=True).start()

        threading.Thread(target=_import_prices, name="honeytrace-prices", daemon=True).start()

    def stop(self) -> None:
        """Ask the thread to end; closing the store ends its current work."""
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
                log.warning("the viewer's indexes are not up to date: %s", error)


def _import_prices() -> None:
    """Import the prices of models. The import takes a second or two, which the first page with a
    cost would wait for."""
    with suppress(ImportError):
        import genai_prices  # noqa: F401
