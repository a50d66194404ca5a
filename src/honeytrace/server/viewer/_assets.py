"""The viewer's own scripts and styles, at addresses that change with their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from .._http import RefusedError
from .._root_path import link

__all__ = ["asset", "serve_asset"]

# The types are fixed here, because Windows' registry may call a script plain text, and then no
# browser runs it.
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

_FILES = {
    path.name: path.read_bytes()
    for path in sorted((Path(__file__).parent / "static").iterdir())
    if path.suffix in _TYPES
}

_VERSION = hashlib.sha256(b"".join(_FILES.values())).hexdigest()[:12]


def asset(name: str) -> str:
    """Return the address of a file in `static/`. All share one folder, since scripts import each
    other."""
    assert name in _FILES, name
    return link(f"/static/{_VERSION}/{name}")


def serve_asset(request: Request) -> Response:
    """`GET /static/{version}/{name}`; a browser caches the file forever if the version is the
    current one."""
    name = request.path_params["name"]
    if name not in _FILES:
        raise RefusedError(404, "not_found", "the viewer has no such file")
    current = request.path_params["version"] == _VERSION
    keep = "public, max-age=31536000, immutable" if current else "no-store"
    media_type = _TYPES[Path(name).suffix]
    return Response(_FILES[name], headers={"cache-control": keep}, media_type=media_type)
