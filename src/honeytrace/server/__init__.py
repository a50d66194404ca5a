"""The HoneyHive-compatible server over a store: the extra `honeytrace[server]`.

app         create_app: the routes, and what becomes of an error
run         serve: binds, refuses what would be unsafe, shuts down gracefully
_guard      who may speak to it: Host, Origin, bearer keys
_http       a request's body, bounded; replies and refusals
_wire       JSON objects of the API to records and back
sessions    starting and reading sessions, and the batch route of honeytrace's own sink
events      creating, updating and reading events
_search     the export and search routes
otlp        OTLP traces; _spans makes events of the spans
_openapi    the server's own description, served at /openapi.json
"""

from __future__ import annotations

try:
    import starlette as _starlette  # noqa: F401 - only to say at once what is missing
    import uvicorn as _uvicorn  # noqa: F401
except ImportError as _missing:
    raise ImportError(
        f'the server needs {_missing.name}: pip install "honeytrace[server]"', name=_missing.name
    ) from _missing

from ._http import Limits
from .app import create_app
from .run import serve

__all__ = ["Limits", "create_app", "serve"]
