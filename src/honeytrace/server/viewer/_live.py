"""Server-sent events of the sessions that arrive or change while a list is on a screen.

One thread polls the store for all open streams (`_poller`), since other processes write to it, too.
A stream begins at the place where its page was rendered, and ends when its reader leaves or the
server stops. A browser that loses its stream reconnects with the place it had reached, so nothing
is missed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ...store import Store
from .._http import RefusedError
from ._poller import Follower, Poller, Show, here
from ._running import Running

__all__ = ["Live", "Show", "here"]

_SILENCE = 15.0
"""Seconds after which a keep-alive is sent; otherwise a proxy may cut the stream."""

_LONGEST = 60.0
"""Seconds after which a stream ends, for servers that do not announce a stop. The browser opens the
next stream at the place it has reached."""

_GLANCE = 0.2
"""Seconds between checks for a stopping server."""


class Live:
    """The open streams, at most `limit` of them."""

    def __init__(self, store: Store, limit: int, running: Running) -> None:
        self._poller = Poller(store, running)
        self._lock = threading.Lock()
        self._free = limit
        self._stopped = False

    def stop(self) -> None:
        """End every stream soon; a new stream ends at once."""
        self._stopped = True

    def follow(self, request: Request, show: Show) -> Response:
        """Return a stream of new and changed sessions, rendered by `show` and sent as JSON. The
        stream starts now, or at the place that the browser names.

        Raises RefusedError if there are too many streams.
        """
        with self._lock:  # Pages request their streams concurrently.
            if self._free <= 0:
                message = "too many pages follow new sessions: close some, or reload later"
                raise RefusedError(503, "too_many_streams", message, **{"retry-after": "30"})
            self._free -= 1
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        return _Stream(self, Follower(_key(request), show, after))

    def _release(self) -> None:
        with self._lock:
            self._free += 1

    async def events(self, follower: Follower, receive: Receive) -> AsyncGenerator[bytes, None]:
        """Yield the events of one stream until its reader leaves or the server stops."""
        yield b"retry: 2000\n\n"
        begun = told = time.monotonic()
        was_kept_alive = _is_kept_alive(receive)
        with self._poller.following(follower):
            while not self._stopped and time.monotonic() < begun + _LONGEST:
                if was_kept_alive and not _is_kept_alive(receive):
                    return
                events = follower.take()
                if events is None:
                    return
                if not events and time.monotonic() >= told + _SILENCE:
                    events = [follower.still_here()]
                for event in events:
                    told = time.monotonic()
                    yield event
                with anyio.move_on_after(_GLANCE):
                    await follower.wait()


def _key(request: Request) -> str:
    """Return the key of a stream's content: streams of one key are rendered once."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    return repr((request.url.path, sorted(kept)))


def _is_kept_alive(receive: Receive) -> bool:
    """Return whether the server will keep this connection open.

    uvicorn waits for open streams before it tells an application that it is stopping. The only
    earlier sign is that it clears `keep_alive` of every request in flight.
    """
    return getattr(getattr(receive, "__self__", None), "keep_alive", True) is not False


class _Stream(StreamingResponse):
    """A response that occupies one stream slot until the stream ends for any reason."""

    def __init__(self, live: Live, follower: Follower) -> None:
        super().__init__((), media_type="text/event-stream")
        self._live = live
        self._follower = follower

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._live.events(self._follower, receive)) as events:
                self.body_iterator = events
                await super().__call__(scope, receive, send)
        finally:
            self._live._release()
