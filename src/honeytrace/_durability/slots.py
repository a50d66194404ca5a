"""`Slots`: the path of every call through a journal: `opened`, `closed`, `release`.

The usual call fits one slot, or one slot and one block. A call that is larger, or has more than
inputs and outputs, is written by `entry_writer`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

if not cython.compiled:  # otherwise slots.pxd has them in C
    from .._base.primitives import untrack
    from .memory import Memory

from .journal_format import BEHIND, BLOCK, FREE, FRESH, INLINE, SLOT, TAIL

if TYPE_CHECKING:
    from .._capture.spec import Spec

_SLOT, _BLOCK, _INLINE = SLOT, BLOCK, INLINE
_TAIL = TAIL.size


def move(pop: Any, pool: Any, into: Any) -> None:
    """Move the last place of `pool` to the end of `into`. Raises IndexError if there is none.

    pop: the method `pop` of the type of `pool`. Python looks for signals between two instructions,
    and their handlers may raise. So that no place is then in neither, one function in C does both.
    """
    into.extend(map(pop, (pool,)))


class Slots:
    """The slots and blocks of one journal.

    _free, _blocks: offsets of unused slots and blocks. _border: offset of the first block.
    _chains: the blocks of each slot. _numbers: the number of each spec that was written.
    _retired: the file is removed with the last entry that is needed.

    A place in the journal is a tuple: the journal, the slot, the number of bytes written after the
    commit word, the checksum of the chained bytes, the inputs written, and the offset of free room
    after them in their one block, or 0.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_blocks",
        "_border",
        "_chains",
        "_free",
        "_memory",
        "_numbers",
        "_retired",
    )
    _blocks: deque[int]
    _border: int
    _chains: dict[int, list[int]]
    _free: deque[int]
    _memory: Memory
    _numbers: dict[Spec, int]
    _retired: bool

    def _opened_again(self, s: Any) -> Any:
        """Make room in a full journal and open again; `Journal` does."""
        raise NotImplementedError

    def _opened_at_length(self, s: Any, slot: int) -> Any:
        """Open a call of any kind and size; `Journal` does."""
        raise NotImplementedError

    def _closed_at_length(self, s: Any, place: Any) -> None:
        """Close a call of any kind and size; `Journal` does."""
        raise NotImplementedError

    def retire(self) -> None:
        """Remove the file once nothing in it is needed; `Journal` does."""
        raise NotImplementedError

    def _write_to(self, memory: Any) -> None:
        """Write to this map from now on."""
        self._memory = Memory(memory)

    def opened(self, s: Any) -> Any:
        """Write a call that begins; return None if the journal is full."""
        slot = 0  # the header's, which is never free
        taken: Any = None if cython.compiled else []
        try:
            try:
                if cython.compiled:  # where nobody looks for signals
                    slot = self._free.pop()
                else:
                    move(deque.pop, self._free, taken)
                    slot = taken[0]
            except IndexError:
                return self._opened_again(s)
            place = self._usual(s, slot)
            if place is None:
                place = self._opened_at_length(s, slot)
            if place is not None:
                if cython.compiled:
                    untrack(place)  # it is in no cycle, so the collector need not scan it
                return place
            self._take_back(slot)
        except BaseException:  # an interrupt: the call does not happen
            self._undo(taken[0] if taken else slot)
            raise
        return self._opened_again(s)  # blocks were missing

    def _usual(self, s: Any, slot: int) -> Any:
        """Write a call of the usual kind and size; return None for any other call."""
        number = self._numbers.get(s._spec)
        inputs = s._inputs
        size = 0 if inputs is None else len(inputs)
        if number is None or s._id is not None or s._masked is not None or size > _BLOCK - 8:
            return None
        parent = s._parent
        root = s._root
        if parent is not None and (parent._id is not None or root._id is not None):
            return None
        block = behind = 0
        checksum = FRESH
        if size > _INLINE:
            blocks: list[int] = []
            self._chains[slot] = blocks  # they belong to the slot at once
            try:
                if cython.compiled:
                    blocks.append(self._blocks.pop())
                else:
                    move(deque.pop, self._blocks, blocks)
            except IndexError:
                del self._chains[slot]
                return None
            block = blocks[0]
            behind = block + 8 + size
            self._memory.link(block, 0)
            checksum = self._memory.write(block + 8, inputs, FRESH)
        start = s._start + s._offset
        if parent is None:
            written = self._memory.open(slot, number, block, start, s._tick, 0, 0, 0, 0, inputs)
        else:
            written = self._memory.open(
                slot,
                number,
                block,
                start,
                s._tick,
                parent._start + parent._offset,
                parent._tick,
                root._start + root._offset,
                root._tick,
                inputs,
            )
        return (self, slot, written, checksum, inputs, behind)

    def closed(self, s: Any, place: Any) -> None:
        """Complete a slot at the end of its call."""
        if (
            s._extras is not None
            or s._children is not None
            or s._failure is not None
            or s._masked is not None
            or s._details is not None
        ):
            self._closed_at_length(s, place)
            return
        outputs = s._outputs
        size = 0 if outputs is None else len(outputs)
        slot = place[1]
        written = place[2]
        checksum = place[3]
        behind = place[5]
        chain = 0
        if 8 + written + _TAIL + size > _SLOT:
            if not behind or size > (self._border - behind) % _BLOCK:
                self._closed_at_length(s, place)
                return
            checksum = self._memory.write(behind, outputs, checksum)
            chain = BEHIND
        self._memory.close_slot(slot, written, chain, s._end + s._offset, outputs, checksum)

    def release(self, place: Any) -> None:
        """Free a slot, once: its record is safe elsewhere or was given up."""
        self._take_back(place[1])
        if self._retired:
            self.retire()

    def release_run(self, places: list[Any]) -> None:
        """Free the slots of these places, which are removed from the list."""
        free: list[int] = []
        while places:
            place: Any = places.pop()
            slot = place[1]
            if cython.compiled:
                self._clear(slot)
                free.append(slot)
            else:
                self._take_back(slot)
        self._free.extend(free)
        if self._retired:
            self.retire()

    def _take_back(self, slot: int) -> None:
        """Make a slot and its blocks free again; the slot last, so that `_undo` can repeat it."""
        self._clear(slot)
        self._free.append(slot)

    def _clear(self, slot: int) -> None:
        """Mark a slot as free, and give its blocks back."""
        self._memory.mark(slot, FREE)
        if self._chains and slot in self._chains:
            self._give(self._chains[slot])
            del self._chains[slot]

    def _undo(self, slot: int) -> None:
        """Give a slot back, 0 for none, after an interrupt anywhere between its `pop` and here."""
        if slot and slot not in self._free.copy():
            self._take_back(slot)

    def _take(self, size: int, taken: list[int]) -> bool:
        """Append blocks for `size` bytes, of the kind that fits best; False if there are too few.

        They are in `taken`, which belongs to a slot, at once, so that an interrupt loses none.
        Blocks are popped without a check first, because another thread may be faster.
        """
        before = len(taken)
        while size > 0:
            large = size > _SLOT - 8
            for blocks in (self._blocks, self._free) if large else (self._free, self._blocks):
                try:
                    if cython.compiled:
                        taken.append(blocks.pop())
                    else:
                        move(deque.pop, blocks, taken)
                except IndexError:
                    continue
                break
            else:
                self._give(taken, before)
                return False
            # compiled, an index below 0 is not checked
            size -= (_BLOCK if taken[len(taken) - 1] >= self._border else _SLOT) - 8
        return True

    def _give(self, blocks: list[int], kept: int = 0) -> None:
        """Make the blocks free again, but for the first `kept`."""
        while len(blocks) > kept:
            pool = self._blocks if blocks[len(blocks) - 1] >= self._border else self._free
            if cython.compiled:
                pool.append(blocks.pop())
            else:
                move(list.pop, blocks, pool)

    def _spill(self, blocks: list[int], data: bytes, checksum: int) -> int:
        """Write `data` along a chain; its checksum continues from `checksum`."""
        at = 0
        for i, block in enumerate(blocks):
            room = (_BLOCK if block >= self._border else _SLOT) - 8
            self._memory.link(block, blocks[i + 1] if i + 1 < len(blocks) else 0)
            checksum = self._memory.write(block + 8, data, checksum, at, room)
            at += room
        return checksum
