"""The application: its routes, and its replies to errors."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Literal

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import StoreError
from ..store import Store
from ..store.errors import RecordRefusedError, StoreBusyError
from . import _search, events, otlp, sessions
from ._endpoints import Endpoints, Handler
from ._guard import BATCH_ROUTE, LOOPBACK, Guard
from ._http import Limits, RefusedError, bad_request, busy, unavailable
from ._keys import Keys
from ._openapi import document
from ._otlp.counts import Counts
from ._otlp.traces import Traces
from ._outage import Outage
from ._tenants import Tenant, Tenants
from .viewer import Ahead, Live, Running, Site, View
from .viewer import routes as viewer_routes

__all__ = ["Spans", "create_app"]

Spans = Literal["all", "llm"]

log = logging.getLogger("honeytrace.server")

# Ids may contain a slash, hence `:path`, and the longer routes come first.
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/session/start", sessions.start),
    ("POST", BATCH_ROUTE, sessions.start_batch),
    ("POST", "/session/{session_id:path}/traces", events.create_traces),
    ("GET", "/session/{session_id:path}", sessions.get),
    ("POST", "/events", events.create),
    ("PUT", "/events", events.update),
    ("GET", "/events", _search.listing),
    ("POST", "/events/batch", events.create_batch),
    ("POST", "/events/model", events.create_model),
    ("POST", "/events/model/batch", events.create_model_batch),
    ("POST", "/events/export", _search.export),
    ("POST", "/v1/sessions", sessions.start_v1),
    ("POST", "/v1/sessions/{session_id:path}/events/batch", events.create_in_session),
    ("GET", "/v1/sessions/{session_id:path}", sessions.get_tree),
    ("POST", "/v1/events", events.create_v1),
    ("GET", "/v1/events", _search.listing),
    ("POST", "/v1/events/batch", events.create_batch),
    ("POST", "/v1/events/search", _search.export),
    ("POST", "/v1/events/export", _search.export),
    ("GET", "/v1/events/{event_id:path}", events.get),
    ("PUT", "/v1/events/{event_id:path}", events.update_v1),
    *(
        ("POST", f"{prefix}/v1/{signal}", handler)
        for prefix in ("", "/opentelemetry")
        for signal, handler in otlp.RECEIVERS.items()
    ),
    ("GET", "/openapi.json", lambda call: document()),
    ("GET", "/health", lambda call: b'{"status":"ok"}'),
    ("GET", "/stats", lambda call: orjson.dumps(call.counts.as_dict())),
)


def create_app(
    store: Store,
    *,
    keys: Sequence[str] = (),
    hosts: Collection[str] | None = LOOPBACK,
    limits: Limits | None = None,
    root_path: str = "",
    journal: str = "",
    spans: Spans = "all",
) -> Starlette:
    """Return the server over `store`, which the caller closes.

    keys: bearer keys, `key` or `key=tenant`; without keys the server is open to everybody.
    hosts: the accepted `Host` names; None accepts any, which is safe only with keys.
    root_path: the path under which a proxy serves the app; not needed for a `Mount`.
    journal: the directory of the journals of processes on this machine, whose running calls are
    shown beside the stored sessions; empty for none.
    spans: `"llm"` leaves out OpenTelemetry spans that are only HTTP, database or similar traffic;
    calls inside those spans move up to the next span that is kept.
    """
    limits = limits or Limits()
    ring = Keys(keys)
    prefix = "/" + root_path.strip("/") if root_path.strip("/") else ""

    def tenant(name: str) -> Tenant:
        own = store.for_tenant(name) if name else store
        counts = Counts()
        # The journals of this machine belong to the default tenant.
        running = Running("" if name else journal)
        site = Site(own, ring, limits, running)
        view = View(site, Live(own, limits.streams, running))
        return Tenant(own, Traces(own, counts, traffic=spans == "all"), counts, view)

    tenants = Tenants(tenant)
    outage = Outage(log)
    endpoints = Endpoints(store, tenants, limits, outage)
    app = Starlette(
        routes=[
            *viewer_routes(lambda request: tenants.of(request).view),
            *(
                Route(path, endpoints.of(handlers), methods=list(handlers))
                for path, handlers in _by_path().items()
            ),
            Route("/ready", endpoints.ready),
        ],
        middleware=[
            Middleware(Guard, keys=ring, hosts=hosts, limits=limits, root_path=prefix),
        ],
        exception_handlers={
            RefusedError: _refused,
            HTTPException: _no_route,
            StoreError: _store_failed,
            Exception: _failed,
        },
    )
    app.state.outage = outage
    # The viewer's streams would delay a graceful shutdown until they notice it, so end them now.
    app.state.live = tenants
    # The server that runs the app starts and stops this thread.
    app.state.ahead = Ahead(tenants.get("").view.site)
    return app


def _by_path() -> dict[str, dict[str, Handler]]:
    """Return the handlers of each path by method, so that a 405 names every method of the path."""
    paths: dict[str, dict[str, Handler]] = {}
    for method, path, handler in ROUTES:
        paths.setdefault(path, {})[method] = handler
    return paths


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return error.response()


def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{error.detail}: {request.method} {request.url.path} is not served here"
    code = error.detail.lower().replace(" ", "_")
    return RefusedError(error.status_code, code, message, **(error.headers or {})).response()


def _store_failed(request: Request, error: Exception) -> Response:
    if isinstance(error, RecordRefusedError):
        return bad_request(str(error)).response()
    if isinstance(error, StoreBusyError):
        return busy().response()
    assert isinstance(error, StoreError)
    request.app.state.outage.tell(error)
    return unavailable().response()


def _failed(request: Request, error: Exception) -> Response:
    return RefusedError(500, "internal_error", "the server failed: see its log").response()
