"""One trace across processes: headers, middleware, queues, pools.

_traceparent.py  W3C traceparent and tracestate
_context.py      inject, continue_from
"""

from __future__ import annotations

from ._context import continue_from, inject

__all__ = ["continue_from", "inject"]

for _public in (continue_from, inject):
    _public.__module__ = "honeytrace"
