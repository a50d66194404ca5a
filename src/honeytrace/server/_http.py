"""Limits of a request, refusals, and reading a body within its limits before it is parsed."""

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
    """Largest size of a body in bytes, before and after decompression; beyond it, the reply is a
    413."""
    body_seconds: float = 30.0
    """Seconds for a body to arrive; beyond it, the reply is a 408."""
    waiting_bytes: int = 64_000_000
    """Total size in bytes of the waiting batches of all clients; beyond it, the reply is a 503."""
    head_seconds: float = 10.0
    """Seconds for the head of a request to arrive; beyond it, the connection is closed."""
    connections: int = 1000
    """Number of open connections, idle ones included; beyond it, the reply is a 503."""
    streams: int = 100
    """Number of pages that follow new sessions; beyond it, the reply is a 503."""


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
    # The message leaves out the path or URL of the store, which callers must not learn.
    message = "the store cannot be used: see the server's log for the cause"
    return RefusedError(503, "store_unavailable", message, **{"retry-after": "5"})


def bad_request(message: str) -> RefusedError:
    return RefusedError(400, "bad_request", message)


def too_large(limit: int) -> RefusedError:
    return RefusedError(413, "body_too_large", f"send at most {limit} bytes: split the batch")


async def read_body(
    request: Request, limits: Limits, arrived: Callable[[int], object] | None = None
) -> bytes:
    """Return the body as it arrived. Raises RefusedError if it is too large or too slow.

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
        message = f"the body took more than {limits.body_seconds:g} seconds to arrive"
        raise RefusedError(408, "body_too_slow", message, connection="close") from None
    return b"".join(chunks)
