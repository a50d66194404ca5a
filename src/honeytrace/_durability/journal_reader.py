"""One journal of a process that died, read: what stands in it, in order of start.

It is believed no further than its checksums, and no length in it costs more memory than the file is
long.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from zlib import adler32, crc32

import orjson

from .._capture.context import format_id
from .._capture.session import Session, Spec
from .._lazy import logger
from .._record.record import OBJECTS, Item, Update, checked, merge_objects
from .journal import (
    BEHIND,
    BLOCK,
    COMMIT,
    DONE,
    FIRST_MAGIC,
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
)

_CHUNK = 1 << 20


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

    def items(self) -> Iterator[tuple[int, Item]]:
        """Everything that can be read, each with its offset, in order of start."""
        for entry in self._entries:
            item = self._attempt(self._item, entry)
            if item is not None:
                yield entry.offset, item

    def free(self, offsets: Sequence[int]) -> None:
        """Mark what is settled, so that the next recovery need not repeat it."""
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
        if magic not in (MAGIC, FIRST_MAGIC) or crc != crc32(head[:-4]):
            raise DamagedError("it does not begin like a journal")
        if size != self._size or not SLOT <= border <= size or border % SLOT:
            raise DamagedError(f"it has {self._size} bytes and says {size}")
        self._checksum = adler32 if magic == MAGIC else crc32
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
            crc = self._checksum(body, FRESH)
        else:
            body = self._inside(at, extra + inputs, end_of_slot)
            at += len(body)
            packed, crc = packed + body, FRESH
        end, rest, outputs = None, b"", 0
        if state == DONE:
            tail = self._inside(at, TAIL.size, end_of_slot)
            chain, outputs, more, end = TAIL.unpack(tail)
            if chain == BEHIND:
                rest = self._follow(head[1], len(body) + outputs + more, offset)[len(body) :]
                crc = self._checksum(rest, crc)
            elif chain:
                rest = self._follow(chain, outputs + more, offset)
                crc = self._checksum(rest, crc)
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
    s._start, s._offset, s._tick, s._id, s._text = wall, 0, tick, chosen, None
    return s
