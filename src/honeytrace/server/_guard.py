"""Who may speak to the server, checked before anything of a request is read.

A server on loopback is in reach of every page a browser shows: by DNS rebinding (the `Host` is then
not ours) and by cross-site requests (the `Origin` is then another). Both are refused.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._http import Limits, RefusedError, too_large

LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))

BATCH_ROUTE = "/session/start/batch"

_OPEN = frozenset(("/health", "/openapi.json"))
"""Paths that tell nothing of anybody's data, and need no key."""

_HEADERS = {
    "honeytrace-batch": BATCH_ROUTE,  # honeytrace's own sink sends batches once it has seen this
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware: refuses foreign hosts and origins, wrong keys, and bodies said to be large.

    `hosts` None allows any, for a server that is not on loopback; no `keys` ask for none.
    """

    def __init__(
        self, app: ASGIApp, keys: Sequence[str], hosts: Collection[str] | None, limits: Limits
    ) -> None:
        self._app = app
        self._keys = [_digest(key) for key in keys]
        self._hosts = hosts
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope["path"], Headers(scope=scope))
        except RefusedError as refusal:
            await refusal.response()(scope, receive, marked)
        else:
            await self._app(scope, receive, marked)

    def _check(self, path: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._hosts is not None and _hostname(host) not in self._hosts:
            names = ", ".join(sorted(self._hosts))
            raise RefusedError(421, "wrong_host", f"this server is to be addressed as {names}")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise RefusedError(403, "cross_origin", "pages of other sites may not call this server")
        if self._keys and path not in _OPEN:
            self._authenticate(headers.get("authorization", ""))
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._limits.body_bytes:
            raise too_large(self._limits.body_bytes)

    def _authenticate(self, authorization: str) -> None:
        scheme, _, key = authorization.partition(" ")
        digest = _digest(key.strip())
        # every key is compared, and in constant time, so that the time taken tells nothing
        known = [hmac.compare_digest(digest, key) for key in self._keys]
        if scheme.lower() != "bearer" or not any(known):
            message = "send `Authorization: Bearer <key>` with a key of this server (HH_API_KEY)"
            raise RefusedError(401, "unauthorized", message, **{"www-authenticate": "Bearer"})


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _hostname(host: str) -> str:
    """The name in a `Host` header: without port and brackets, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
