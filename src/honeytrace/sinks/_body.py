"""The body of a request: in one piece if it is small, in chunks if it is long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .._network.streamed import Streamed
from .._record.many import Encoded, measured

CHUNK = 65_536
"""Bytes of a body that are joined at once. Joining the whole body would take new memory for each
request, and its pages cost the kernel more than the rest of the request."""

WHOLE = 16 * CHUNK
"""Bytes of a part up to which it is sent without cutting. httpcore copies the rest of a part that a
socket did not take, and would copy too much of longer parts."""

_SHORT = CHUNK // 16
"""Bytes up to which objects are joined by count, without looking at each of them."""

Lists = list[tuple[bytes, Sequence[Encoded]]]
"""The content of a body: leading bytes, and the objects that follow them, separated by commas."""


def body(lists: Lists, size: int, end: bytes) -> bytes | Streamed:
    """Return the body with this content, and `end` as its last bytes.

    `size` is the size of the encoded objects together, in bytes.
    """
    if len(lists) == len(lists[0][1]) == 1 and size < _SHORT:  # most requests
        lead, (only,) = lists[0]
        return b"".join((lead, only if isinstance(only, bytes) else b"".join(only), end))
    size += len(end)
    size += sum(len(lead) + max(len(encoded) - 1, 0) for lead, encoded in lists)
    chunks = _Chunks(lists, end)
    return Streamed(chunks, size) if size > CHUNK else b"".join(chunks)


class _Chunks:
    """A body in chunks of about `CHUNK` bytes, which can be iterated any number of times."""

    def __init__(self, lists: Lists, end: bytes) -> None:
        self._lists, self._end = lists, end

    def __iter__(self) -> Iterator[bytes]:
        for lead, objects in self._lists:
            longest = measured(objects)[1]
            if longest <= _SHORT:
                yield from _joined(lead, objects, longest)
            else:
                yield from _by_pieces(lead, objects)
        yield self._end


def _joined(lead: bytes, objects: Sequence[Any], longest: int) -> Iterator[bytes]:
    """Yield short objects in one piece each, many at a time."""
    step = CHUNK // max(longest, 1)
    yield lead + b",".join(objects[:step])
    for at in range(step, len(objects), step):
        yield b"," + b",".join(objects[at : at + step])


def _by_pieces(lead: bytes, objects: Sequence[Encoded]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    size, before = 0, lead
    for encoded in objects:
        chunk.append(before)
        before = b","
        for piece in (encoded,) if isinstance(encoded, bytes) else encoded:
            if chunk and (size + len(piece) > CHUNK or len(piece) >= CHUNK):
                yield b"".join(chunk)
                chunk, size = [], 0
            if len(piece) < CHUNK:
                chunk.append(piece)
                size += len(piece)
            elif len(piece) <= WHOLE:
                yield piece
            else:
                yield from (piece[at : at + WHOLE] for at in range(0, len(piece), WHOLE))
    yield b"".join(chunk)


def size_of(encoded: Encoded) -> int:
    return len(encoded) if isinstance(encoded, bytes) else sum(map(len, encoded))
