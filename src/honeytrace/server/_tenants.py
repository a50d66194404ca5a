"""The tenants of the server, each with its pages and a store that sees only that tenant."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from ..store import Store
from ._guard import TENANT
from ._otlp.counts import Counts
from ._otlp.traces import Traces
from .viewer import View

__all__ = ["Tenant", "Tenants"]


@dataclass(frozen=True)
class Tenant:
    """The store of one tenant, and the in-memory state beside it."""

    store: Store
    traces: Traces
    counts: Counts
    view: View


class Tenants:
    """The tenants that have been requested; `make` creates the tenant of a name."""

    def __init__(self, make: Callable[[str], Tenant]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._known: dict[str, Tenant] = {}
        self._stopped = False

    def get(self, name: str) -> Tenant:
        """Return the tenant of this name; `""` is the default tenant."""
        with self._lock:
            if name not in self._known:
                self._known[name] = self._make(name)
                if self._stopped:
                    self._known[name].view.live.stop()
            return self._known[name]

    def of(self, request: Request) -> Tenant:
        """Return the tenant whose key the request carries."""
        return self.get(request.scope.get(TENANT, ""))

    def stop(self) -> None:
        """End the live streams of every tenant."""
        with self._lock:
            self._stopped = True
            for each in self._known.values():
                each.view.live.stop()
