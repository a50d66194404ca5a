"""The layout of a journal file: structs, slot states, and sizes in bytes.

The file is a header, then slots of `SLOT` bytes up to the border, then blocks of `BLOCK` bytes. A
slot is a commit word, `HEAD`, `KIN`, and then the extra text and the inputs. A call that has ended
adds `TAIL`, its outputs and one more text. Bytes that do not fit the slot continue in a chain of
blocks; the first 8 bytes of each block hold the offset of the next one << 8.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from struct import Struct

MAGIC = b"honeytrace journal 2\n\0\0\0"
HEADER = Struct("<24sQQI")
"""Magic, file size, offset of the large blocks, CRC-32 of these."""
COMMIT = Struct("<Q")
"""State in the low byte; above it the checksum of the slot's contents, unless the call still runs:
the Adler-32 of the chained bytes, continued over the head and the bytes after it."""
HEAD = Struct("<IIIIqQ")
"""Follows the commit word: number of the spec (0: the spec is in the extra text), offset of the
chain (0: none), bytes of extra text, bytes of inputs; wall clock in ns and tick of the call."""
KIN = Struct("<qQqQ")
"""Follows the head: wall clock in ns and tick of the parent and of the root."""
TAIL = Struct("<IIIxxxxq")
"""Follows the inputs: offset of the chain (or `BEHIND`), bytes of outputs, bytes of the text after
them, wall clock of the end in ns."""
BEHIND = 1
"""Value in place of a chain's offset: the outputs follow the inputs in the same block."""

SLOT, BLOCK = 512, 5120
"""Bytes of a block: as many as `adler32` takes without releasing the GIL. Releasing it would cost
milliseconds beside a busy thread."""
INLINE = SLOT - COMMIT.size - HEAD.size - KIN.size - TAIL.size
"""Bytes of inputs and outputs that fit a slot."""
FREE, OPEN, DONE, STATIC, UPDATE = range(5)
"""States of a slot: unused, a call that runs, a call that ended, a spec, an update."""
FIXED = ("config", "metrics", "feedback", "user_properties", "metadata")
"""Fields that a spec can fix, in the order in which a session encodes them."""
FRESH = 1
"""Start value of a checksum. Checksums are not needed after a kill; they find entries that a power
loss left half-written. Adler-32 can be computed with vector instructions and without a library; for
small calls it costs a quarter of CRC-32."""
SMALLEST, LARGEST = 64 * 1024, 1 << 30
"""Bounds of a file's size."""


class DamagedError(ValueError):
    """A file, or a part of it, does not have the format that this version writes."""


class NewerFormatError(Exception):
    """A file was written by a newer version, which can still read it."""


def check_version(head: bytes, magic: bytes) -> None:
    """Raise NewerFormatError if a file begins like `magic` but with a higher number.

    The number is the last word of the magic's line. Files of one kind may be shared by two versions
    of honeytrace, for example during a rolling deployment.
    """
    words, ours = magic.partition(b"\n")[0].rsplit(b" ", 1)
    line, newline, _ = head.partition(b"\n")
    name, _, theirs = line.rpartition(b" ")
    if newline and name == words and theirs.isdigit() and int(theirs) > int(ours):
        raise NewerFormatError(f"it has format {int(theirs)}; this version reads {int(ours)}")


def data_chunks(fd: int, end: int, size: int = 1 << 20) -> Iterator[tuple[int, bytes]]:
    """Read a file up to `end` in pieces of at most `size` bytes, each with its offset.

    Offsets are multiples of `size`. Pieces in which a sparse file has only holes are left out, so
    that an empty gigabyte costs nothing.
    """
    at = 0
    while at < end:
        if hasattr(os, "SEEK_DATA"):
            try:
                at = max(at, os.lseek(fd, at, os.SEEK_DATA) // size * size)
            except OSError as error:
                if error.errno == errno.ENXIO:  # only holes up to the end of the file
                    return
        yield at, os.pread(fd, min(size, end - at), at)
        at += size
