"""The path under which the application is mounted, for all its links and redirects.

`Mount` and proxies put the path into the ASGI scope, which templates cannot see. Guard therefore
keeps the path in a context variable during a request.
"""

from __future__ import annotations

from contextvars import ContextVar

from starlette.types import Scope

__all__ = ["enter", "link", "route_path"]

_root_path: ContextVar[str] = ContextVar("honeytrace_root_path", default="")


def enter(scope: Scope, configured: str) -> None:
    """Make the links of this request begin with its root path.

    `configured` is the path that a proxy in front serves the application under; the proxy may or
    may not strip it from the requests it passes on.
    """
    root = scope.get("root_path", "")
    if configured and not root.endswith(configured):
        if not _is_below(scope["path"], root + configured):
            scope["path"] = root + configured + scope["path"][len(root) :]
        root = scope["root_path"] = root + configured
    _root_path.set(root)


def route_path(scope: Scope) -> str:
    """Return the path of a request within the application."""
    path: str = scope["path"]
    root = scope.get("root_path", "")
    return path[len(root) :] or "/" if root and _is_below(path, root) else path


def link(path: str) -> str:
    """Return the address that browsers have to request for a path of the application."""
    return _root_path.get() + path


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")
