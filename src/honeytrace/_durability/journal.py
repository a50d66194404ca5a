"""The journal: recorded sessions that are not yet delivered, in a file that outlives the process.

Each process has one memory-mapped file, divided into slots that are used again and again. Writing
copies into the map: there is no system call and no lock, and the bytes belong to the kernel at
once, so `kill -9` loses nothing that was written. A call takes a slot when it begins (`opened`) and
completes it when it ends (`closed`). The slot is free again once a sink has acknowledged the call
(`release`). Data that does not fit a slot continues in a chain of blocks.

Every state is committed by one aligned store, made last, so that no half state is ever visible.
Free slots come from deques, whose `pop` and `append` are atomic and re-entrant: threads, signal
handlers and finalisers may all record at once.

The owner holds an exclusive `flock` while it lives; `recovery` reads the files of dead processes.
Measured on CPython 3.11: `opened` and `closed` of a small call take about 1 us together.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING
from zlib import crc32

from .._base.directories import keep_private
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
from .journal_notes import PULSE, write_end, write_facts, write_seen

if TYPE_CHECKING:
    from mmap import mmap

__all__ = ["Journal", "Slot", "forget_all", "note_exit", "open_journal"]


class Journal(EntryWriter):
    """The writer of one journal file. `create` makes it."""

    _map: mmap
    _head: bytes
    """The header of the file, which is never changed."""

    def __init__(self, path: str, fd: int, size: int, project: str, source: str) -> None:
        super().__init__(project, source)
        self.path = path
        self._fd = fd
        self._attach(_mapped(fd, size))
        slots = size // 3 // SLOT
        self._border = border = slots * SLOT
        # popped at the end: the slot that was used last is in the cache
        self._free = deque(range(border - SLOT, 0, -SLOT))
        self._blocks = deque(reversed(range(border, size - BLOCK + 1, BLOCK)))
        self._room = len(self._free) + len(self._blocks)
        self._chains = {}
        self._numbers = {}
        self._retired = False
        _living.add(self)
        head = HEADER.pack(MAGIC, size, border, 0)[:-4]
        self._head = head + crc32(head).to_bytes(4, "little")
        self._memory.write(0, self._head, 0)
        write_facts(self._memory)

    @classmethod
    def create(cls, directory: str, size: int, project: str = "", source: str = "") -> Journal:
        """Create a journal of about `size` bytes in `directory`, which is made private to the user.

        `project` and `source` are those of sessions that name none. Raises OSError.
        """
        directory = private(directory)
        size = min(max(size, SMALLEST), LARGEST) // BLOCK * BLOCK
        while True:
            path = os.path.join(directory, f"{os.getpid()}-{os.urandom(6).hex()}.journal")
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(path, flags, 0o600)
            try:
                keep_private(fd)
                # a recovery may find the file before it is locked, and remove it
                if lock(fd) and os.fstat(fd).st_nlink:
                    reserve(fd, size)
                    return cls(path, fd, size, project, source)
            except BaseException:
                os.unlink(path)
                os.close(fd)
                raise
            os.close(fd)

    def _attach(self, memory: mmap) -> None:
        """Write to this memory from now on, and close the previous one."""
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
        """Write the map to the disk with msync, so that it survives a power loss, too."""
        self._map.flush()

    def beat(self) -> float | None:
        """Note that the process lives; return the seconds to the next note, None if no call is
        open and nothing waits: a process that does nothing need not wake up."""
        if self._fd < 0 or len(self._free) + len(self._blocks) == self._idle:
            return None
        with suppress(ValueError):  # another thread let go of the file meanwhile
            write_seen(self._memory)
        return PULSE

    def record_as(self, project: str, source: str) -> None:
        """Set the project and source of sessions that name none, from now on."""
        self._defaults = project, source
        self._numbers.clear()

    def is_gone(self) -> bool:
        """Return whether no recovery would find what is written: the file was deleted, moved,
        truncated or overwritten, or its disk failed."""
        if self._memory.is_lost():
            return True
        try:
            found, own = os.stat(self.path), os.fstat(self._fd)
            head = os.pread(self._fd, len(self._head), 0)
        except OSError as error:
            return isinstance(error, (FileNotFoundError, NotADirectoryError))
        same = (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)
        return not same or own.st_size != len(self._map) or head != self._head

    @property
    def _idle(self) -> int:
        """Number of slots and blocks that are free when no call is open."""
        return self._room - sum(kept for _, kept in list(self._known.values()))

    def in_use(self) -> int:
        """Return the number of calls and updates in the journal."""
        chained = [block for blocks in list(self._chains.values()) for block in blocks]
        small = sum(block < self._border for block in chained)
        slots = self._border // SLOT - 1
        return max(0, slots - len(self._free) - small - len(self._known))

    def retire(self) -> None:
        """Remove the file as soon as nothing in it is needed any more.

        Calls that still run may end in it. Entries left when the process ends are recovered.
        """
        self._retired = True
        if self._fd >= 0 and len(self._free) + len(self._blocks) == self._idle:
            free, self._free = self._free, deque()  # from here on no call gets a slot
            if len(free) + len(self._blocks) < self._idle:
                self._free.extend(free)
                return
            with suppress(OSError):
                os.unlink(self.path)
            self.forget()

    def forget(self) -> None:
        """Let go of the file, in a forked child: it belongs to the parent.

        Calls that began before may still end here, in memory that nobody reads.
        """
        fd, self._fd = self._fd, -1
        _living.discard(self)
        if fd >= 0:
            try:  # untouched pages cost nothing
                self._attach(_mapped(-1, len(self._map)))
            except BaseException:
                self._detach()  # a call that ends here later gets a ValueError
                raise
            finally:
                os.close(fd)


_living: set[Journal] = set()
"""The journals that have a file."""


def _mapped(fd: int, size: int) -> mmap:
    import mmap  # half a millisecond, so not at `import honeytrace`

    return mmap.mmap(fd, size)


def forget_all() -> None:
    """Let go of every journal, also the retired ones, in a forked child: the parent owns them."""
    for journal in list(_living):
        journal.forget()


def note_exit() -> None:
    """Note in every journal that still has calls that the interpreter ended in order."""
    for journal in list(_living):
        with suppress(ValueError):  # its memory is closed
            write_end(journal._memory)


def open_journal(
    directory: str, size: int, project: str = "", source: str = ""
) -> tuple[Journal | None, str | None]:
    """Return a journal in `directory`, otherwise in a fall-back, otherwise none; and a warning."""
    if sys.platform == "win32":
        return None, "no journal on Windows: undelivered records do not survive a kill"
    problem: Exception | None = None
    for place in candidates(directory):
        try:
            journal = Journal.create(place, size, project, source)
        except (OSError, ValueError, OverflowError) as error:  # noqa: PERF203 - the next may work
            problem = problem or error
        else:
            if problem:
                logger.info("honeytrace keeps its journal in %s: %s", place, problem)
            return journal, None
    return None, (
        f"cannot keep a journal ({problem}): undelivered records do not survive a kill; "
        "set journal= (HONEYTRACE_JOURNAL) to a directory of your own with room on its disk"
    )
