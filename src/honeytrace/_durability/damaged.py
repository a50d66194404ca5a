"""Files that recovery set aside in `damaged/`, with the number of readable records in each."""

# without `from __future__ import annotations`, for the reason given in _record.record

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from .directories import owned
from .journal_format import DamagedError, NewerFormatError
from .journal_reader import Reader
from .quarantine import DAMAGED
from .segment_file import SUFFIX, begin, frames


class Damaged(NamedTuple):
    """A file that was set aside. `since` is epoch milliseconds, `size` is bytes on disk."""

    path: str
    since: float
    size: int
    readable: int
    """Number of records that can be read; recovery has delivered them."""
    reason: str


def damaged(directory: str) -> Iterator[Damaged]:
    """Yield the files in `damaged/` of this directory, oldest first. Nothing is changed."""
    place = os.path.join(directory, DAMAGED)
    try:
        owned(directory)
        paths = [os.path.join(owned(place), name) for name in os.listdir(place)]
    except OSError:
        return
    found = []
    for path in paths:
        with suppress(OSError):  # another process deleted it meanwhile
            found.append((os.lstat(path), path))
    # the move into `damaged/` sets the ctime
    for status, path in sorted(found, key=lambda each: each[0].st_ctime_ns):
        readable, reason = _read(path, status)
        size = status.st_blocks * 512
        yield Damaged(path, status.st_ctime_ns / 1_000_000, size, readable, reason)


def _read(path: str, status: os.stat_result) -> tuple[int, str]:
    """Return the number of records that can be read, and the fault of the file."""
    if not stat.S_ISREG(status.st_mode):
        return 0, "it is not a regular file"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return 0, str(error)
    try:
        if path.endswith(SUFFIX):
            items = [item for item, _ in frames(fd, begin(fd))]
            bad = items.count(None)
            readable = len(items) - bad
        else:
            reader = Reader(fd)
            readable = sum(1 for _ in reader.items())
            bad = reader.damaged
    except (DamagedError, NewerFormatError, OSError) as error:
        return 0, str(error)
    finally:
        os.close(fd)
    return readable, f"{bad} entries cannot be read"
