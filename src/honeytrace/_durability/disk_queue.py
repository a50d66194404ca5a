"""What memory has no room for: a queue in files, for while the destination is away.

Items are appended to the last segment and read from the first, so order is kept. A segment is
removed when everything in it is delivered; its header says how far that has come, so that whoever
recovers it repeats little. The owner holds an exclusive `flock` on each; `_recovery` reads those
of the dead. A crash amid a write leaves half a frame, of a record that its journal still has.

Its caller sees to it that only one thread is in here.
"""

# annotations are no texts here: see _record

import errno
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from .._lazy import orjson
from .._record.file_format import pack, unpack
from .._record.record import Item, Record, size_of
from .directories import lock, private
from .journal_format import LARGEST, DamagedError
from .quarantine import set_file_aside

MAGIC = b"honeytrace spill 1\n\0\0\0\0\0"
HEADER = Struct("<24sQ")
"""Magic, and the offset up to which everything is delivered."""
FRAME = Struct("<II")
"""Length and CRC-32 of the item that follows."""
SEGMENT = 8 * 1024 * 1024
SUFFIX = ".spill"
_PIECE = 1 << 20
_TRIES = 10


class SpillFullError(OSError):
    """The configured bound is reached."""


class Segment:
    """One file. `count` and `read` are how many items it has, and how many were read."""

    def __init__(self, path: str) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fd = os.open(path, flags, 0o600)
        self.count = self.read = self.size = 0
        self.damaged = False
        self.at = HEADER.size
        try:
            # a recovery may come across the file before it is locked, and remove it
            if not (lock(self.fd) and os.fstat(self.fd).st_nlink):
                raise OSError(errno.EAGAIN, "a recovery was faster", path)
            self.write(HEADER.pack(MAGIC, HEADER.size), 0)
        except BaseException:
            self.remove()
            raise

    def write(self, data: bytes, count: int) -> None:
        """All of it or nothing: a disk that fills up takes half."""
        written = os.pwrite(self.fd, data, self.size)
        if written < len(data):
            os.ftruncate(self.fd, self.size)
            raise OSError(errno.ENOSPC, "no space left on the disk", self.path)
        self.size += written
        self.count += count

    def cut(self) -> None:
        """Give up what was not read."""
        os.ftruncate(self.fd, self.at)
        self.count, self.size = self.read, self.at

    def mark(self) -> None:
        """Note how far everything is delivered."""
        os.pwrite(self.fd, HEADER.pack(MAGIC, self.at), 0)

    def remove(self) -> None:
        with suppress(OSError):
            if self.damaged:
                set_file_aside(self.path, "not everything in it can be read")
            else:
                os.unlink(self.path)
        os.close(self.fd)


class Place(NamedTuple):
    """A part of a file with items in it."""

    path: str
    begin: int
    end: int


class Spill:
    """At most `limit` bytes of items in `directory`; no file is there before the first one.

    `waiting` is how many items are in it that `take` has not handed out.
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
        """Add these at the end. Raises OSError; then nothing of them is here."""
        data = b"".join(map(_frame, items))
        if self.bytes + len(data) > self.limit:
            raise SpillFullError(f"{self.bytes} bytes wait in {self.directory}")
        if not self._segments or self._segments[-1].size >= SEGMENT:
            self._segments.append(self._new_segment(_TRIES))
        self._segments[-1].write(data, len(items))
        self.waiting += len(items)

    def _new_segment(self, tries: int) -> Segment:
        self._made += 1
        name = f"{self._name}-{self._made:08}{SUFFIX}"
        try:
            return Segment(os.path.join(private(self.directory), name))
        except BlockingIOError:  # a recovery was faster, which looks at no other name now
            if tries == 1:
                raise
            return self._new_segment(tries - 1)

    def take(self, count: int, room: int) -> tuple[list[Item], int]:
        """The next items in order, up to `count` and about `room` bytes; how many are unreadable.

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
        """Everything handed out so far is delivered."""
        for segment in list(self._segments):
            if segment.read < segment.count:
                segment.mark()
                break
            self._segments.popleft().remove()

    def drop_oldest(self) -> int:
        """Give up the oldest items that nobody has taken, a segment's; how many they were.

        What was taken stays: nothing else has it but memory.
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
        """Where everything is that `take` has not handed out."""
        return [Place(segment.path, segment.at, segment.size) for segment in self._segments]

    def forget(self) -> None:
        """Let go of the files: in a forked child they are the parent's."""
        for segment in self._segments:
            os.close(segment.fd)
        self._segments.clear()
        self.waiting = 0


def tree_of(session_id: str, places: Sequence[Place], room: int = 16_000_000) -> list[Item]:
    """What is in these places of this session, and of those in its tree up to `room` bytes.

    For whoever does not own the files: one that is gone is delivered.
    """
    found = list(_mentioning(places, [session_id], room))
    for item in found:
        if isinstance(item, Record) and item.event_id == session_id != item.root_id:
            return list(_mentioning(places, [session_id, item.root_id], room))
    return found


def _mentioning(places: Sequence[Place], ids: Sequence[str], room: int) -> Iterator[Item]:
    """What has one of these ids in it; what is of the first of them needs no room."""
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


def frames(
    fd: int, at: int, words: Sequence[bytes] = (), *, ours: bool = False
) -> Iterator[tuple[Item | None, int]]:
    """The items from this offset on, None for one that cannot be read, each with the offset of its
    end; with `words` those alone that have one of them. `ours`: nobody else has written there.

    Half an item at the end is left out: its writer died. Reads in large pieces, since every read
    lets go of the GIL, which takes milliseconds to come by again beside a busy thread.
    """
    size = os.fstat(fd).st_size
    held, start = b"", at
    while at + FRAME.size <= size:
        if at + FRAME.size > start + len(held):
            held, start = os.pread(fd, _PIECE, at), at
            if len(held) < FRAME.size:
                return  # it was cut meanwhile
        length, crc = FRAME.unpack_from(held, at - start)
        if length > size - at - FRAME.size:
            return
        if not length:  # no item has none: from here on the disk has lost what was written
            yield None, size
            return
        end = at + FRAME.size + length
        if end > start + len(held):
            held, start = os.pread(fd, max(_PIECE, end - at), at), at
        data = held[at + FRAME.size - start : end - start]
        at = end
        if words and not any(word in data for word in words):
            continue
        item: Item | None = None
        with suppress(Exception):  # hostile bytes may be of any wrong kind
            item = unpack(data, ours=ours) if crc32(data) == crc else None
        yield item, at


def begin(fd: int) -> int:
    """Where what is not delivered begins in a segment. Raises DamagedError."""
    head = os.pread(fd, HEADER.size, 0)
    if not head:
        return HEADER.size  # its process died before it had begun
    if len(head) < HEADER.size or not head.startswith(MAGIC):
        raise DamagedError("it does not begin like a spilled queue")
    at, size = int(HEADER.unpack(head)[1]), os.fstat(fd).st_size
    if size > LARGEST or not HEADER.size <= at <= size:
        raise DamagedError(f"it has {size} bytes and says that {at} are delivered")
    return at


def _frame(item: Item) -> bytes:
    data = pack(item)
    return FRAME.pack(len(data), crc32(data)) + data
