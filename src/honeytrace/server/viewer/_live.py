"""Server-sent events: the sessions that arrive while a list is on a screen.

One stream polls the store's order of arrival, since other processes write to it as well. A stream
ends when its reader leaves or the server stops; a browser that lost its own comes back with the
place it had reached, so nothing is missed.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence

import anyio
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..._record import Record
from ...errors import StoreError
from ...store import Store
from .._http import RefusedError

__all__ = ["Live"]

log = logging.getLogger("honeytrace.server")

_INTERVAL = 0.4
"""Seconds between two looks at the store."""

_SILENCE = 15.0
"""Seconds after which something is sent in any case, or a proxy may cut the stream."""

_BATCH = 200
"""Sessions sent at a time; as many at one look are too many to show."""


class Live:
    """The streams that are open."""

    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._free = limit
        self._stopped = False

    def stop(self) -> None:
        """End every stream within a moment; a new one ends at once."""
        self._stopped = True

    def follow(self, request: Request, show: Callable[[Sequence[Record]], object]) -> Response:
        """A stream of `show(records)` as JSON, where there is something to show, from the present
        on or from the place that the browser names.

        Raises RefusedError when there are too many streams.
        """
        if self._free <= 0:
            message = "too many pages follow what arrives: close some, or reload later"
            raise RefusedError(503, "too_many_streams", message, **{"retry-after": "30"})
        place = request.headers.get("last-event-id") or request.query_params.get("after", "")
        after = int(place) if place.isdecimal() and len(place) < 19 else None
        return StreamingResponse(self._stream(after, show), media_type="text/event-stream")

    async def _stream(
        self, after: int | None, show: Callable[[Sequence[Record]], object]
    ) -> AsyncIterator[bytes]:
        self._free -= 1
        try:
            yield b"retry: 2000\n\n"
            silent = _SILENCE  # so that the first look tells the place
            while not self._stopped:
                message, place = await run_in_threadpool(self._look, after, show)
                if message or silent >= _SILENCE:
                    yield b"id: %d\n%s\n\n" % (place, message or b"event: place\ndata:")
                    silent = 0.0
                after = place
                silent += _INTERVAL
                await anyio.sleep(_INTERVAL)
        except StoreError as error:
            log.warning("a stream of the viewer ended: %s", error)
        finally:
            self._free += 1

    def _look(
        self, after: int | None, show: Callable[[Sequence[Record]], object]
    ) -> tuple[bytes, int]:
        """What there is to send, and the place reached."""
        records, last = self._store.arrived(after, _BATCH)
        if len(records) == _BATCH:  # faster than anyone reads: the page is told to load anew
            return b"event: gap\ndata:", self._store.arrived(None).last
        shown = show(records) if records else None
        return (b"data: " + orjson.dumps(shown) if shown else b""), last
