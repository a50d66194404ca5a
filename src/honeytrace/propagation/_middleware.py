"""Middleware: sessions of a request belong to the caller's session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

from ._context import continue_from

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class ASGIMiddleware:
    """For Starlette, FastAPI, Litestar, Quart, Django: `app.add_middleware(ASGIMiddleware)`.

    trust: True where only services of yours can call. By default a caller is a stranger: sessions
    are roots of their own and keep a link to the caller.
    """

    def __init__(self, app: ASGIApp, *, trust: bool = False) -> None:
        self.app = app
        self._trust = trust

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        with continue_from(scope.get("headers", ()), trust=self._trust):
            await self.app(scope, receive, send)


class WSGIMiddleware:
    """For Flask and Django: `app.wsgi_app = WSGIMiddleware(app.wsgi_app)`.

    trust: as for `ASGIMiddleware`. The body of a response that is made while it is sent belongs to
    the caller's session, too.
    """

    def __init__(self, app: WSGIApp, *, trust: bool = False) -> None:
        self.app = app
        self._trust = trust

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        within = continue_from(environ, trust=self._trust)
        with within:
            body = self.app(environ, start_response)
        # servers send files in a way of their own, which they recognise by the type
        file_wrapper = environ.get("wsgi.file_wrapper")
        is_file = isinstance(file_wrapper, type) and isinstance(body, file_wrapper)
        if isinstance(body, (list, tuple)) or is_file:
            return body
        return _Body(body, within)


class _Body:
    """A body that is made piece by piece, each inside the caller's session."""

    __slots__ = ("_body", "_pieces", "_within")

    def __init__(self, body: Iterable[bytes], within: continue_from) -> None:
        self._body = body
        self._within = within
        self._pieces: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._within:
            if self._pieces is None:
                self._pieces = iter(self._body)
            return next(self._pieces)

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            with self._within:
                close()
