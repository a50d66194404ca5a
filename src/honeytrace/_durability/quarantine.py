"""Quarantine: records and files that cannot be delivered, kept beside the journals for a person.

A record that no destination takes is written to a private file in `refused/`, with its reason;
beyond `MOST` files, records are only counted. A file that is only partly readable is moved to
`damaged/`; beyond `MOST_FILES` or `MOST_BYTES` the oldest files there are deleted.
"""

# without `from __future__ import annotations`, for the reason given in _record.record

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from .._base.directories import keep_private
from .._base.lazy import logger, orjson
from .._record.file_format import pack, unpack
from .._record.record import Item
from .directories import owned, private
from .journal_format import DamagedError

MOST = 1_000
DIRECTORY = "refused"
MOST_FILES, MOST_BYTES = 100, 256 * 1024 * 1024
DAMAGED = "damaged"
_LARGEST = 256 * 1024 * 1024
"""Largest file in bytes that is read as a record."""


class Refused(NamedTuple):
    """A record that was set aside. `since` is epoch milliseconds."""

    path: str
    reason: str
    since: float
    item: Item


def set_aside(directory: str, item: Item, reason: str) -> bool:
    """Keep `item` in `refused/` of this directory; return False if there are too many already.

    Raises OSError.
    """
    private(directory)
    place = private(os.path.join(directory, DIRECTORY))
    if len(os.listdir(place)) >= MOST:
        return False
    now = time.time_ns()
    head = orjson.dumps({"reason": reason, "since": now / 1e6})
    path = os.path.join(place, f"{now}-{os.urandom(4).hex()}.json")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        keep_private(fd)
        file.write(head + b"\n" + pack(item))
    return True


def refused(directory: str) -> Iterator[Refused]:
    """Yield the readable records in `refused/` of this directory, oldest first."""
    place = os.path.join(directory, DIRECTORY)
    try:
        owned(directory)
        names = sorted(os.listdir(owned(place)))
    except OSError:
        return
    for name in names:
        with suppress(OSError, ValueError, KeyError, TypeError):
            yield _read(os.path.join(place, name))


def _read(path: str) -> Refused:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        if os.fstat(fd).st_size > _LARGEST:
            raise DamagedError(f"{path} is not a record")
        head, _, data = file.read().partition(b"\n")
    told = orjson.loads(head)
    try:
        return Refused(path, str(told["reason"]), float(told["since"]), unpack(data))
    except Exception as error:  # hostile bytes may be of any wrong kind
        raise DamagedError(f"{path} is not a record") from error


def set_file_aside(path: str, reason: str) -> None:
    """Move this file to `damaged/` of its directory; it may replace the oldest files there.

    Raises OSError.
    """
    directory, name = os.path.split(path)
    place = private(os.path.join(directory, DAMAGED))
    os.replace(path, os.path.join(place, name))
    logger.warning("honeytrace set a journal aside in %s: %r: %s", place, name, reason)
    gone = 0
    with suppress(OSError):  # the directory cannot be listed now: the next file prunes it
        for each in list(_beyond(place)):
            with suppress(OSError):  # another process was faster, or it is a directory
                os.unlink(each)
                gone += 1
    if gone:
        logger.warning("honeytrace deleted the oldest %d files in %s", gone, place)


def _beyond(place: str) -> Iterator[str]:
    """Yield the files beyond the bounds; the newest file always stays."""
    found: list[tuple[int, int, str]] = []
    for name in os.listdir(place):
        path = os.path.join(place, name)
        with suppress(FileNotFoundError):
            status = os.lstat(path)
            # the move sets its ctime; a sparse file takes less than its size
            found.append((status.st_ctime_ns, status.st_blocks * 512, path))
    found.sort(reverse=True)
    room = MOST_BYTES
    for number, (_, size, path) in enumerate(found):
        room -= size
        if number and (number >= MOST_FILES or room < 0):
            yield path
