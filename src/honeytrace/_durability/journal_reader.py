"""A reader of one journal of a dead process; it returns the entries in order of start.

Only data with a valid checksum is trusted, and no length in the file makes the reader allocate more
memory than the file has bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from zlib import adler32, crc32

import orjson

from .._base.lazy import logger
from .._capture.ids import format_id
from .._record.file_format import checked
from .._record.merge import as_object, is_bare, merge_objects, with_details
from .._record.record import Item, Record, Update
from .journal_format import (
    BEHIND,
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
    check_version,
    data_chunks,
)


class Entry(NamedTuple):
    """A slot that is in use; ordered by start."""

    wall: int
    tick: int
    offset: int
    state: int
    parent: tuple[int, int]


class Reader:
    """A reader of one locked journal. Raises DamagedError if the file as a whole is no journal, and
    NewerFormatError."""

    unended = "interrupted"
    """The status of a call that has not ended."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.damaged = 0
        self.death: dict[str, Any] | None = None
        """Notes about the end of the process, for the details of calls that have not ended."""
        self._specs: dict[int, list[Any]] = {}
        self._entries: list[Entry] = []
        self._children: dict[tuple[int, int], list[Entry]] = {}
        self._owners: dict[int, int] = {}
        """Entry of each block, at most one; otherwise the lengths could add up to any size."""
        self._size = os.fstat(fd).st_size
        if self._size > LARGEST:
            raise DamagedError(f"it has {self._size} bytes, more than any journal")
        self._border = self._begin()
        for offset, state in self._used():
            self._note(offset, state)
        self._entries.sort()

    @property
    def has_begun(self) -> bool:
        """False if the process died before it had written the header."""
        return self._border > 0

    @property
    def last_start(self) -> float | None:
        """Start of the last call in the journal, in epoch milliseconds."""
        return self._entries[-1].wall / 1e6 if self._entries else None

    def items(self) -> Iterator[tuple[int, Item]]:
        """Yield all readable entries with their offsets: calls in order of start, then updates."""
        # a process that stands still between two looks at the clock dates an update before its call
        for entry in sorted(self._entries, key=lambda each: each.state == UPDATE):
            item = self._attempt(self._item, entry)
            if item is not None:
                yield entry.offset, item

    def free(self, offsets: Sequence[int]) -> None:
        """Mark settled entries, so that the next recovery does not repeat them."""
        for offset in offsets:
            os.pwrite(self._fd, b"\0", offset)

    def _begin(self) -> int:
        """Return the offset of the blocks; 0 if the process died before it had begun."""
        head = os.pread(self._fd, HEADER.size, 0)
        check_version(head, MAGIC)
        if not any(head) and not any(d.strip(b"\0") for _, d in data_chunks(self._fd, self._size)):
            return 0
        if len(head) < HEADER.size:
            raise DamagedError("it is too short")
        magic, size, border, crc = HEADER.unpack(head)
        if magic != MAGIC or crc != crc32(head[:-4]):
            raise DamagedError("it does not begin like a journal")
        if size != self._size or not SLOT <= border <= size or border % SLOT:
            raise DamagedError(f"it has {self._size} bytes, but its header gives {size}")
        return int(border)

    def _used(self) -> Iterator[tuple[int, int]]:
        """Yield the offset and state of every slot that is not free."""
        for at, data in data_chunks(self._fd, self._border):
            for index, state in enumerate(data[::SLOT]):
                if state and (at or index):  # the first slot is the header
                    yield at + index * SLOT, state

    def _attempt(self, read: Callable[..., Any], *args: Any) -> Any:
        """Call `read`; if the entry is damaged, count it and return None."""
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
        children: list[Any] = []
        if slot.end is None:
            children = self._ids(sorted(self._children.get((entry.wall, entry.tick), ())))
        return checked(self._record(slot, children))

    def _ids(self, children: list[Entry]) -> list[str]:
        return [self._id(child) for child in children]

    def _id(self, entry: Entry) -> str:
        slot = self._slot(entry.offset, entry.state)
        chosen = orjson.loads(slot.extra)[0] if slot.extra else None
        return str(chosen or format_id(entry.wall, entry.tick))

    def _record(self, slot: _Content, children: list[Any]) -> Record:
        """Return the record of a call. `children` are those of a call that has not ended."""
        (number, _, _, _, wall, tick), kin = slot.head, slot.kin
        chosen, parent, root, masked, *portrait = (
            orjson.loads(slot.extra) if slot.extra else (None, None, None, None)
        )
        name, project, source, event_type, fixed, masked_fixed = (
            portrait[0] if number == 0 else self._specs[number]
        )
        more = _more(slot)
        inputs, outputs = slot.inputs or None, more["outputs"]
        if "inputs" in more:
            inputs = more["inputs"] and more["inputs"].encode()
        extras = more.get("extras", {})
        name, event_type = more.get("span") or (name, event_type)
        failure = more.get("failure")
        if slot.end is None:
            failure = (self.unended, None, {"process": self.death} if self.death else {})
        else:
            children = [
                c if isinstance(c, str) else format_id(*c) for c in more.get("children", ())
            ]
        session_id = root_id = chosen or format_id(wall, tick)
        parent_id = None
        if any(kin):
            parent_id, root_id = parent or format_id(*kin[:2]), root or format_id(*kin[2:])
        details, kind = more.get("details") or {}, event_type
        if parent_id is None:
            details, kind = _of_root(details, event_type, is_span=len(portrait) > 1)
        receipt = [*(more.get("masked") or masked or []), *masked_fixed]
        stamps = [fixed.get("root" if parent_id is None else "code", "").encode()]
        if is_bare(outputs):
            stamps.append(b'"bare":true')
        fields = _merged(fixed, extras)
        fields["metadata"] = with_details(
            fields["metadata"],
            parent_id,
            root_id,
            event_type,
            failure,
            receipt,
            details,
            b",".join(filter(None, stamps)),
        )
        return Record(
            event_id=session_id,
            session_id=session_id,
            parent_id=parent_id,
            root_id=root_id,
            event_type=kind,
            event_name=extras.get("session_name") or name,
            project=extras.get("project") or project,
            source=extras.get("source") or source,
            status=failure[0] if failure else "ok",
            start_time=wall / 1e6,
            end_time=None if slot.end is None else -(-slot.end // 1_000_000),
            duration=None if slot.end is None else (slot.end - wall) / 1e6,
            error=failure[1] if failure else None,
            children_ids=orjson.dumps(children),
            inputs=as_object(inputs),
            outputs=as_object(outputs),
            **fields,
        )

    def _slot(self, offset: int, state: int) -> _Content:
        """Return the parts of a slot after verifying their checksum."""
        end_of_slot = offset + SLOT
        word = COMMIT.unpack(self._read(offset, 8))[0]
        packed = self._read(offset + 8, HEAD.size + KIN.size)
        head, kin = HEAD.unpack_from(packed), KIN.unpack_from(packed, HEAD.size)
        at = offset + 8 + len(packed)
        _, chain, extra, inputs, *_ = head
        if chain:
            body = self._follow(chain, extra + inputs, offset)
            crc = adler32(body, FRESH)
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
                crc = adler32(rest, crc)
            elif chain:
                rest = self._follow(chain, outputs + more, offset)
                crc = adler32(rest, crc)
            else:
                rest = self._inside(at + TAIL.size, outputs + more, end_of_slot)
                tail += rest
            packed += tail
        if state != OPEN and word != adler32(packed, crc) << 8 | state:
            raise DamagedError("the checksum is wrong")
        return _Content(head, kin, body[:extra], body[extra:], end, rest[:outputs], rest[outputs:])

    def _inside(self, at: int, length: int, end: int) -> bytes:
        if at + length > end:
            raise DamagedError("a slot is too short for its lengths")
        return self._read(at, length)

    def _follow(self, block: int, length: int, owner: int) -> bytes:
        """Return the bytes along a chain."""
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


def _merged(fixed: Mapping[str, str], added: Mapping[str, str]) -> dict[str, bytes | None]:
    """Return the object fields of a call: those of its decorator, and over them those it added."""
    return {
        name: merge_objects(
            fixed[name].encode() if name in fixed else None,
            added[name].encode() if name in added else None,
        )
        for name in FIXED
    }


def _of_root(
    details: dict[str, Any], event_type: str, *, is_span: bool
) -> tuple[dict[str, Any], str]:
    """Return the details and the type of a root: a span of another tracer keeps its own type."""
    if not is_span or event_type == "chain":
        return details, "session"
    return {**details, "event_type": event_type}, event_type


def _more(slot: _Content) -> dict[str, Any]:
    """Return what the end of a call has written besides inputs, and its outputs."""
    more: dict[str, Any] = {"outputs": slot.outputs or None}
    if slot.more:
        more |= orjson.loads(slot.more)
    if "raw" in more:
        # not above: commands that read journals need nothing else of what records
        from .._capture.external import recovered_fields

        more |= recovered_fields(more["raw"], not any(slot.kin))
    return more


class _Content(NamedTuple):
    head: tuple[Any, ...]
    kin: tuple[Any, ...]
    extra: bytes
    inputs: bytes
    end: int | None
    outputs: bytes
    more: bytes
