"""The HoneyHive-compatible server over a store: the extra `honeytrace[server]`.

app         create_app: the routes, and the replies to errors
run         serve: bind, refuse unsafe settings, recover, shut down gracefully
_uvicorn    uvicorn with time limits
_guard      host, origin and key of a request; _keys, _attempts, _root_path
_tenants    each tenant's store and pages
_endpoints  threads of the handlers; _intake limits the batches that wait, _outage logs once
_http       limits, refusals, bodies; _call is a request as its handler sees it
_wire       JSON objects of the API to records and back; _homes finds the sessions of events
sessions    starting and reading sessions, and the batch route of honeytrace's own sink
events      creating, updating and reading events
_search     the export and search routes
otlp        OTLP over HTTP; _otlp/ makes records of spans
_openapi    the server's description, served at /openapi.json; _schemas
viewer/     the pages for browsers
"""

from __future__ import annotations

try:
    # These imports report a missing extra at once.
    import starlette as _starlette  # noqa: F401
    import uvicorn as _uvicorn  # noqa: F401
except ImportError as _missing:
    raise ImportError(
        f'the server needs {_missing.name}: pip install "honeytrace[server]"', name=_missing.name
    ) from _missing

from ._http import Limits
from .app import create_app
from .run import serve

__all__ = ["Limits", "create_app", "serve"]
