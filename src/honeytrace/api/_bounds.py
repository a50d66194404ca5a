"""Bounds for bodies: a request body in time, a reply in time and in bytes.

The timeouts of httpx start again with every part of a body. It also unpacks a compressed part as a
whole, so that a few kilobytes can become gigabytes. Here, both are bounded part by part.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import Any

from honeytrace.api.errors import ValidationError

ACCEPTED = "gzip, deflate"
"""The encodings that requests ask for. They are unpacked here."""

_STEP = 1_000_000
"""Bytes that are unpacked in one step."""


class Bounds:
    """The bounds of one exchange: until a time of the clock `now`, and `size` unpacked bytes."""

    def __init__(self, library: Any, now: Callable[[], float], until: float, size: int) -> None:
        self._library, self._now, self._until = library, now, until
        self._size = self._room = size
        self._unpack: Callable[[bytes], Iterator[bytes]] = lambda part: iter((part,))

    def sent(self, request: Any) -> None:
        """Bound the time in which the body of a request is sent."""
        if isinstance(request.stream, self._library.SyncByteStream):
            late = self._library.WriteTimeout("the deadline passed while the body was sent")
            request.stream = _stream(self._library, request.stream, self._in_time(late))

    def received(self, response: Any) -> str | None:
        """Bound the body of a reply before it is read. Return its encoding, or None.

        The header is removed until the body is read, because httpx would unpack it again.
        """
        encoding: str = response.headers.get("content-encoding", "").strip().lower()
        asked = response.request.headers.get("accept-encoding", "")
        if encoding in ("", "identity"):
            pass
        elif encoding in ("gzip", "x-gzip", "deflate"):
            self._unpack = _Unpacking(self._library.DecodingError)
            response.headers.pop("content-encoding")
        elif encoding not in asked:
            raise self._library.DecodingError("the reply has an encoding that was not asked for")
        late = self._library.ReadTimeout("the deadline passed while the body arrived")
        response.stream = _stream(self._library, response.stream, self._in_size(late))
        return encoding or None

    def _in_time(self, late: Exception) -> Callable[[bytes], Iterator[bytes]]:
        def admitted(part: bytes) -> Iterator[bytes]:
            if self._now() >= self._until:
                raise late
            yield part

        return admitted

    def _in_size(self, late: Exception) -> Callable[[bytes], Iterator[bytes]]:
        in_time = self._in_time(late)

        def admitted(part: bytes) -> Iterator[bytes]:
            for packed in in_time(part):
                for unpacked in self._unpack(packed):
                    self._room -= len(unpacked)
                    if self._room < 0:
                        raise ValidationError(
                            f"Response validation failed: the reply is longer than {self._size:,} "
                            "bytes; ask for less at a time, or raise max_reply_bytes"
                        )
                    yield from in_time(unpacked)

        return admitted


class _Unpacking:
    """Unpacks gzip and deflate, at most `_STEP` bytes at a time."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error
        self._unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._has_begun = False

    def __call__(self, packed: bytes) -> Iterator[bytes]:
        unpacked = b""
        # zlib may have taken all input, and still hold back output beyond the step
        while (packed or len(unpacked) == _STEP) and not self._unpacker.eof:
            unpacked = self._step(packed)
            packed = self._unpacker.unconsumed_tail
            yield unpacked

    def _step(self, packed: bytes) -> bytes:
        try:
            try:
                return self._unpacker.decompress(packed, _STEP)
            except zlib.error:
                if self._has_begun:
                    raise
                # some servers send deflate without the header of zlib
                self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
                return self._unpacker.decompress(packed, _STEP)
        except zlib.error as error:
            raise self._error(str(error)) from error
        finally:
            self._has_begun = True


def _stream(library: Any, stream: Any, admitted: Callable[[bytes], Iterator[bytes]]) -> Any:
    """Return the stream with every part passed through `admitted`, sync or async as before."""
    sync, awaited = _kinds(library)
    return (sync if isinstance(stream, library.SyncByteStream) else awaited)(stream, admitted)


@cache
def _kinds(library: Any) -> tuple[Any, Any]:
    """Return the sync and the async kind. A client accepts only streams of its own library."""

    class Bounded(library.SyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, admitted: Callable[[bytes], Iterator[bytes]]) -> None:
            self._stream, self._admitted = stream, admitted

        def __iter__(self) -> Iterator[bytes]:
            for part in self._stream:
                yield from self._admitted(part)

        def close(self) -> None:
            self._stream.close()

    class AsyncBounded(library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, admitted: Callable[[bytes], Iterator[bytes]]) -> None:
            self._stream, self._admitted = stream, admitted

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for part in self._stream:
                for piece in self._admitted(part):
                    yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

    return Bounded, AsyncBounded
