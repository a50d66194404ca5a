"""Records that no destination takes, kept with their reason until somebody looks at them.

One private file for each, in `refused/` beside the journals; beyond `MOST` they are counted only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

import orjson

from ._journal import DamagedError, private
from ._record import Item, pack, unpack

MOST = 1_000
DIRECTORY = "refused"


class Refused(NamedTuple):
    """A record set aside. `since` is epoch milliseconds."""

    path: str
    reason: str
    since: float
    item: Item


def set_aside(directory: str, item: Item, reason: str) -> bool:
    """Keep `item` in `refused/` of this directory; false where there are too many already.

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
        file.write(head + b"\n" + pack(item))
    return True


def refused(directory: str) -> Iterator[Refused]:
    """What is set aside in `refused/` of this directory, oldest first, as far as it is readable."""
    place = os.path.join(directory, DIRECTORY)
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return
    for name in names:
        with suppress(OSError, ValueError, KeyError, TypeError):
            yield _read(os.path.join(place, name))


def retry(directory: str, deliver: Callable[[Item], bool]) -> tuple[int, int]:
    """Deliver what is set aside once more: how many were taken, how many refused again.

    `deliver` says whether one was taken; what it raises ends the retry.
    """
    taken = again = 0
    for found in list(refused(directory)):
        if not deliver(found.item):
            again += 1
        else:
            with suppress(FileNotFoundError):
                os.unlink(found.path)
            taken += 1
    return taken, again


def _read(path: str) -> Refused:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        head, _, data = file.read().partition(b"\n")
    told = orjson.loads(head)
    try:
        return Refused(path, str(told["reason"]), float(told["since"]), unpack(data))
    except Exception as error:  # hostile bytes may be of any wrong kind
        raise DamagedError(f"{path} is no record") from error
