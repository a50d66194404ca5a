"""The application: its routes, and what becomes of an error."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Literal

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import StoreError
from ..store import Store
from ..store.errors import RecordRefusedError, StoreBusyError
from . import _search, events, otlp, sessions, viewer
from ._call import Call
from ._guard import BATCH_ROUTE, LOOPBACK, Guard
from ._http import JSON, Limits, RefusedError, bad_request, busy, read_body
from ._keys import Keys
from ._openapi import document
from ._otlp.counts import Counts
from ._otlp.traces import Traces

__all__ = ["Spans", "create_app"]

Spans = Literal["all", "llm"]

Handler = Callable[[Call], bytes]

log = logging.getLogger("honeytrace.server")

# `:path`, because ids may hold a slash; hence the order: the longer routes come first
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
    """The server over `store`, which stays the caller's to close.

    keys: bearer keys, any of which opens it; none asks for none.
    hosts: the names it may be addressed by; None allows any, which is safe with keys alone.
    root_path: the path under which a proxy serves it; an application that mounts it need not say.
    journal: the directory of the journals of processes on this machine, whose running calls are
    shown beside what is stored; empty for none.
    spans: `"llm"` leaves out OpenTelemetry spans that are only HTTP, database or similar traffic;
    what ran inside them moves up to the next span that is kept.
    """
    limits = limits or Limits()
    ring = Keys(keys)
    prefix = "/" + root_path.strip("/") if root_path.strip("/") else ""
    counts = Counts()
    traces = Traces(store, counts, traffic=spans == "all")
    running = viewer.Running(journal)
    live = viewer.Live(store, limits.streams, running)
    site = viewer.Site(store, ring, limits, running)
    app = Starlette(
        routes=[
            *viewer.routes(site, live),
            *(
                Route(
                    path, _endpoint(handlers, store, limits, traces, counts), methods=list(handlers)
                )
                for path, handlers in _by_path().items()
            ),
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
    # streams of the viewer would hold up a graceful shutdown: whoever serves the app ends them
    app.state.live = live
    # a thread: whoever serves the app starts and stops it
    app.state.ahead = viewer.Ahead(site)
    return app


def _by_path() -> dict[str, dict[str, Handler]]:
    """One route for each path, so that a 405 names every method the path has."""
    paths: dict[str, dict[str, Handler]] = {}
    for method, path, handler in ROUTES:
        paths.setdefault(path, {})[method] = handler
    return paths


def _endpoint(
    handlers: Mapping[str, Handler], store: Store, limits: Limits, traces: Traces, counts: Counts
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        handler = handlers["GET" if request.method == "HEAD" else request.method]
        headers = request.headers
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        call = Call(
            store,
            request.path_params,
            request.query_params,
            media_type,
            headers.get("content-encoding", "").strip().lower(),
            await read_body(request, limits),
            limits,
            traces,
            counts,
        )
        content = await run_in_threadpool(handler, call)
        protobuf = media_type == otlp.PROTOBUF and handler in otlp.RECEIVERS.values()
        return Response(content, media_type=otlp.PROTOBUF if protobuf else JSON)

    return endpoint


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
    log.error("%s %s: %s", request.method, request.url.path, error)
    # without the path of the store, which is no caller's business
    message = "the store cannot be used; the server's log says why"
    return RefusedError(503, "store_unavailable", message).response()


def _failed(request: Request, error: Exception) -> Response:
    return RefusedError(500, "internal_error", "the server failed; its log says why").response()
