"""One trace across processes: headers, middleware, queues, pools.

Nothing here patches anything by itself; `celery()` and `process_pools()` do when they are called.

_traceparent.py  W3C traceparent and tracestate
_context.py      inject, continue_from
_middleware.py   ASGIMiddleware, WSGIMiddleware
_clients.py      hooks for httpx, requests and aiohttp
_celery.py       celery
_processes.py    environ, carried, process_pools
"""

from __future__ import annotations

from ._celery import celery
from ._clients import aiohttp_trace_config, httpx_hooks, requests_adapter
from ._context import continue_from, inject
from ._middleware import ASGIMiddleware, WSGIMiddleware
from ._processes import carried, environ, process_pools

__all__ = [
    "ASGIMiddleware",
    "WSGIMiddleware",
    "aiohttp_trace_config",
    "carried",
    "celery",
    "continue_from",
    "environ",
    "httpx_hooks",
    "inject",
    "process_pools",
    "requests_adapter",
]

for _public in (continue_from, inject):
    _public.__module__ = "honeytrace"
