"""Members that are plain JSON, taken whole: the walk has neither to visit nor to count them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Protocol

from .._base.lazy import orjson
from .limits import CHUNK, SHORTEST, Limits


def cut_items(count: int, why: str = "") -> str:
    """Return the marker in place of members that were left out."""
    return f"…[cut {count} items{why}]"


class Room:
    """The bytes of strings and plain members that one snapshot still takes, to be cut to fit."""

    __slots__ = ("bytes",)

    def __init__(self, size: int) -> None:
        self.bytes = size


class Plain(Protocol):
    """The fast route for members, which `snapshotter.Probe` is."""

    @property
    def rest(self) -> int:
        """What the last value left of its room."""

    def json(self, value: object, depth: int) -> bytes | None:
        """Return the JSON of a value that is plain JSON of at most this depth; otherwise None."""

    def small_json(self, value: object, depth: int, most: int, room: int) -> bytes | None:
        """Return the same for at most `most` members a container, and `room` members in all."""


class Visitor(Protocol):
    """The walk of members that are not plain."""

    def visited(self, members: Any, depth: int) -> list[Any]:
        """Return the trees of members, fewer if there is no room for all."""


class PlainMembers:
    """Turns members of a value into JSON where the fast route can.

    Args:
        plain: returns the JSON of values that are plain JSON.
        limits: bounds of the snapshot.
        room: bytes that are left.
    """

    __slots__ = ("_most", "_plain", "_probe", "_room", "taken")

    def __init__(self, plain: Plain, limits: Limits, room: Room) -> None:
        self._probe = plain
        self._plain = plain.json
        self.taken = 0
        self._most = limits.max_bytes
        self._room = room

    def small_json(self, value: Any, depth: int, most: int, room: int) -> bytes | None:
        """Return the JSON of a container of few plain members; `taken` is how many they are."""
        out = self._taken(self._probe.small_json(value, depth, most, room))
        self.taken = room - self._probe.rest
        return out

    def list_json(self, value: Any, kept: int, depth: int) -> bytes | None:
        """Return the JSON of a list or tuple, of which `kept` members may stay; else None.

        Of a list that is too long, chunks are taken until the room is used up.
        """
        size = len(value)
        out = self._plain(value, depth) if kept == size else None
        if size > CHUNK and not self._whole(out, size):
            starts = range(0, kept, CHUNK)
            chunks = (value[start : min(start + CHUNK, kept)] for start in starts)
            out = self._joined(chunks, size, depth, b"[]", b"")
        return self._taken(out)

    def list_in_parts(
        self, value: Any, kept: int, deep: int, walk: Visitor, depth: int
    ) -> bytes | None:
        """Return the JSON of a long list that is plain in part; None for a short one.

        walk: visits the members that are not plain, at this depth.
        """
        size = len(value)
        if size <= CHUNK:
            return None
        parts: list[bytes] = []
        done = 0
        while done < kept:
            end = min(done + CHUNK, kept)
            while end < kept and type(value[end - 1]) is str and value[end - 1][:1] == "-":
                end += 1  # an argument and its value stay together
            members = value[done:end]
            out = self.list_json(members, len(members), deep)
            found = len(members)
            if out is None:
                trees = walk.visited(members, depth)
                found, out = len(trees), orjson.dumps(trees)
            parts += [out[1 : len(out) - 1]] if found else []
            done += found
            if found < len(members):
                break
        if done < size:
            parts.append(orjson.dumps(cut_items(size - done)))
        return b"[" + b",".join(parts) + b"]"

    def dict_json(self, value: dict[Any, Any], kept: int, depth: int) -> bytes | None:
        """Return the JSON of a dict in the same way; a long one in chunks of members."""
        size = len(value)
        out = self._plain(value, depth) if kept == size else None
        if size > CHUNK and not self._whole(out, size):
            kind = type(next(iter(value)))
            if kind is not str and kind is not int:
                return None
            members = list(islice(value.items(), kept))
            if not all(type(key) is kind for key, _ in members):
                return None
            starts = range(0, len(members), CHUNK)
            chunks = (dict(members[start : start + CHUNK]) for start in starts)
            out = self._joined(chunks, size, depth, b"{}", b'"\xe2\x80\xa6":')
        return self._taken(out)

    def _whole(self, out: bytes | None, size: int) -> bool:
        """Return whether a long container is taken whole: it fits, or its strings may be cut.

        `fit` would read small members again, one by one, only to leave most of them out.
        """
        if out is None or len(out) > self._room.bytes:
            return False
        return len(out) <= self._most or len(out) > SHORTEST * size

    def _taken(self, out: bytes | None) -> bytes | None:
        if out is None or len(out) > self._room.bytes:
            return None
        self._room.bytes -= len(out)
        return out

    def _joined(
        self, chunks: Iterable[Any], size: int, depth: int, ends: bytes, before_marker: bytes
    ) -> bytes | None:
        """Return chunks of one container as one text; None when one of them is not plain."""
        room = min(self._room.bytes, self._most) - CHUNK
        parts: list[bytes] = []
        done = 0
        for members in chunks:
            out = self._plain(members, depth)
            if out is None or (len(out) > room and not parts):
                return None
            room -= len(out)
            if room < 0:
                break
            parts.append(out[1 : len(out) - 1])
            done += len(members)
        if done < size:
            parts.append(before_marker + orjson.dumps(cut_items(size - done)))
        return ends[:1] + b",".join(parts) + ends[1:]
