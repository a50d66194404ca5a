"""Limits of a request, refusals, and a request's body, which is bounded before it is parsed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import anyio
import orjson
from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json"


@dataclass(frozen=True)
class Limits:
    """Limits on requests and on the memory they take."""

    body_bytes: int = 16_000_000
    """Size of a body, as it arrives and again after decompression; beyond it: 413."""
    body_seconds: float = 30.0
    """Seconds for a body to arrive; beyond it: 408."""
    waiting_bytes: int = 64_000_000
    """Size of all batches that wait to be stored, from all clients; beyond it: 503."""
    head_seconds: float = 10.0
    """Seconds for the head of a request to arrive; beyond it the connection is closed."""
    connections: int = 1000
    """Open connections, idle ones included; beyond it: 503."""
    streams: int = 100
    """Connections of pages that follow new sessions; beyond it: 503."""


class RefusedError(Exception):
    """A request that is answered with this status and `{"message", "errorCode"}`."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers

    def response(self) -> Response:
        body = orjson.dumps({"message": str(self), "errorCode": self.code})
        return Response(body, self.status, self.headers, JSON)


def busy() -> RefusedError:
    return RefusedError(503, "store_busy", "the store is busy: try again", **{"retry-after": "1"})


def unavailable() -> RefusedError:
    # the path or URL of the store is no business of the caller
    message = "the store cannot be used; the server's log says why"
    return RefusedError(503, "store_unavailable", message, **{"retry-after": "5"})


def bad_request(message: str) -> RefusedError:
    return RefusedError(400, "bad_request", message)


def too_large(limit: int) -> RefusedError:
    return RefusedError(413, "body_too_large", f"send at most {limit} bytes; split the batch")


async def read_body(
    request: Request, limits: Limits, arrived: Callable[[int], object] | None = None
) -> bytes:
    """Return the body as it arrived. Raises RefusedError when it is too large or too slow.

    arrived: called with the size of each part, in bytes.
    """
    chunks, size = [], 0
    try:
        with anyio.fail_after(limits.body_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.body_bytes:
                    raise too_large(limits.body_bytes)
                chunks.append(chunk)
                if arrived is not None:
                    arrived(len(chunk))
    except TimeoutError:
        message = f"the body took over {limits.body_seconds:g} seconds"
        raise RefusedError(408, "body_too_slow", message, connection="close") from None
    return b"".join(chunks)
