"""Recovery of the journals that dead processes left.

A living process owns its journal: only a file whose lock is free is read. `journal_reader` reads
journals, and `segment_file` reads records that memory had no room for. A file that is unreadable,
even in part, is set aside in `damaged/` beside it; a refused record in `refused/`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from .._base.lazy import logger
from .._record.record import Item, Record, size_of
from ..sinks import Delivery
from .death import death
from .directories import candidates, lock, owned
from .journal_format import DamagedError, NewerFormatError
from .journal_notes import mark_dead, read_notes
from .journal_reader import Reader
from .quarantine import refused, set_aside, set_file_aside
from .segment_file import HEADER, MAGIC, SUFFIX, begin, frames

BATCH_ITEMS, BATCH_BYTES = 500, 4_000_000
_LEFT = (".journal", SUFFIX)

Deliver = Callable[[list[Item]], "Delivery | None"]
"""A function that takes a batch and returns its fate; None: all delivered, raising: none."""


class AwayError(ConnectionError):
    """The destination takes no more for now; it may have asked to wait `retry_after` seconds."""

    def __init__(self, fate: Delivery) -> None:
        super().__init__(fate.why or "the destination takes no more just now")
        self.retry_after = fate.retry_after


@dataclass
class Recovered:
    """The counts of a recovery."""

    journals: int = 0
    records: int = 0
    """Calls and updates delivered, including the interrupted ones."""
    interrupted: int = 0
    """Calls that were running when their process died."""
    refused: int = 0
    """Calls and updates that the destination does not take."""
    damaged: int = 0
    """Entries that cannot be read; their files are kept in `damaged/`."""


def recover_all(journal: str, deliver: Deliver, found: Recovered | None = None) -> Recovered:
    """Recover every directory that may hold journals of the setting `journal`."""
    found = found or Recovered()
    before = found.refused
    try:
        return _everywhere(journal, recover, deliver, found)
    finally:
        if found.refused > before:
            logger.warning(
                "honeytrace recovered records, %d refused: `honeytrace refused` says why",
                found.refused - before,
            )


def retry_refused(journal: str, deliver: Deliver) -> Recovered:
    """Deliver the records in `refused/` again; those refused again stay. Raises like `recover`."""

    def retry(directory: str, deliver: Deliver, found: Recovered) -> Recovered:
        _drain(_Refused(directory), deliver, lambda item, reason: False, found)
        return found

    return _everywhere(journal, retry, deliver, Recovered())


def _everywhere(
    journal: str,
    act: Callable[[str, Deliver, Recovered], Recovered],
    deliver: Deliver,
    found: Recovered,
) -> Recovered:
    failures: list[Exception] = []
    for directory in candidates(journal):
        try:
            act(directory, deliver, found)
        except Exception as error:  # noqa: BLE001, PERF203 - one directory never costs another
            _heed(error)
            failures.append(error)
    if failures:
        raise failures[0]
    return found


def recover(directory: str, deliver: Deliver, found: Recovered | None = None) -> Recovered:
    """Deliver and remove the journals of dead processes in `directory`, each in order of start.

    If `deliver` leaves items over or raises, the recovery of that journal ends, and the error is
    raised after the other journals. Items that were not delivered stay for the next recovery. A
    batch may be delivered twice, with the same ids, if the process dies right after its delivery.
    Any number of processes may recover at once. The counts are added to `found`. Raises AwayError
    and the errors of `deliver`.
    """
    found = found or Recovered()
    try:
        names = os.listdir(owned(directory))
    except FileNotFoundError:
        return found
    except OSError as error:  # the directory and everything in it belong to another user
        logger.debug("honeytrace recovers nothing in %s: %s", directory, error)
        return found
    # records that a process moved to disk are older than those in its journal
    names.sort(key=lambda name: (name.endswith(".journal"), name))
    paths = [os.path.join(directory, name) for name in names if name.endswith(_LEFT)]
    before = found.records
    failed = _recover_files(paths, deliver, found)
    if failed and found.records > before:  # the destination is up, so a lone record is suspect
        failed = _recover_files(failed, deliver, found)
    if failed:
        raise next(iter(failed.values()))
    return found


def _recover_files(
    paths: Iterable[str], deliver: Deliver, found: Recovered
) -> dict[str, Exception]:
    """Recover each file; return those that could not be recovered, with the reasons."""
    failed: dict[str, Exception] = {}
    for path in paths:
        try:
            _recover_file(path, deliver, found)
        except Exception as error:  # noqa: BLE001, PERF203 - one file never costs another
            _heed(error)
            failed[path] = error
    return failed


def _heed(error: Exception) -> None:
    """Stop if the destination asks to wait."""
    if isinstance(error, AwayError) and error.retry_after:
        raise error


def _recover_file(path: str, deliver: Deliver, found: Recovered) -> None:
    try:
        # opening a pipe of that name would otherwise block until it has a writer
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno in _UNREADABLE:
            logger.debug("honeytrace cannot read %s: %s", path, error)
        elif error.errno in _NO_FILE:
            set_file_aside(path, str(error))
            found.damaged += 1
        else:  # this process lacks descriptors or memory; the file may belong to a living one
            raise
        return
    _held.add(fd)
    try:
        status = os.fstat(fd)
        regular = stat.S_ISREG(status.st_mode)
        if status.st_uid != os.geteuid():
            return
        if regular and not (lock(fd) and os.fstat(fd).st_nlink):
            return
        try:
            if not regular:
                raise DamagedError("it is not a regular file")
            left = _Spilled(fd) if path.endswith(SUFFIX) else _dead(fd)
            found.journals += 1
            _drain(left, deliver, partial(_keep, os.path.dirname(path)), found)
        except NewerFormatError as reason:
            if path not in _newer:
                _newer.add(path)
                logger.warning("honeytrace leaves %s to a newer version: %s; upgrade", path, reason)
        except DamagedError as reason:
            set_file_aside(path, str(reason))
            found.damaged += 1
        else:
            os.unlink(path)
    finally:
        _held.discard(fd)
        os.close(fd)


def _dead(fd: int) -> Reader:
    """Return the reader of a dead process's journal, which is marked as such."""
    reader = Reader(fd)
    if reader.has_begun:
        mark_dead(fd)
        reader.death = death(read_notes(fd), reader.last_start)
    return reader


_NO_FILE = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENODEV)
"""Errors of `open` for a path that is a symbolic link, a directory, a socket or a device."""
_UNREADABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of `open` that may not occur for another user or on another mount."""

_newer: set[str] = set()
"""Files of newer versions that have been reported."""

_held: set[int] = set()
"""Files under recovery; a forked child closes them, because it would hold their locks otherwise."""


def forget() -> None:
    """Close the files under recovery, in a forked child: the parent recovers them."""
    while _held:
        os.close(_held.pop())


class _Left(Protocol):
    """A file that a dead process left. `damaged` is the number of entries that are unreadable."""

    damaged: int

    def items(self) -> Iterator[tuple[int, Item]]:
        """Yield every readable item with its place."""

    def free(self, places: Sequence[int]) -> None:
        """Note that these places are settled, so that the next recovery does not repeat them."""


def _drain(
    left: _Left, deliver: Deliver, keep: Callable[[Item, str], bool], found: Recovered
) -> None:
    """Deliver everything; raises DamagedError at the end if some entries could not be read.

    `keep` is called with each refused item; it returns True if the item may be removed here.
    """
    batch: dict[int, Item] = {}
    room = BATCH_BYTES

    def ship() -> None:
        fate = deliver(list(batch.values())) or Delivery()
        waits = set(map(id, fate.retry))
        kept = {id(item): keep(item, reason) for item, reason in fate.refused}
        settled = [place for place, item in batch.items() if id(item) not in waits]
        left.free([place for place in settled if kept.get(id(batch[place]), True)])
        found.refused += len(kept)
        found.records += len(settled) - len(kept)
        found.interrupted += sum(_was_running(batch[place]) for place in settled)
        if fate.retry:
            raise AwayError(fate)

    for place, item in left.items():
        batch[place] = item
        room -= size_of(item)
        if len(batch) == BATCH_ITEMS or room <= 0:
            ship()
            batch, room = {}, BATCH_BYTES
    if batch:
        ship()
    if left.damaged:
        raise DamagedError(f"{left.damaged} entries cannot be read; the others were recovered")


def _keep(directory: str, item: Item, reason: str) -> bool:
    set_aside(directory, item, reason)
    return True


def _was_running(item: Item) -> bool:
    return isinstance(item, Record) and item.end_time is None


class _Refused:
    """The records set aside in a directory."""

    damaged = 0

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._paths: list[str] = []

    def items(self) -> Iterator[tuple[int, Item]]:
        for each in refused(self._directory):
            self._paths.append(each.path)
            yield len(self._paths) - 1, each.item

    def free(self, places: Sequence[int]) -> None:
        for place in places:
            with suppress(FileNotFoundError):  # two processes retried it at once
                os.unlink(self._paths[place])


class _Spilled:
    """A segment of a disk queue; the place of an item is the offset of its end."""

    def __init__(self, fd: int) -> None:
        self.damaged = 0
        self._fd = fd
        self._begin = begin(fd)
        self._ends: deque[int] = deque()

    def items(self) -> Iterator[tuple[int, Item]]:
        for item, end in frames(self._fd, self._begin):
            if item is None:
                self.damaged += 1
            else:
                self._ends.append(end)
                yield end, item

    def free(self, places: Sequence[int]) -> None:
        """Store the progress: the header holds one place, up to which everything is settled."""
        settled, done = set(places), 0
        while self._ends and self._ends[0] in settled:
            done = self._ends.popleft()
        if done:
            os.pwrite(self._fd, HEADER.pack(MAGIC, done), 0)
