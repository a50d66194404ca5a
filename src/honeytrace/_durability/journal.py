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
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any
from zlib import crc32

from .._base.lazy import logger, orjson
from .._capture.hooks import hooks
from .._capture.session import Session
from .._capture.spec import Spec
from .._record.record import Update
from .directories import candidates, lock, private, reserve
from .journal_format import (
    BEHIND,
    BLOCK,
    DONE,
    FIXED,
    FRESH,
    HEAD,
    HEADER,
    INLINE,
    KIN,
    LARGEST,
    MAGIC,
    OPEN,
    SLOT,
    SMALLEST,
    STATIC,
    TAIL,
    UPDATE,
)
from .slots import Slots

if TYPE_CHECKING:
    from mmap import mmap

MAX_SPECS = 4096
"""Specs that are written once and referred to by number; later ones go along with each call."""
_pack_head, _pack_kin, _pack_tail = HEAD.pack, KIN.pack, TAIL.pack
_NO_KIN = bytes(KIN.size)

Slot = tuple["Journal", int, int, int, "bytes | None", int]
"""A place in a journal, as `Slots` describes it."""


class Journal(Slots):
    """The writer's side of one file. Made by `create`.

    `unprotected` counts what a full journal could not take. `relieve` is called when it is full,
    and returns whether places may have become free.
    """

    _map: mmap

    def __init__(self, path: str, fd: int, size: int, project: str, source: str) -> None:
        self.path = path
        self.unprotected = 0
        self.relieve: Callable[[], bool] = bool
        self._fd = fd
        self._attach(_mapped(fd, size))
        self._defaults = project, source
        slots = size // 3 // SLOT
        self._border = border = slots * SLOT
        # popped at the end: what was used last is warm
        self._free = deque(range(border - SLOT, 0, -SLOT))
        self._blocks = deque(reversed(range(border, size - BLOCK + 1, BLOCK)))
        self._idle = len(self._free) + len(self._blocks)
        self._chains = {}
        self._numbers = {}
        self._known: dict[bytes, int] = {}
        self._last: tuple[Session | None, bytes] = (None, b"")
        self._number = count(1).__next__
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

    # what only some calls need

    def _opened_again(self, s: Session) -> Slot | None:
        """Journal a call once room was made in a full journal; None, and counted, without room."""
        return self.opened(s) if self._relieved() else None

    def _opened_at_length(self, s: Session, slot: int) -> Slot | None:
        """`opened`, in a slot that was taken, for calls of any kind and size."""
        number = self._numbers.get(s._spec) or self._tell(s._spec)
        parent, kin = s._parent, _NO_KIN if s._parent is None else self._kin(s._parent)
        named = s._id or s._masked or not number or not kin
        extra = self._extra(s, number) if named else b""
        kin = kin or _pack_kin(*_pair(parent), *_pair(s._root))
        place = self._put(slot, OPEN, number, extra, _pair(s), kin, s._inputs)
        return place or self._opened_again(s)

    def _closed_at_length(self, s: Session, place: Slot) -> None:
        """Complete a slot with what is known at the end of its call.

        Where a full journal has no room for that, the slot stays as it was opened.
        """
        _, slot, written, crc, inputs, behind = place
        outputs, more = s._outputs or b"", b""
        if s._extras is not None or s._children or s._failure or s._masked or s._details:
            self._memory.mark(slot, OPEN)  # an interrupt may have it closed again
            more = self._more(s, inputs)
        end, size = s._end + s._offset, len(outputs)
        rest = outputs + more if more else outputs
        at = slot + 8 + written
        if at + TAIL.size + len(rest) <= slot + SLOT:
            tail = _pack_tail(0, size, len(more), end) + rest
        elif behind and len(rest) <= (self._border - behind) % BLOCK:
            crc = self._memory.write(behind, rest, crc)
            tail = _pack_tail(BEHIND, size, len(more), end)
        else:
            chained = self._chain(slot, rest, crc)
            if chained is None:
                if self._relieved():
                    self.closed(s, place)
                return
            first, crc = chained
            tail = _pack_tail(first, size, len(more), end)
        self._memory.write(at, tail, 0)
        self._memory.commit(slot, at + len(tail), crc, DONE)

    def noted(self, update: Update) -> Slot | None:
        """Write later knowledge about a session; None where the journal is full."""
        fields = {name: data.decode() for name, data in update.fields.items()}
        own = hooks.clock_ns() + hooks.offset_ns, hooks.tick()
        try:
            slot = self._free.pop()
        except IndexError:
            return self.noted(update) if self._relieved() else None
        place = self._put(slot, UPDATE, 0, orjson.dumps([update.event_id, fields]), own)
        return place or (self.noted(update) if self._relieved() else None)

    def _relieved(self) -> bool:
        """Ask for room; without any, the item that needs it counts as unprotected."""
        if self.relieve():
            return True
        self.unprotected += 1
        return False

    def _put(
        self,
        slot: int,
        state: int,
        number: int,
        extra: bytes,
        own: tuple[int, int] = (0, 0),
        kin: bytes = _NO_KIN,
        inputs: bytes | None = None,
    ) -> Slot | None:
        """Fill a slot of any size and commit it; where there are too few blocks, give it back."""
        try:
            place = self._filled(slot, state, number, extra, own, kin, inputs)
        except BaseException:  # an interrupt
            self._take_back(slot)
            raise
        if place is None:
            self._free.append(slot)
        return place

    def _filled(
        self,
        slot: int,
        state: int,
        number: int,
        extra: bytes,
        own: tuple[int, int],
        kin: bytes,
        inputs: bytes | None,
    ) -> Slot | None:
        body, chain, crc, behind = extra + (inputs or b""), 0, FRESH, 0
        if len(body) > INLINE:
            chained = self._chain(slot, body, FRESH)
            if chained is None:
                return None
            chain, crc = chained
            if chain >= self._border and len(body) <= BLOCK - 8:
                behind = chain + 8 + len(body)
        data = _pack_head(number, chain, len(extra), len(body) - len(extra), *own) + kin
        if not chain:
            data += body
        self._memory.write(slot + 8, data, 0)
        if state == OPEN:
            self._memory.mark(slot, OPEN)
        else:
            self._memory.commit(slot, slot + 8 + len(data), crc, state)
        return self, slot, len(data), crc, inputs, behind

    def _kin(self, parent: Session) -> bytes:
        """The ids of a parent and its root, kept for the next child; empty where one is a text."""
        last, kin = self._last
        if last is parent:
            return kin
        root = parent if parent._root is None else parent._root
        if parent._id or root._id:
            return b""
        kin = _pack_kin(*_pair(parent), *_pair(root))
        self._last = parent, kin
        return kin

    def _extra(self, s: Session, number: int) -> bytes:
        """The ids that are chosen texts, the receipt of what was masked, a spec without number."""
        parent, root = s._parent, s._root
        ids = [None if each is None else each._id for each in (parent, root)]
        extra = [s._id, *ids, s._masked]
        return orjson.dumps(extra if number else [*extra, _portrait(s._spec, *self._defaults)])

    def _more(self, s: Session, inputs: bytes | None) -> bytes:
        more: dict[str, Any] = {"children": s._children or [], "masked": s._masked}
        if s._inputs is not inputs:
            more["inputs"] = s._inputs and s._inputs.decode()
        if s._failure:
            more["failure"] = s._failure
        if s._details:
            more["details"] = s._details
        if s._extras:
            more["extras"] = {
                name: data.decode() if isinstance(data, bytes) else data
                for name, data in s._extras.items()
            }
        return orjson.dumps(more)

    def _tell(self, spec: Spec) -> int:
        """Write a spec that calls can then refer to by number; 0 where there is no number left."""
        portrait = _portrait(spec, *self._defaults)
        key = orjson.dumps(portrait)
        number = self._known.get(key, 0)
        if not number and len(self._known) < MAX_SPECS:
            number = self._number()
            try:
                slot = self._free.pop()
            except IndexError:
                return 0
            place = self._put(slot, STATIC, number, key)
            if place is None:
                return 0
            self._idle -= 1 + len(self._chains.get(slot, ()))
            self._known[key] = number
        if number:
            if len(self._numbers) >= MAX_SPECS:  # a block brings a spec of its own each time
                self._numbers.clear()
            self._numbers[spec] = number
        return number

    # blocks

    def _chain(self, slot: int, data: bytes, crc: int) -> tuple[int, int] | None:
        """Write `data` into blocks that go with the slot.

        Returns the first block, and the checksum, which goes on from `crc`; None where there are
        too few blocks.
        """
        blocks = self._take(len(data))
        if blocks is None:
            return None
        known = self._chains.get(slot)
        self._chains[slot] = known + blocks if known else blocks
        return blocks[0], self._spill(blocks, data, crc)

    # the file

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


def _pair(s: Any) -> tuple[int, int]:
    return s._start + s._offset, s._tick


def _portrait(spec: Spec, project: str, source: str) -> list[Any]:
    """A spec in JSON's terms: names, then the fields it fixes, encoded and masked."""
    masked: list[str] = []
    fixed = {
        name: hooks.encode(spec.fixed[name], masked, name).decode()
        for name in FIXED
        if name in spec.fixed
    }
    name = spec.session_name or hooks.session_name
    return [name, spec.project or project, spec.source or source, spec.event_type, fixed, masked]
