"""A queue in files, for records that memory has no room for while the destination is away.

Items are appended to the last segment and read from the first, so that their order is kept. A
segment is removed when everything in it is delivered. Its header holds the progress, so that a
recovery repeats little. The caller ensures that only one thread uses the queue at a time.
"""

# without `from __future__ import annotations`, for the reason given in _record.record

import os
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .._base.lazy import orjson
from .._record.record import Item, Record, size_of
from .directories import private
from .segment_file import SUFFIX, Segment, frame, frames

SEGMENT = 8 * 1024 * 1024
"""Bytes after which a new file is begun."""
_TRIES = 10
"""Number of names tried for a new file; a recovery may remove each before it is locked."""


class DiskQueueFullError(OSError):
    """The configured bound is reached."""


class Place(NamedTuple):
    """A part of a file that holds items."""

    path: str
    begin: int
    end: int


class DiskQueue:
    """A queue of at most `limit` bytes in `directory`; the first item creates the first file.

    `waiting` is the number of items that `take` has not handed out.
    """

    def __init__(self, directory: str, limit: int) -> None:
        self.directory = directory
        self.limit = limit
        self.waiting = 0
        self._segments: deque[Segment] = deque()
        self._made = 0
        self._name = f"{os.getpid()}-{os.urandom(6).hex()}"

    @property
    def bytes(self) -> int:
        return sum(segment.size for segment in self._segments)

    def append(self, items: Sequence[Item]) -> None:
        """Add items at the end. If it raises OSError, none of them was added."""
        data = b"".join(map(frame, items))
        if self.bytes + len(data) > self.limit:
            raise DiskQueueFullError(f"{self.bytes} bytes wait in {self.directory}")
        if not self._segments or self._segments[-1].size >= SEGMENT:
            self._segments.append(self._new_segment(_TRIES))
        self._segments[-1].write(data, len(items))
        self.waiting += len(items)

    def _new_segment(self, tries: int) -> Segment:
        self._made += 1
        name = f"{self._name}-{self._made:08}{SUFFIX}"
        try:
            return Segment(os.path.join(private(self.directory), name))
        except BlockingIOError:  # a recovery was faster; it does not look at the next name
            if tries == 1:
                raise
            return self._new_segment(tries - 1)

    def take(self, count: int, room: int) -> tuple[list[Item], int]:
        """Return up to `count` items, about `room` bytes, and the number of unreadable ones.

        They stay in the file until `settle`.
        """
        taken: list[Item] = []
        lost = 0
        for segment in self._segments:
            try:
                for item, end in frames(segment.fd, segment.at, ours=True):
                    if len(taken) == count or room <= 0:
                        break
                    room -= end - segment.at
                    segment.at = end
                    segment.read += 1
                    if item is None:
                        lost, segment.damaged = lost + 1, True
                    else:
                        taken.append(item)
                else:
                    lost += segment.count - segment.read
                    segment.read = segment.count
                    continue
            except OSError:
                segment.damaged = True
                lost += segment.count - segment.read
                segment.read, segment.at = segment.count, segment.size
            break
        self.waiting -= len(taken) + lost
        return taken, lost

    def settle(self) -> None:
        """Note that everything handed out so far is delivered."""
        for segment in list(self._segments):
            if segment.read < segment.count:
                segment.mark()
                break
            self._segments.popleft().remove()

    def drop_oldest(self) -> int:
        """Drop the oldest segment's items that were not taken; return their number.

        Items that were taken stay on disk: otherwise they would be in memory only.
        """
        for segment in self._segments:
            lost = segment.count - segment.read
            if lost:
                self.waiting -= lost
                segment.cut()
                if not segment.count:
                    self._segments.remove(segment)
                    segment.remove()
                return lost
        return 0

    def places(self) -> list[Place]:
        """Return the places of all items that `take` has not handed out."""
        return [Place(segment.path, segment.at, segment.size) for segment in self._segments]

    def forget(self) -> None:
        """Let go of the files, in a forked child: they belong to the parent."""
        for segment in self._segments:
            os.close(segment.fd)
        self._segments.clear()
        self.waiting = 0


def tree_of(session_id: str, places: Sequence[Place], room: int = 16_000_000) -> list[Item]:
    """Return the items of a session in these places, and those of its tree up to `room` bytes.

    The caller does not own the files, so a file that is gone has been delivered.
    """
    found = list(_mentioning(places, [session_id], room))
    for item in found:
        if isinstance(item, Record) and item.event_id == session_id != item.root_id:
            return list(_mentioning(places, [session_id, item.root_id], room))
    return found


def _mentioning(places: Sequence[Place], ids: Sequence[str], room: int) -> Iterator[Item]:
    """Yield the items that contain one of these ids; items of the first id ignore the bound."""
    words = [orjson.dumps(each)[1:-1] for each in ids]
    for place in places:
        try:
            fd = os.open(place.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            for item, end in frames(fd, place.begin, words):
                if end > place.end:
                    break
                if item is not None and item.event_id != ids[0]:
                    room -= size_of(item)
                if item is not None and (item.event_id == ids[0] or room > 0):
                    yield item
        finally:
            os.close(fd)
