"""The journal: what is recorded and not yet delivered, in a file that outlives the process.

One memory-mapped file per process, cut into slots that are used again and again. Writing is
copying into the map: no system call, no lock, and the bytes are the kernel's from that moment, so
that `kill -9` costs nothing that was written. A call takes a slot when it begins (`opened`),
completes it when it ends (`closed`), and the slot is free again once a sink has acknowledged it
(`release`). What does not fit a slot goes on in a chain of blocks.

Every state is committed by one aligned store, made last, so that no instant shows half of it. Free
slots come from deques, whose `pop` and `append` are atomic and re-entrant: threads, signal handlers
and finalisers may all record at once.

The owner holds an exclusive `flock` while it lives; `_recovery` reads what the dead have left.
Measured on CPython 3.11: `opened` and `closed` of a small call take about 1 us together.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING
from zlib import crc32

from .._base.lazy import logger
from .directories import candidates, lock, private, reserve
from .entry_writer import EntryWriter, Slot
from .journal_format import (
    BLOCK,
    HEADER,
    LARGEST,
    MAGIC,
    SLOT,
    SMALLEST,
)

if TYPE_CHECKING:
    from mmap import mmap

__all__ = ["Journal", "Slot", "forget_all", "open_journal"]


class Journal(EntryWriter):
    """The writer's side of one file. Made by `create`."""

    _map: mmap

    def __init__(self, path: str, fd: int, size: int, project: str, source: str) -> None:
        super().__init__(project, source)
        self.path = path
        self._fd = fd
        self._attach(_mapped(fd, size))
        slots = size // 3 // SLOT
        self._border = border = slots * SLOT
        # popped at the end: what was used last is warm
        self._free = deque(range(border - SLOT, 0, -SLOT))
        self._blocks = deque(reversed(range(border, size - BLOCK + 1, BLOCK)))
        self._idle = len(self._free) + len(self._blocks)
        self._chains = {}
        self._numbers = {}
        self._retired = False
        _living.add(self)
        head = MAGIC, size, border
        HEADER.pack_into(self._map, 0, *head, crc32(HEADER.pack(*head, 0)[:-4]))

    @classmethod
    def create(cls, directory: str, size: int, project: str = "", source: str = "") -> Journal:
        """A journal of about `size` bytes in `directory`, which is made private to the user.

        `project` and `source` are those of sessions that name none. Raises OSError.
        """
        directory = private(directory)
        size = min(max(size, SMALLEST), LARGEST) // BLOCK * BLOCK
        while True:
            path = os.path.join(directory, f"{os.getpid()}-{os.urandom(6).hex()}.journal")
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(path, flags, 0o600)
            try:
                # a recovery may come across the file before it is locked, and remove it
                if lock(fd) and os.fstat(fd).st_nlink:
                    reserve(fd, size)
                    return cls(path, fd, size, project, source)
            except BaseException:
                os.unlink(path)
                os.close(fd)
                raise
            os.close(fd)

    def _attach(self, memory: mmap) -> None:
        """Write to this memory from now on, and close what there was."""
        before = (self._memory, self._map) if hasattr(self, "_map") else ()
        self._write_to(memory)
        self._map = memory
        for part in before:
            part.close()

    def _detach(self) -> None:
        """Close the memory."""
        self._memory.close()
        self._map.close()

    def sync(self) -> None:
        """Let what is written survive the machine, too: msync, for the flush thread to call."""
        self._map.flush()

    def record_as(self, project: str, source: str) -> None:
        """From now on, sessions that name no project and source are of these."""
        self._defaults = project, source
        self._numbers.clear()

    def is_gone(self) -> bool:
        """Tell whether somebody has deleted or moved the file: no recovery would find it."""
        try:
            found, own = os.stat(self.path), os.fstat(self._fd)
        except OSError as error:
            return isinstance(error, (FileNotFoundError, NotADirectoryError))
        return (found.st_dev, found.st_ino) != (own.st_dev, own.st_ino)

    def in_use(self) -> int:
        """Return the number of calls and updates in the journal."""
        chained = [block for blocks in list(self._chains.values()) for block in blocks]
        small = sum(block < self._border for block in chained)
        slots = self._border // SLOT - 1
        return max(0, slots - len(self._free) - small - len(self._known))

    def retire(self) -> None:
        """Remove the file as soon as nothing in it is needed any more.

        Calls that still run may end in it. What is left when the process ends is recovered.
        """
        self._retired = True
        if self._fd >= 0 and len(self._free) + len(self._blocks) == self._idle:
            free, self._free = self._free, deque()  # from here on nobody gets a slot
            if len(free) + len(self._blocks) < self._idle:
                self._free.extend(free)
                return
            with suppress(OSError):
                os.unlink(self.path)
            self.forget()

    def forget(self) -> None:
        """Let go of the file: in a forked child it is the parent's.

        Calls that began before may still end here, in memory that nobody reads.
        """
        fd, self._fd = self._fd, -1
        _living.discard(self)
        if fd >= 0:
            try:  # pages that are not touched cost nothing
                self._attach(_mapped(-1, len(self._map)))
            except BaseException:
                self._detach()  # what ends here then is told so by a ValueError
                raise
            finally:
                os.close(fd)


_living: set[Journal] = set()
"""Those that have a file."""


def _mapped(fd: int, size: int) -> mmap:
    import mmap  # half a millisecond, and not for `import honeytrace`

    return mmap.mmap(fd, size)


def forget_all() -> None:
    """In a forked child: every journal, the retired that are still in use too, is the parent's."""
    for journal in list(_living):
        journal.forget()


def open_journal(
    directory: str, size: int, project: str = "", source: str = ""
) -> tuple[Journal | None, str | None]:
    """The journal of this process and a warning: in `directory`, else in a fall-back, else none."""
    if sys.platform == "win32":
        return None, "no journal on Windows: what is not delivered does not survive a kill"
    problem: Exception | None = None
    for place in candidates(directory):
        try:
            journal = Journal.create(place, size, project, source)
        except (OSError, ValueError, OverflowError) as error:  # noqa: PERF203 - the next may do
            problem = problem or error
        else:
            if problem:
                logger.info("honeytrace keeps its journal in %s: %s", place, problem)
            return journal, None
    return None, (
        f"cannot keep a journal ({problem}): what is not delivered does not survive a kill; "
        "set journal= (HONEYTRACE_JOURNAL) to a directory of your own with room on its disk"
    )
