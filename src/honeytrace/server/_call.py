"""A request as its handler sees it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from .._record.surrogates import loads
from ..store import Store
from ._http import Limits, RefusedError, bad_request, too_large
from ._otlp.counts import Counts
from ._otlp.traces import Traces

__all__ = ["Call"]


@dataclass(frozen=True)
class Call:
    """A request with its body; handlers run in a worker thread, since stores block."""

    store: Store
    path: Mapping[str, Any]
    query: Mapping[str, str]
    content_type: str
    content_encoding: str
    raw: bytes = field(repr=False)
    limits: Limits
    traces: Traces = field(repr=False)
    counts: Counts = field(repr=False)

    def body(self) -> bytes:
        """Return the body, decompressed. Raises RefusedError."""
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
        """Return the body as a JSON object. Raises RefusedError.

        The parser refuses NaN, infinities and depths over 1024. The last value of a repeated key
        wins, and integers beyond 64 bits become the nearest double. Half a surrogate pair, which
        JavaScript sends when it cuts a text, becomes U+FFFD.
        """
        try:
            value = loads(self.body())
        except orjson.JSONDecodeError as error:
            raise bad_request(f"the body is not JSON: {error}") from None
        if type(value) is not dict:
            raise bad_request("the body must be a JSON object")
        return value
