"""Calls that have not ended, read from the journals of living processes while they are written.

Nothing is locked for longer than it takes to see that the writer lives, and nothing is written. A
slot may be freed and used again at any moment, so what was read counts only if the slot still
belongs to the same call afterwards.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from .._base.lazy import logger
from .._record.record import Record
from .directories import owned
from .journal_format import COMMIT, DONE, FREE, HEAD, OPEN, STATIC, DamagedError
from .journal_reader import Entry, Reader

__all__ = ["open_calls"]

_ENDED = 2_000
"""Calls of one journal that ended and are not delivered yet, of which so many are read: beyond it
the destination is away, and reading all of them at every look would take too long."""


_TRIES = 3
"""Readings of one call, which may end while it is read: if it were left out, it would be found
nowhere until it is stored."""


def open_calls(directory: str) -> Iterator[Record]:
    """The calls that run in living processes whose journal is in `directory`, status `running`, and
    those that ended there and are not delivered yet; none where there is no such directory.

    A journal that cannot be read just now is left out.
    """
    try:
        names = sorted(os.listdir(owned(directory)))
    except OSError:
        return
    for name in names:
        if name.endswith(".journal"):
            try:
                yield from _calls(os.path.join(directory, name))
            except (OSError, DamagedError) as error:
                logger.debug("honeytrace cannot see what runs by %s: %s", name, error)


def _calls(path: str) -> Iterator[Record]:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and _lives(fd):
            yield from _LiveReader(fd).calls()
    finally:
        os.close(fd)


def _lives(fd: int) -> bool:
    """Whether the process that writes this journal lives: it holds an exclusive lock until then."""
    import fcntl  # there is none on Windows, and no journal either

    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


class _LiveReader(Reader):
    """A journal that somebody else writes to meanwhile."""

    unended = "running"

    def calls(self) -> Iterator[Record]:
        """The calls that run or wait for their delivery, in order of start."""
        for entry in self._entries:
            state = entry.state
            for _ in range(_TRIES):
                item = self._attempt(self._item, entry._replace(state=state))
                before, state = state, self._state(entry)
                if state == before and isinstance(item, Record):
                    yield item
                    break
                if state not in (OPEN, DONE):
                    break

    def _used(self) -> Iterator[tuple[int, int]]:
        ended = 0
        for offset, state in super()._used():
            ended += state == DONE
            if state in (OPEN, STATIC) or (state == DONE and ended <= _ENDED):
                yield offset, state

    def _note(self, offset: int, state: int) -> None:
        self._attempt(super()._note, offset, state)

    def _state(self, entry: Entry) -> int:
        """The state of the slot now; `FREE` where it no longer belongs to the same call."""
        packed = self._read(entry.offset, COMMIT.size + HEAD.size)
        *_, wall, tick = HEAD.unpack_from(packed, COMMIT.size)
        return packed[0] if (wall, tick) == (entry.wall, entry.tick) else FREE
