"""Calls that have not ended, read from the journals of living processes while they are written.

The lock is held only to check that the writer lives, and nothing is written. A slot may be freed
and used again at any moment, so an entry counts only if its slot still belongs to the same call
after it was read.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .._base.lazy import logger
from .._record.record import Record
from .directories import owned
from .journal_format import COMMIT, DONE, FREE, HEAD, OPEN, STATIC, DamagedError, NewerFormatError
from .journal_notes import read_notes
from .journal_reader import Entry, Reader

__all__ = ["Living", "is_living", "journals", "living", "open_calls", "opened"]

_ENDED = 2_000
"""Most ended but undelivered calls that are read from one journal. If there are more, the
destination is away, and reading all of them every time would take too long."""


_TRIES = 3
"""Attempts to read one call, which may end while it is read. A call that were left out could not
be found anywhere until it is stored."""


class Living(NamedTuple):
    """A process that records, and its calls that were all open at one moment, `at`."""

    pid: int
    """The process id in the namespace of the process; 0 if the file's name does not give one."""
    path: str
    at: float
    """Epoch milliseconds."""
    calls: list[Record]
    """In order of start, with status `running`."""


def open_calls(directory: str) -> Iterator[Record]:
    """Yield the calls of living processes whose journal is in `directory`: those that run, with
    status `running`, and those that ended and are not delivered yet.

    A journal that cannot be read now is left out. Without the directory there are no calls.
    """
    for path in journals(directory):
        with opened(path) as fd:
            if fd is not None and is_living(fd):
                yield from _LiveReader(fd, _ENDED).calls()


def living(directory: str) -> Iterator[Living]:
    """Yield the living processes whose journal is in `directory`, also those without an open call.

    A journal that cannot be read now is left out. Without the directory there are no processes.
    """
    for path in journals(directory):
        with opened(path) as fd:
            if fd is not None and is_living(fd):
                pid = os.path.basename(path).partition("-")[0]
                calls, at = _open_together(fd)
                yield Living(int(pid) if pid.isdecimal() else 0, path, at, calls)


def journals(directory: str) -> list[str]:
    """Return the paths of the journals in a directory of this user, in order of name."""
    try:
        names = sorted(os.listdir(owned(directory)))
    except OSError:
        return []
    return [os.path.join(directory, name) for name in names if name.endswith(".journal")]


@contextmanager
def opened(path: str) -> Iterator[int | None]:
    """Open a journal for reading while the block runs; None if it is no file of this user.

    An error in the block that comes of unreadable data ends it without being raised.
    """
    fd = -1
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(fd)
        yield fd if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() else None
    except (OSError, DamagedError, NewerFormatError) as error:
        logger.debug("honeytrace cannot read %s: %s", path, error)
        if fd < 0:
            yield None
    finally:
        if fd >= 0:
            os.close(fd)


def is_living(fd: int) -> bool:
    """Return whether the writer of this journal lives: it holds an exclusive lock until it dies.

    A recovery holds the same lock, after it has marked the journal as that of a dead process.
    """
    return _is_locked(fd) and not read_notes(fd).is_dead


def _is_locked(fd: int) -> bool:
    import fcntl  # not available on Windows, which has no journal either

    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def _open_together(fd: int) -> tuple[list[Record], float]:
    """Return calls that were all open at one moment, and that moment."""
    for attempt in range(_TRIES):
        found, at, missed = _looked_twice(fd)
        if not missed or attempt == _TRIES - 1:
            break
    return sorted(found, key=lambda call: (call.start_time, call.event_id)), at


def _looked_twice(fd: int) -> tuple[list[Record], float, bool]:
    """Return the calls that were open from one look at the slots to the next, the time between
    them, and whether one of these could not be read.

    Calls therefore never appear below a parent that had ended. A parent whose slot the first look
    passed just before it began is added from the second.
    """
    first = _LiveReader(fd)
    read = {entry[:2]: first.call(entry) for entry in first.entries}
    at = time.time() * 1000
    second = _LiveReader(fd)
    still = {entry[:2]: entry for entry in second.entries}
    wanted = [key for key in read if key in still]
    found: dict[tuple[int, int], Record | None] = {}
    while wanted:
        key = wanted.pop()
        # unreadable in the first look: its spec was written after that
        found[key] = call = read.get(key) or second.call(still[key])
        if call is not None and call.end_time is not None:
            found[key] = None
        above = still[key].parent
        if above in still and above not in found:
            wanted.append(above)
    calls = [call for call in found.values() if call is not None]
    return calls, at, len(calls) < len(found)


class _LiveReader(Reader):
    """A reader of a journal that another process writes to at the same time.

    ended: the most ended calls that are noted beside the open ones.
    """

    unended = "running"

    def __init__(self, fd: int, ended: int = 0) -> None:
        self._ended = ended
        super().__init__(fd)

    @property
    def entries(self) -> list[Entry]:
        """The slots that were in use when the reader was made, in order of start."""
        return self._entries

    def calls(self) -> Iterator[Record]:
        """Yield the calls that run or wait for their delivery, in order of start."""
        for entry in self._entries:
            call = self.call(entry)
            if call is not None:
                yield call

    def call(self, entry: Entry) -> Record | None:
        """Return the call as it was at one moment; None if its slot is free or another's by now."""
        state = entry.state
        for _ in range(_TRIES):
            self._owners.clear()  # blocks change hands while the journal is read
            item = self._attempt(self._item, entry._replace(state=state))
            before, state = state, self._state(entry)
            if state == before and isinstance(item, Record):
                return item
            if state not in (OPEN, DONE):
                break
        return None

    def _ids(self, children: list[Entry]) -> list[str]:
        """Return the ids of those that are still there; a store finds the others by parent."""
        ids = []
        for child in children:
            self._owners.clear()
            found = self._attempt(self._id, child)
            if isinstance(found, str) and self._state(child) in (OPEN, DONE):
                ids.append(found)
        return ids

    def _used(self) -> Iterator[tuple[int, int]]:
        ended = 0
        for offset, state in super()._used():
            ended += state == DONE
            if state in (OPEN, STATIC) or (state == DONE and ended <= self._ended):
                yield offset, state

    def _note(self, offset: int, state: int) -> None:
        self._attempt(super()._note, offset, state)

    def _state(self, entry: Entry) -> int:
        """Return the current state of the slot; `FREE` if it belongs to another call by now."""
        packed = self._read(entry.offset, COMMIT.size + HEAD.size)
        *_, wall, tick = HEAD.unpack_from(packed, COMMIT.size)
        return packed[0] if (wall, tick) == (entry.wall, entry.tick) else FREE
