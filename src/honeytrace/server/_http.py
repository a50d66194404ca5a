"""A request's body, bounded before anything is made of it; replies and refusals."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import orjson
from starlette.requests import Request
from starlette.responses import Response

from ..store import Store

JSON = "application/json"


@dataclass(frozen=True)
class Limits:
    """What one request may ask of the server."""

    body_bytes: int = 16_000_000
    """Of a body, as it comes and again once decompressed; beyond it: 413."""
    body_seconds: float = 30.0
    """How long a body may take to arrive; beyond it: 408."""
    head_seconds: float = 10.0
    """How long the head of a request may take to arrive; beyond it the connection is closed."""
    connections: int = 1000
    """Open at once, idle ones included; beyond it: 503."""
    streams: int = 100
    """Pages of the viewer that are told of new sessions, of those connections; beyond it: 503."""


class RefusedError(Exception):
    """A request answered with this status and `{"message", "errorCode"}`."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers

    def response(self) -> Response:
        body = orjson.dumps({"message": str(self), "errorCode": self.code})
        return Response(body, self.status, self.headers, JSON)


def bad_request(message: str) -> RefusedError:
    return RefusedError(400, "bad_request", message)


@dataclass(frozen=True)
class Call:
    """A request as a handler sees it; handlers run in a worker thread, since stores block."""

    store: Store
    path: Mapping[str, Any]
    query: Mapping[str, str]
    content_type: str
    content_encoding: str
    raw: bytes = field(repr=False)
    limits: Limits

    def body(self) -> bytes:
        """The body, decompressed. Raises RefusedError."""
        if self.content_encoding in ("", "identity"):
            return self.raw
        if self.content_encoding != "gzip":
            raise RefusedError(415, "unsupported_encoding", "send the body plain, or with gzip")
        limit = self.limits.body_bytes
        unpacker = zlib.decompressobj(wbits=31)
        try:
            body = unpacker.decompress(self.raw, limit + 1)
        except zlib.error:
            raise bad_request("the body is not gzip, as its content-encoding says") from None
        if len(body) > limit:
            raise too_large(limit)
        if not unpacker.eof or unpacker.unused_data:
            raise bad_request("the body is not one whole gzip stream")
        return body

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises RefusedError.

        The parser refuses NaN, infinities, lone surrogates and depths over 1024; of a repeated key
        the last counts, and integers beyond 64 bit become the nearest double, as in JavaScript.
        """
        try:
            value = orjson.loads(self.body())
        except orjson.JSONDecodeError as error:
            raise bad_request(f"the body is not JSON: {error}") from None
        if type(value) is not dict:
            raise bad_request("the body must be a JSON object")
        return value


def too_large(limit: int) -> RefusedError:
    return RefusedError(413, "body_too_large", f"send at most {limit} bytes; split the batch")


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body as it came, chunked or not. Raises RefusedError when it is too large or too slow."""
    chunks, size = [], 0
    try:
        with anyio.fail_after(limits.body_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.body_bytes:
                    raise too_large(limits.body_bytes)
                chunks.append(chunk)
    except TimeoutError:
        message = f"the body took over {limits.body_seconds:g} seconds"
        raise RefusedError(408, "body_too_slow", message, connection="close") from None
    return b"".join(chunks)
