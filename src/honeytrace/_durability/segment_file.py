"""A file of the disk queue: a header, then frames with one item each.

The owner holds an exclusive `flock`; `recovery` reads the files of dead processes. A crash during a
write leaves half a frame; the journal still has that record.
"""

# without `from __future__ import annotations`, for the reason given in _record.record

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from struct import Struct
from zlib import crc32

from .._base.directories import keep_private
from .._record.file_format import pack, unpack
from .._record.record import Item
from .directories import lock
from .journal_format import LARGEST, DamagedError, check_version
from .quarantine import set_file_aside

MAGIC = b"honeytrace spill 1\n\0\0\0\0\0"
HEADER = Struct("<24sQ")
"""Magic, and the offset up to which everything is delivered."""
FRAME = Struct("<II")
"""Length and CRC-32 of the item that follows."""
SUFFIX = ".spill"
_PIECE = 1 << 20
"""Bytes read at once."""


class Segment:
    """One file. `count` is the number of its items, `read` the number of items read."""

    def __init__(self, path: str) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.fd = os.open(path, flags, 0o600)
        self.count = self.read = self.size = 0
        self.damaged = False
        self.at = HEADER.size
        try:
            keep_private(self.fd)
            # a recovery may find the file before it is locked, and remove it
            if not (lock(self.fd) and os.fstat(self.fd).st_nlink):
                raise OSError(errno.EAGAIN, "a recovery was faster", path)
            self.write(HEADER.pack(MAGIC, HEADER.size), 0)
        except BaseException:
            self.remove()
            raise

    def write(self, data: bytes, count: int) -> None:
        """Write all of it or nothing: a disk that fills up may take half."""
        written = os.pwrite(self.fd, data, self.size)
        if written < len(data):
            os.ftruncate(self.fd, self.size)
            raise OSError(errno.ENOSPC, "no space left on the disk", self.path)
        self.size += written
        self.count += count

    def cut(self) -> None:
        """Drop the items that were not read."""
        os.ftruncate(self.fd, self.at)
        self.count, self.size = self.read, self.at

    def mark(self) -> None:
        """Store the offset up to which everything is delivered."""
        os.pwrite(self.fd, HEADER.pack(MAGIC, self.at), 0)

    def remove(self) -> None:
        with suppress(OSError):
            if self.damaged:
                set_file_aside(self.path, "not everything in it can be read")
            else:
                os.unlink(self.path)
        os.close(self.fd)


def frames(
    fd: int, at: int, words: Sequence[bytes] = (), *, ours: bool = False
) -> Iterator[tuple[Item | None, int]]:
    """Yield the items from this offset on, each with the offset of its end; None for an unreadable
    one. `words`: only items that contain one of them. `ours`: no other process wrote the file.

    Half an item at the end is left out: its writer died. The file is read in large pieces, because
    every read releases the GIL, and taking it again costs milliseconds beside a busy thread.
    """
    size = os.fstat(fd).st_size
    held, start = b"", at
    while at + FRAME.size <= size:
        if at + FRAME.size > start + len(held):
            held, start = os.pread(fd, _PIECE, at), at
            if len(held) < FRAME.size:
                return  # the file was truncated meanwhile
        length, crc = FRAME.unpack_from(held, at - start)
        if length > size - at - FRAME.size:
            return
        if not length:  # no item has length 0: from here on the disk has lost the data
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
    """Return the offset of the first item that is not delivered.

    Raises DamagedError and NewerFormatError.
    """
    head = os.pread(fd, HEADER.size, 0)
    if not head:
        return HEADER.size  # its process died before it wrote the header
    check_version(head, MAGIC)
    if len(head) < HEADER.size or not head.startswith(MAGIC):
        raise DamagedError("it does not begin like a spilled queue")
    at, size = int(HEADER.unpack(head)[1]), os.fstat(fd).st_size
    if size > LARGEST or not HEADER.size <= at <= size:
        raise DamagedError(f"it has {size} bytes, but its header says {at} are delivered")
    return at


def frame(item: Item) -> bytes:
    data = pack(item)
    return FRAME.pack(len(data), crc32(data)) + data
