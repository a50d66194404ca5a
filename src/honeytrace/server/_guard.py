"""The check of host, origin, key and size, before the body of a request is read.

Any page in a browser can reach a server on loopback: by DNS rebinding (the `Host` then differs) and
by cross-site requests (the `Origin` differs, or `Sec-Fetch-Site` says so). The server refuses both.
Programs send a bearer key. A browser sends the ticket that /login issued, and the ticket allows
changes only from pages of this server.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._http import Limits, RefusedError, bad_request, too_large
from ._keys import Keys
from ._root_path import enter, link, route_path

LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))

BATCH_ROUTE = "/session/start/batch"

TENANT = "honeytrace.tenant"
"""The key in the ASGI scope that holds the tenant of the request."""

COOKIE = "honeytrace-ticket"

_OPEN = ("/health", "/ready", "/openapi.json", "/login", "/static/")
"""Paths that expose no data and need no key. A path that ends in a slash is a prefix."""

_READING = ("GET", "HEAD")

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:[0-9]{1,5})?", re.ASCII)
"""A valid `Host` header. Any other text, such as `127.0.0.1:x@evil`, could be read in two ways."""

_HEADERS = {
    # Honeytrace's own sink sends batches after it has seen this header.
    "honeytrace-batch": BATCH_ROUTE,
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "same-origin",
}


class Guard:
    """ASGI middleware that refuses foreign hosts and origins, wrong keys, and bodies whose
    `Content-Length` is too large.

    `hosts=None` allows any name, for a server that is not on loopback. Without `keys`, no key is
    required. `root_path` is the path under which a proxy serves the application, without a trailing
    slash.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys,
        hosts: Collection[str] | None,
        limits: Limits,
        root_path: str = "",
    ) -> None:
        self._app = app
        self._keys = keys
        self._hosts = hosts
        self._limits = limits
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        enter(scope, self._root_path)

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope, Headers(scope=scope))
        except RefusedError as refusal:
            await refusal.response()(scope, receive, marked)
        else:
            await self._app(scope, receive, marked)

    def _check(self, scope: Scope, headers: Headers) -> None:
        hosts = headers.getlist("host")
        host = hosts[0] if hosts else ""
        if len(hosts) > 1 or (host and _HOST.fullmatch(host) is None):
            raise bad_request("send one Host header with a name and at most a port")
        if self._hosts is not None and _hostname(host) not in self._hosts:
            names = ", ".join(sorted(self._hosts))
            raise RefusedError(421, "wrong_host", f"address this server as {names}")
        origin = headers.get("origin")
        same = origin is None or origin in (f"http://{host}", f"https://{host}")
        if not same or _is_foreign(scope, headers):
            raise RefusedError(403, "cross_origin", "pages of other sites may not call this server")
        if self._keys and not _is_open(route_path(scope)):
            scope[TENANT] = self._authenticate(scope, headers)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._limits.body_bytes:
            raise too_large(self._limits.body_bytes)

    def _authenticate(self, scope: Scope, headers: Headers) -> str:
        """Return the tenant whose key or ticket the request has. Raises RefusedError."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        tenant = self._keys.open(key.strip())
        if tenant is not None and scheme.lower() == "bearer":
            return tenant
        # Browsers send the origin with every request that changes something; other clients do not.
        told = "origin" in headers or "sec-fetch-site" in headers
        ticket = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        tenant = self._keys.admit(ticket)
        if tenant is not None and (told or scope["method"] in _READING):
            return tenant
        if scope["method"] in _READING and "text/html" in headers.get("accept", ""):
            query = scope["query_string"].decode("latin-1")
            back = _address(scope) + (f"?{query}" if query else "")
            location = link(f"/login?next={quote(back, safe='')}")
            raise RefusedError(303, "login", "log in with a key of this server", location=location)
        message = "send `Authorization: Bearer <key>` with a key of this server (HH_API_KEY)"
        raise RefusedError(401, "unauthorized", message, **{"www-authenticate": "Bearer"})


def _address(scope: Scope) -> str:
    """Return the path that the browser requested; a proxy may have stripped its prefix."""
    path: str = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
    root = quote(scope.get("root_path", ""))
    return path if path.startswith(root) else root + path


def _is_open(path: str) -> bool:
    return any(path == known or (known[-1] == "/" and path.startswith(known)) for known in _OPEN)


def _is_foreign(scope: Scope, headers: Headers) -> bool:
    """Return True for a request from a page of another site, unless the user followed a link.

    `same-site` counts as foreign, because a browser treats all ports of localhost as one site.
    """
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    return headers.get("sec-fetch-mode") != "navigate" or scope["method"] not in _READING


def _hostname(host: str) -> str:
    """Return the name in a `Host` header, without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
