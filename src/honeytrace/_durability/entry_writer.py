"""Entries of any kind and size: everything that does not fit the fast path of `Slots`.

Python code writes calls that are large, chose their id, have updates, failed, or begin when the
journal is full. `Slots` writes the usual call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from .._base.lazy import orjson
from .._capture.external import External, raw_of
from .._capture.hooks import hooks
from .._capture.session import Session
from .._capture.spec import Spec
from .._record.record import Update
from .._record.stamp import root_stamp
from .journal_format import (
    BEHIND,
    BLOCK,
    DONE,
    FIXED,
    FRESH,
    HEAD,
    INLINE,
    KIN,
    OPEN,
    SLOT,
    STATIC,
    TAIL,
    UPDATE,
)
from .slots import Slots, move

Slot = tuple["EntryWriter", int, int, int, "bytes | None", int]
"""A place in a journal, as `Slots` describes it."""

MAX_SPECS = 4096
"""Most specs that are written once and referred to by number; others are written with each call."""
_pack_head, _pack_kin, _pack_tail = HEAD.pack, KIN.pack, TAIL.pack
_NO_KIN = bytes(KIN.size)


class EntryWriter(Slots):
    """A writer of entries that need more than one slot and one block, or unusual fields.

    `unprotected` counts entries for which a full journal had no room. `relieve` is called when the
    journal is full, and returns True if places may have become free.
    """

    def __init__(self, project: str, source: str) -> None:
        """Start with nothing written. project, source: those of sessions that name none."""
        self.unprotected = 0
        self.relieve: Callable[[], bool] = bool
        self._defaults = project, source
        self._known: dict[bytes, tuple[int, int]] = {}
        """Number of each spec that was written, and how many slots and blocks it keeps."""
        self._last: tuple[Session | None, bytes] = (None, b"")
        self._number = count(1).__next__

    def _opened_again(self, s: Session) -> Slot | None:
        """Make room in a full journal and open the call; without room, count it and return None."""
        return self.opened(s) if self._relieved() else None

    def _opened_at_length(self, s: Session, slot: int) -> Slot | None:
        """Open a call of any kind and size in a slot that was taken."""
        number = self._numbers.get(s._spec) or self._tell(s._spec)
        if number and type(s) is External:
            return self._opened_span(s, slot, number)
        parent, kin = s._parent, _NO_KIN if s._parent is None else self._kin(s._parent)
        named = s._id or s._masked or not number or not kin
        extra = self._extra(s, number) if named else b""
        kin = kin or _pack_kin(*_pair(parent), *_pair(s._root))
        return self._put(slot, OPEN, number, extra, _pair(s), kin, s._inputs)

    def _opened_span(self, s: External, slot: int, number: int) -> Slot | None:
        """Open the call that stands for a span of another tracer, whose id was chosen."""
        parent, root, kin = s._parent, s._root, _NO_KIN
        if parent is not None:
            kin = _pack_kin(*_pair(parent), *_pair(root))
            parent, root = parent._id, root._id
        extra = orjson.dumps((s._id, parent, root, s._masked, None, True))
        return self._put(slot, OPEN, number, extra, _pair(s), kin, s._inputs)

    def _closed_at_length(self, s: Session, place: Slot) -> None:
        """Complete a slot at the end of its call.

        If a full journal has no room for that, the slot stays as it was opened.
        """
        _, slot, written, crc, inputs, behind = place
        outputs, more = s._outputs or b"", b""
        if s._extras is not None or s._children or s._failure or s._masked or s._details:
            self._memory.mark(slot, OPEN)  # after an interrupt it may be closed again
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
        """Write an update of a session; return None if the journal is full."""
        fields = {name: data.decode() for name, data in update.fields.items()}
        own = hooks.clock_ns() + hooks.offset_ns, hooks.tick()
        text = orjson.dumps([update.event_id, fields])
        taken: list[int] = []
        try:
            slot = self._take_slot(taken)
            place = self._put(slot, UPDATE, 0, text, own) if slot else None
            if place is not None:
                return place
            if slot:
                self._free.append(slot)
        except BaseException:  # an interrupt
            self._undo(taken[0] if taken else 0)
            raise
        return self.noted(update) if self._relieved() else None

    def _take_slot(self, taken: list[int]) -> int:
        """Move a free slot into `taken`, where an interrupt finds it; return it, 0 for none."""
        with suppress(IndexError):
            move(deque.pop, self._free, taken)
        return taken[0] if taken else 0

    def _relieved(self) -> bool:
        """Ask for room; if there is none, count the item as unprotected."""
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
        """Fill a slot of any size and commit it; return None if there are too few blocks."""
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
        """Return the ids of a parent and its root, kept for the next child; empty for text ids."""
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
        """Return the extra text: chosen ids, the receipt of masking, a spec without number, and
        True for a span of another tracer."""
        parent, root = s._parent, s._root
        ids = [None if each is None else each._id for each in (parent, root)]
        extra: list[Any] = [s._id, *ids, s._masked]
        if not number:
            extra.append(_portrait(s._spec, *self._defaults))
        if isinstance(s, External):  # with a number, `_opened_span` writes it
            extra.append(True)
        return orjson.dumps(extra)

    def _more(self, s: Session, inputs: bytes | None) -> bytes:
        if type(s) is External and (raw := raw_of(s)):
            children = orjson.dumps(s._children) if s._children else b"[]"
            return b'{"children":%b,"raw":%b}' % (children, raw)
        more: dict[str, Any] = {"children": s._children or [], "masked": s._masked}
        if s._inputs is not inputs:
            more["inputs"] = s._inputs and s._inputs.decode()
        if s._failure:
            more["failure"] = s._failure
        if s._details:
            more["details"] = s._details
        if isinstance(s, External):  # the end of a span may say more than its start
            more["span"] = [s._spec.session_name, s._spec.event_type]
        if s._extras:
            more["extras"] = {
                name: data.decode() if isinstance(data, bytes) else data
                for name, data in s._extras.items()
            }
        return orjson.dumps(more)

    def _tell(self, spec: Spec) -> int:
        """Write a spec that calls can refer to by number; return the number, 0 if none is left."""
        portrait = _portrait(spec, *self._defaults)
        key = orjson.dumps(portrait)
        number, _ = self._known.get(key, (0, 0))
        if not number and len(self._known) < MAX_SPECS:
            number = self._write_static(key)
        if number:
            if len(self._numbers) >= MAX_SPECS:  # every `session` block has its own spec
                self._numbers.clear()
            self._numbers[spec] = number
        return number

    def _write_static(self, key: bytes) -> int:
        """Write a spec into a slot that it keeps; return its number, 0 if there is no room."""
        number = self._number()
        taken: list[int] = []
        try:
            slot = self._take_slot(taken)
            if slot and self._put(slot, STATIC, number, key):
                self._known[key] = number, 1 + len(self._chains.get(slot, ()))
                return number
            if slot:
                self._free.append(slot)
        except BaseException:  # an interrupt
            if key not in self._known:
                self._undo(taken[0] if taken else 0)
            raise
        return 0

    def _chain(self, slot: int, data: bytes, crc: int) -> tuple[int, int] | None:
        """Write `data` into blocks that go with the slot.

        Returns the first block and the checksum, which continues from `crc`; None if there are too
        few blocks.
        """
        blocks = self._chains.setdefault(slot, [])
        before = len(blocks)
        if not self._take(len(data), blocks):
            if not before:
                del self._chains[slot]
            return None
        return blocks[before], self._spill(blocks[before:], data, crc)


def _pair(s: Any) -> tuple[int, int]:
    return s._start + s._offset, s._tick


def _portrait(spec: Spec, project: str, source: str) -> list[Any]:
    """Return a spec for JSON: names, its fixed fields, encoded and masked, and its stamps."""
    masked: list[str] = []
    fixed = {
        name: hooks.encode(spec.fixed[name], masked, name).decode()
        for name in FIXED
        if name in spec.fixed
    }
    # among the fixed fields, where versions of honeytrace that do not know the stamp skip it
    fixed["code"], fixed["root"] = spec.stamp.decode(), root_stamp(spec.stamp).decode()
    name = spec.session_name or hooks.session_name
    return [name, spec.project or project, spec.source or source, spec.event_type, fixed, masked]
