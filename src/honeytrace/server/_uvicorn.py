"""uvicorn as `honeytrace serve` runs it: with time limits, and stopped without a traceback."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from anyio import to_thread
from starlette.applications import Starlette

from ._http import Limits

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as HTTPProtocol
else:  # Uvicorn uses httptools if it is installed; the parts used here are the same in both.
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as HTTPProtocol

__all__ = ["Server"]

_GRACE = 5
"""Seconds that requests in flight get to end after a signal to stop."""

_PAGES = 8
"""Number of threads that render viewer pages. More would not be faster, and each takes memory."""

_STOPPING = (signal.SIGINT, signal.SIGTERM)


def _protocol(head_seconds: float) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with a limit on the time that the head of a request may take.

    uvicorn itself only closes idle connections that wait for a next request. A client that sends
    half a request could hold a connection for as long as it likes.
    """

    class Protocol(HTTPProtocol):
        _head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._expect_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._cancel()
            super().connection_lost(exc)

        def _expect_head(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._cancel()  # The head is complete; `read_body` limits the time of the body.
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(head_seconds, self.transport.close)

        def on_response_complete(self) -> None:
            self._cancel()
            super().on_response_complete()

        def _cancel(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

    return Protocol


class Server(uvicorn.Server):
    def __init__(
        self, app: Starlette, limits: Limits, greeting: str, ready: Callable[[], object]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_level="warning",
                server_header=False,
                limit_concurrency=limits.connections,
                timeout_graceful_shutdown=_GRACE,
                http=_protocol(limits.head_seconds),
                ws="none",
            )
        )
        self._live = app.state.live
        self._ahead = app.state.ahead
        self._greeting = greeting
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Print the greeting once requests are accepted and signals are handled."""
        await super().startup(sockets)
        to_thread.current_default_thread_limiter().total_tokens = _PAGES
        self._ahead.start()
        print(self._greeting, file=sys.stderr, flush=True)  # noqa: T201 - for its terminal
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the live streams first, because they would delay a graceful shutdown."""
        self._live.stop()
        self._ahead.stop()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals as uvicorn does, but do not raise them again afterwards: a raised signal
        would end the process before the store is closed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
