"""What processes that died have left in their journals, delivered after all.

A journal belongs to the living: only a file whose lock can be had is read. What stands in it is
believed no further than its checksums, and no length in it costs more memory than the file is long.
A file that cannot be read, or not wholly, is set aside in `damaged/` beside it.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import adler32, crc32

import orjson

from ._context import format_id
from ._journal import (
    BLOCK,
    COMMIT,
    DONE,
    FIXED,
    FRESH,
    HEAD,
    HEADER,
    KIN,
    LARGEST,
    MAGIC,
    OPEN,
    SLOT,
    STATIC,
    TAIL,
    UPDATE,
    DamagedError,
    lock,
    owned,
    private,
)
from ._record import OBJECTS, Item, Update, checked, merge_objects
from ._session import Session, Spec
from ._spill import DAMAGED, SUFFIX, begin, frames
from ._spill import HEADER as SPILLED
from ._spill import MAGIC as SPILL_MAGIC
from .sinks import Sink

logger = logging.getLogger("honeytrace")
BATCH_ITEMS, BATCH_BYTES = 500, 4_000_000
_CHUNK = 1 << 20
PAUSES = (0.1, 0.5, 2.0)
"""Seconds before each further chance of a record that failed alone."""


@dataclass
class Recovered:
    """What a recovery found."""

    journals: int = 0
    records: int = 0
    """Calls and updates delivered, the interrupted among them."""
    interrupted: int = 0
    """Calls that were running when their process died."""
    damaged: int = 0
    """Entries that cannot be read; their files are kept in `damaged/`."""


def recover(
    directory: str, deliver: Callable[[list[Item]], object], found: Recovered | None = None
) -> Recovered:
    """Deliver what dead processes left in `directory`, each journal in order of start; remove it.

    `deliver` returns when a batch is safe; what it raises ends the recovery, and what was not
    delivered stays for the next one. A batch may come again, with the same ids, if the process dies
    right after its delivery. Any number of processes may recover at once. Counts go on in `found`.
    """
    found = found or Recovered()
    try:
        owned(directory)
    except FileNotFoundError:
        return found
    except OSError as error:  # somebody else's: nothing in it is ours
        logger.debug("honeytrace recovers nothing in %s: %s", directory, error)
        return found
    # what a process spilled is older than what is in its journal
    failure: Exception | None = None
    for name in sorted(os.listdir(directory), key=lambda name: (name.endswith(".journal"), name)):
        if name.endswith((".journal", SUFFIX)):
            try:
                _recover_file(os.path.join(directory, name), deliver, found)
            except Exception as error:  # noqa: BLE001 - one file never costs another
                failure = failure or error
    if failure is not None:
        raise failure
    return found


def _recover_file(path: str, deliver: Callable[[list[Item]], object], found: Recovered) -> None:
    try:
        # a pipe of that name would make us wait for its writer
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        _set_aside(path, str(error))
        found.damaged += 1
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
                raise DamagedError("it is no regular file")
            if path.endswith(SUFFIX):
                _drain_spill(fd, deliver, found)
            else:
                _drain(Reader(fd), deliver, found)
        except DamagedError as reason:
            _set_aside(path, str(reason))
            found.damaged += 1
        else:
            os.unlink(path)
    finally:
        _held.discard(fd)
        os.close(fd)


_held: set[int] = set()
"""Files that are being recovered; a forked child lets go of them, else their locks outlive us."""


def forget() -> None:
    """In a forked child: what is being recovered is the parent's."""
    while _held:
        os.close(_held.pop())


def _drain(reader: Reader, deliver: Callable[[list[Item]], object], found: Recovered) -> None:
    """Deliver everything; raises DamagedError at the end where something could not be read."""
    found.journals += 1
    batch: list[Item] = []
    offsets: list[int] = []
    room = BATCH_BYTES

    def ship() -> None:
        nonlocal room
        if batch:
            deliver(list(batch))
            found.records += len(batch)
            reader.free(offsets)
            batch.clear()
            offsets.clear()
        room = BATCH_BYTES

    for entry, item in reader.items():
        found.interrupted += entry.state == OPEN
        batch.append(item)
        offsets.append(entry.offset)
        room -= sum(len(part) for part in item if isinstance(part, bytes))
        if len(batch) == BATCH_ITEMS or room <= 0:
            ship()
    ship()
    if reader.damaged:
        raise DamagedError(f"{reader.damaged} entries cannot be read; the others were recovered")


def _drain_spill(fd: int, deliver: Callable[[list[Item]], object], found: Recovered) -> None:
    found.journals += 1
    batch: list[Item] = []
    at = done = begin(fd)

    def ship() -> None:
        deliver(list(batch))
        found.records += len(batch)
        batch.clear()
        os.pwrite(fd, SPILLED.pack(SPILL_MAGIC, done), 0)

    damaged = 0
    for item, end in frames(fd, at):
        if item is None:
            damaged += 1
        else:
            batch.append(item)
        done = end
        if len(batch) == BATCH_ITEMS or done - at > BATCH_BYTES:
            ship()
            at = done
    if batch:
        ship()
    if damaged:
        raise DamagedError(f"{damaged} entries cannot be read; the others were recovered")


def _set_aside(path: str, reason: str) -> None:
    directory, name = os.path.split(path)
    damaged = private(os.path.join(directory, DAMAGED))
    os.replace(path, os.path.join(damaged, name))
    logger.warning("honeytrace set a journal aside in %s: %s: %s", damaged, name, reason)


class Entry(NamedTuple):
    """A slot that is in use; ordered by start."""

    wall: int
    tick: int
    offset: int
    state: int
    parent: tuple[int, int]


class Reader:
    """One journal, locked. Raises DamagedError where the file as a whole is no journal."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.damaged = 0
        self._specs: dict[int, list[Any]] = {}
        self._entries: list[Entry] = []
        self._children: dict[tuple[int, int], list[Entry]] = {}
        self._owners: dict[int, int] = {}
        """Which entry a block belongs to: one at most, else lengths could add up to anything."""
        self._size = os.fstat(fd).st_size
        if self._size > LARGEST:
            raise DamagedError(f"it has {self._size} bytes, more than any journal")
        self._border = self._begin()
        for offset, state in self._used():
            self._note(offset, state)
        self._entries.sort()

    def items(self) -> Iterator[tuple[Entry, Item]]:
        """Everything that can be read, in order of start."""
        for entry in self._entries:
            item = self._attempt(self._item, entry)
            if item is not None:
                yield entry, item

    def free(self, offsets: list[int]) -> None:
        """Mark what has been delivered, so that the next recovery need not repeat it."""
        for offset in offsets:
            os.pwrite(self._fd, b"\0", offset)

    def _begin(self) -> int:
        """Where the blocks begin; the file's end where its process died before it had begun."""
        head = os.pread(self._fd, HEADER.size, 0)
        if not any(any(os.pread(self._fd, _CHUNK, at)) for at in range(0, self._size, _CHUNK)):
            return 0
        if len(head) < HEADER.size:
            raise DamagedError("it is too short")
        magic, size, border, crc = HEADER.unpack(head)
        if magic != MAGIC or crc != crc32(head[:-4]):
            raise DamagedError("it does not begin like a journal")
        if size != self._size or not SLOT <= border <= size or border % SLOT:
            raise DamagedError(f"it has {self._size} bytes and says {size}")
        return int(border)

    def _used(self) -> Iterator[tuple[int, int]]:
        """Offset and state of every slot that is not free."""
        for at in range(0, self._border, _CHUNK):
            states = os.pread(self._fd, min(_CHUNK, self._border - at), at)[::SLOT]
            for index, state in enumerate(states):
                if state and (at or index):  # the first slot is the header
                    yield at + index * SLOT, state

    def _attempt(self, read: Callable[..., Any], *args: Any) -> Any:
        """What `read` gives; None, and counted, where the entry is damaged."""
        try:
            return read(*args)
        except Exception as error:  # noqa: BLE001 - hostile bytes may be of any wrong kind
            self.damaged += 1
            logger.debug("unreadable journal entry: %r", error)
            return None

    def _note(self, offset: int, state: int) -> None:
        if state == STATIC:
            self._attempt(self._learn, offset)
        elif state in (OPEN, DONE, UPDATE):
            packed = self._read(offset + 8, HEAD.size + KIN.size)
            *_, wall, tick = HEAD.unpack_from(packed)
            entry = Entry(wall, tick, offset, state, KIN.unpack_from(packed, HEAD.size)[:2])
            self._entries.append(entry)
            if any(entry.parent):
                self._children.setdefault(entry.parent, []).append(entry)
        else:
            self.damaged += 1

    def _learn(self, offset: int) -> None:
        slot = self._slot(offset, STATIC)
        self._specs[slot.head[0]] = orjson.loads(slot.extra)

    # one entry

    def _item(self, entry: Entry) -> Item:
        slot = self._slot(entry.offset, entry.state)
        if entry.state == UPDATE:
            event_id, fields = orjson.loads(slot.extra)
            update = Update(event_id, {name: data.encode() for name, data in fields.items()})
            return checked(update)
        s = self._session(slot)
        if slot.end is None:
            s._failure = ("interrupted", None, {})
            children = sorted(self._children.get((entry.wall, entry.tick), ()))
            s._children = [self._id(child) for child in children]
        record = s._to_record(s._spec.project or "", s._spec.source or "")
        return checked(record)

    def _id(self, entry: Entry) -> str:
        slot = self._slot(entry.offset, entry.state)
        chosen = orjson.loads(slot.extra)[0] if slot.extra else None
        return str(chosen or format_id(entry.wall, entry.tick))

    def _session(self, slot: _Content) -> Session:
        """The session that was written, as far as its record goes."""
        (number, _, _, _, wall, tick), kin = slot.head, slot.kin
        chosen, parent, root, masked, *portrait = (
            orjson.loads(slot.extra) if slot.extra else (None, None, None, None)
        )
        name, project, source, event_type, fixed, masked_fixed = (
            portrait[0] if number == 0 else self._specs[number]
        )
        s = _stub(wall, tick, chosen)
        s._spec = Spec(name, project=project, source=source, event_type=event_type)
        s._parent = _stub(kin[0], kin[1], parent) if any(kin) else None
        s._root = _stub(kin[2], kin[3], root) if any(kin) else None
        s._inputs = slot.inputs or None
        s._outputs = slot.outputs or None
        s._end = slot.end or 0
        more: dict[str, Any] = orjson.loads(slot.more) if slot.more else {}
        if "inputs" in more:
            s._inputs = more["inputs"] and more["inputs"].encode()
        failure = more.get("failure")
        s._failure = (failure[0], failure[1], failure[2]) if failure else None
        s._children = [c if isinstance(c, str) else tuple(c) for c in more.get("children", ())]
        s._masked = [*(more.get("masked") or masked or []), *masked_fixed] or None
        s._extras = {
            name: data.encode() if name in OBJECTS else data
            for name, data in more.get("extras", {}).items()
        }
        for name in FIXED:
            if name in fixed:
                s._extras[name] = merge_objects(fixed[name].encode(), s._extras.get(name))
        return s

    def _slot(self, offset: int, state: int) -> _Content:
        """The parts of a slot, their checksum verified."""
        end_of_slot = offset + SLOT
        word = COMMIT.unpack(self._read(offset, 8))[0]
        packed = self._read(offset + 8, HEAD.size + KIN.size)
        head, kin = HEAD.unpack_from(packed), KIN.unpack_from(packed, HEAD.size)
        at = offset + 8 + len(packed)
        _, chain, extra, inputs, *_ = head
        if chain:
            body = self._follow(chain, extra + inputs, offset)
            crc = crc32(body, FRESH)
        else:
            body = self._inside(at, extra + inputs, end_of_slot)
            at += len(body)
            packed, crc = packed + body, FRESH
        end, rest, outputs = None, b"", 0
        if state == DONE:
            tail = self._inside(at, TAIL.size, end_of_slot)
            chain, outputs, more, end = TAIL.unpack(tail)
            if chain:
                rest = self._follow(chain, outputs + more, offset)
                crc = crc32(rest, crc)
            else:
                rest = self._inside(at + TAIL.size, outputs + more, end_of_slot)
                tail += rest
            packed += tail
        if state != OPEN and word != adler32(packed, crc) << 8 | state:
            raise DamagedError("the checksum is wrong")
        return _Content(head, kin, body[:extra], body[extra:], end, rest[:outputs], rest[outputs:])

    def _inside(self, at: int, length: int, end: int) -> bytes:
        if at + length > end:
            raise DamagedError("a slot is too short for what it says")
        return self._read(at, length)

    def _follow(self, block: int, length: int, owner: int) -> bytes:
        """The bytes along a chain."""
        if length > self._size:
            raise DamagedError(f"{length} bytes are more than the file has")
        parts: list[bytes] = []
        seen: set[int] = set()
        while length > 0:
            aligned = block < self._border or (block - self._border) % BLOCK == 0
            if block % SLOT or not aligned or block in seen:
                raise DamagedError("a chain is broken")
            if self._owners.setdefault(block, owner) != owner:
                raise DamagedError("two entries claim a block")
            seen.add(block)
            room = (SLOT if block < self._border else BLOCK) - 8
            data = self._read(block, 8 + min(room, length))
            parts.append(data[8:])
            length -= room
            block = COMMIT.unpack(data[:8])[0] >> 8
        return b"".join(parts)

    def _read(self, at: int, length: int) -> bytes:
        data = os.pread(self._fd, length, at) if at < self._size else b""
        if len(data) < length:
            raise DamagedError("it ends too early")
        return data


class _Content(NamedTuple):
    head: tuple[Any, ...]
    kin: tuple[Any, ...]
    extra: bytes
    inputs: bytes
    end: int | None
    outputs: bytes
    more: bytes


def _stub(wall: int, tick: int, chosen: str | None) -> Session:
    """As much of a session as its id takes."""
    s = Session()
    s._start, s._offset, s._tick, s._id = wall, 0, tick, chosen
    return s


def through(
    sink: Sink,
    timeout: float = 60.0,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Callable[[list[Item]], list[tuple[Item, str]]]:
    """A `deliver` that goes by a sink; it returns what is refused, with the reasons.

    A batch that fails is divided until what stops it stands alone; that is refused when it fails
    again and again after nearly all others were taken. Raises ConnectionError where more is not
    taken: the destination is away, or limits its rate. `turn` is entered for each attempt.
    """
    return _Passage(sink, timeout, turn).deliver


@dataclass
class _Passage:
    sink: Sink
    timeout: float
    turn: Callable[[], AbstractContextManager[None]]

    def deliver(self, batch: list[Item]) -> list[tuple[Item, str]]:
        refused: list[tuple[Item, str]] = []
        parts, alone = [batch], list[Item]()
        while parts:
            part = parts.pop()
            left = self._attempt(part, refused)
            if part is batch and left == batch and self._is_away(batch):
                raise ConnectionError("the destination takes nothing")
            if len(left) == 1:
                alone += left
            elif 0 < len(left) < len(part):
                parts.append(left)
            elif left:
                half = len(left) // 2
                parts += left[half:], left[:half]
            if len(alone) > max(1, len(batch) // 10):
                raise ConnectionError("the destination takes only some")
        for pause in PAUSES:
            if alone:
                time.sleep(pause)
                alone = [item for item in alone if self._attempt([item], refused)]
        return refused + [(item, "never taken, while others are") for item in alone]

    def _attempt(self, part: list[Item], refused: list[tuple[Item, str]]) -> list[Item]:
        """What of it is not taken."""
        try:
            with self.turn():
                fate = self.sink.deliver(part, timeout=self.timeout)
        except Exception as error:  # noqa: BLE001 - a sink may raise anything
            logger.debug("recovery: %r", error)
            return part
        if fate.retry_after:
            raise ConnectionError(f"the destination asks to wait {fate.retry_after:g} s")
        refused += fate.refused
        return list(fate.retry)

    def _is_away(self, batch: list[Item]) -> bool:
        """Whether neither end of it is taken, after the whole was not."""
        return len(batch) == 1 or all(self._attempt(end, []) for end in (batch[:1], batch[-1:]))
