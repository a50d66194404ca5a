"""Endpoints of handlers, the threads they run in, and the limit on waiting batches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from ..errors import StoreError
from ..store import Store
from . import events, otlp, sessions
from ._call import Call
from ._http import JSON, Limits, RefusedError, read_body
from ._intake import Intake
from ._outage import Outage
from ._tenants import Tenants

__all__ = ["Endpoints", "Handler"]

Handler = Callable[[Call], bytes]
Endpoint = Callable[[Request], Awaitable[Response]]

_BATCHES: frozenset[Handler] = frozenset(
    (
        sessions.start_batch,
        events.create_batch,
        events.create_model_batch,
        events.create_in_session,
        events.create_traces,
        *otlp.RECEIVERS.values(),
    )
)
"""Handlers of requests with many items."""

_THREADS = 8
"""Number of threads for single requests. More threads would not be faster, and each takes
memory."""

_HERE, _ELSEWHERE = 1, 4
"""Number of threads for batches. A store in this process has one writer, and parsing holds the
interpreter's lock: a second thread made single requests wait twice as long and stored no more. A
database server works while this process waits, so more threads help there."""

_READY_SECONDS = 5.0


class Endpoints:
    """Makes endpoints of handlers."""

    def __init__(self, store: Store, tenants: Tenants, limits: Limits, outage: Outage) -> None:
        self._store = store
        self._tenants = tenants
        self._limits = limits
        self._outage = outage
        threads = _ELSEWHERE if "://" in store.where else _HERE
        self._intake = Intake(limits.waiting_bytes, threads)
        self._threads: anyio.CapacityLimiter | None = None

    def of(self, handlers: Mapping[str, Handler]) -> Endpoint:
        """Return the endpoint of a path with a handler for each method."""

        async def endpoint(request: Request) -> Response:
            handler = handlers["GET" if request.method == "HEAD" else request.method]
            if handler in _BATCHES:
                with self._intake.room() as arrived:
                    body = await read_body(request, self._limits, arrived)
                    call = self._call(request, body)
                    content = await self._intake.run(partial(handler, call))
            else:
                call = self._call(request, await read_body(request, self._limits))
                content = await self._run(partial(handler, call))
            self._outage.over(self._store.ready)
            protobuf = call.content_type == otlp.PROTOBUF and handler in otlp.RECEIVERS.values()
            return Response(content, media_type=otlp.PROTOBUF if protobuf else JSON)

        return endpoint

    async def ready(self, request: Request) -> Response:
        """`GET /ready`: 200 while the store answers."""
        try:
            with anyio.fail_after(_READY_SECONDS):
                await to_thread.run_sync(self._store.ready, abandon_on_cancel=True)
        except (StoreError, TimeoutError):
            message = "the store does not answer"
            raise RefusedError(503, "not_ready", message, **{"retry-after": "5"}) from None
        return Response(b'{"status":"ready"}', media_type=JSON)

    def _call(self, request: Request, body: bytes) -> Call:
        headers = request.headers
        tenant = self._tenants.of(request)
        return Call(
            tenant.store,
            request.path_params,
            request.query_params,
            headers.get("content-type", "").partition(";")[0].strip().lower(),
            headers.get("content-encoding", "").strip().lower(),
            body,
            self._limits,
            tenant.traces,
            tenant.counts,
        )

    async def _run(self, work: Callable[[], bytes]) -> bytes:
        if self._threads is None:  # A limiter belongs to a running event loop.
            self._threads = anyio.CapacityLimiter(_THREADS)
        return await to_thread.run_sync(work, limiter=self._threads)
