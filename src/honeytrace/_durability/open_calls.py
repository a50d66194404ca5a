"""Calls that have not ended, read from the journals of living processes while they are written.

The lock is held only to check that the writer lives, and nothing is written. A slot may be freed
and used again at any moment, so an entry counts only if its slot still belongs to the same call
after it was read.
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
"""Most ended but undelivered calls that are read from one journal. If there are more, the
destination is away, and reading all of them every time would take too long."""


_TRIES = 3
"""Attempts to read one call, which may end while it is read. A call that were left out could not
be found anywhere until it is stored."""


def open_calls(directory: str) -> Iterator[Record]:
    """Yield the calls of living processes whose journal is in `directory`: those that run, with
    status `running`, and those that ended and are not delivered yet.

    A journal that cannot be read now is left out. Without the directory there are no calls.
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
                logger.debug("honeytrace cannot read the open calls in %s: %s", name, error)


def _calls(path: str) -> Iterator[Record]:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and _lives(fd):
            yield from _LiveReader(fd).calls()
    finally:
        os.close(fd)


def _lives(fd: int) -> bool:
    """Return whether the writer of this journal lives; it holds an exclusive lock until it dies."""
    import fcntl  # not available on Windows, which has no journal either

    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


class _LiveReader(Reader):
    """A reader of a journal that another process writes to at the same time."""

    unended = "running"

    def calls(self) -> Iterator[Record]:
        """Yield the calls that run or wait for their delivery, in order of start."""
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
        """Return the current state of the slot; `FREE` if it belongs to another call by now."""
        packed = self._read(entry.offset, COMMIT.size + HEAD.size)
        *_, wall, tick = HEAD.unpack_from(packed, COMMIT.size)
        return packed[0] if (wall, tick) == (entry.wall, entry.tick) else FREE
