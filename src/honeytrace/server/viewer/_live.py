"""Server-sent events: the sessions that arrive or change while a list is on a screen.

One stream polls the store's order of arrival and that of change, since other processes write to it,
too. A stream begins where its page was made, and ends when its reader leaves or the server stops; a
browser that lost its own comes back with the place it had reached. So nothing is missed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence

import anyio
import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..._record.record import Record
from ...errors import StoreError
from ...store import Store
from .._http import RefusedError

__all__ = ["Live", "Show", "here"]

log = logging.getLogger("honeytrace.server")

_INTERVAL = 0.4
"""Seconds between two looks at the store."""

_SILENCE = 15.0
"""Seconds after which something is sent in any case, or a proxy may cut the stream."""

_BATCH = 200
"""Sessions sent at a time; as many at one look are too many to show."""

Show = Callable[[Sequence[Record], Sequence[Record]], object]
"""What to tell of those that arrived and those that were changed; nothing where it is false."""

_Place = tuple["int | None", "int | None"]
"""In the order of arrival and in that of change; None is the present one."""


def here(store: Store) -> str:
    """The present place, for the page that is about to be made."""
    return f"{store.arrived(None).last}-{store.changed(None).last}"


class Live:
    """The streams that are open."""

    def __init__(self, store: Store, limit: int) -> None:
        self._store = store
        self._free = limit
        self._stopped = False

    def stop(self) -> None:
        """End every stream within a moment; a new one ends at once."""
        self._stopped = True

    def follow(self, request: Request, show: Show) -> Response:
        """A stream of what there is to show, as JSON, from the present on or from the place that
        the browser names.

        Raises RefusedError when there are too many streams.
        """
        if self._free <= 0:
            message = "too many pages follow what arrives: close some, or reload later"
            raise RefusedError(503, "too_many_streams", message, **{"retry-after": "30"})
        place = request.headers.get("last-event-id") or request.query_params.get("after", "")
        found = re.fullmatch(r"(\d{1,18})-(\d{1,18})", place, re.ASCII)
        after = (int(found[1]), int(found[2])) if found else (None, None)
        return StreamingResponse(self._stream(after, show), media_type="text/event-stream")

    async def _stream(self, after: _Place, show: Show) -> AsyncIterator[bytes]:
        self._free -= 1
        try:
            yield b"retry: 2000\n\n"
            silent = _SILENCE  # so that the first look tells the place
            while not self._stopped:
                message, place = await run_in_threadpool(self._look, after, show)
                if message or silent >= _SILENCE:
                    yield b"id: %d-%d\n%s\n\n" % (*place, message or b"event: place\ndata:")
                    silent = 0.0
                after = place
                silent += _INTERVAL
                await anyio.sleep(_INTERVAL)
        except StoreError as error:
            log.warning("a stream of the viewer ended: %s", error)
        finally:
            self._free += 1

    def _look(self, after: _Place, show: Show) -> tuple[bytes, tuple[int, int]]:
        """What there is to send, and the place reached."""
        # in this order: what arrives in between is not missed, at worst it is told of twice
        arrived = self._store.arrived(after[0], _BATCH)
        changed = self._store.changed(after[1], _BATCH)
        if _BATCH in (len(arrived.records), len(changed.records)):
            # faster than anyone reads: the page is told to load anew
            place = self._store.arrived(None).last, self._store.changed(None).last
            return b"event: gap\ndata:", place
        told = arrived.records or changed.records
        shown = show(arrived.records, changed.records) if told else None
        return (b"data: " + orjson.dumps(shown) if shown else b""), (arrived.last, changed.last)
