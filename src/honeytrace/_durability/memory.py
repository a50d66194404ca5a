"""`Memory`: writes bytes to a mapped journal and commits them with one aligned store at the end.

`memory.pyx` is the same in C: its compiler may not move that store, and it computes the checksum
while it copies the bytes. A closed memory raises ValueError.
"""

from __future__ import annotations

from mmap import mmap
from zlib import adler32

from .bus_error import Guard
from .journal_format import DONE, HEAD, KIN, OPEN, TAIL

_pack_head, _pack_kin, _pack_tail = HEAD.pack, KIN.pack, TAIL.pack


class Memory:
    """A writer to the slots and blocks of one map. Offsets and sizes are in bytes."""

    __slots__ = ("_guard", "_map", "_words")

    def __init__(self, memory: mmap) -> None:
        self._map, self._words = memory, memoryview(memory).cast("Q")
        self._guard = Guard(memory)

    def close(self) -> None:
        """Stop writing."""
        self._guard.release()
        self._words.release()

    def is_lost(self) -> bool:
        """Return whether the map has no file any more, so that nothing written is kept."""
        return self._guard.is_hit

    def open(
        self,
        slot: int,
        number: int,
        chain: int,
        wall: int,
        tick: int,
        parent_wall: int,
        parent_tick: int,
        root_wall: int,
        root_tick: int,
        inputs: bytes | None,
    ) -> int:
        """Write the head and, unless they are in a chain, the inputs; mark the slot open.

        Returns the number of bytes written after the commit word.
        """
        size = 0 if inputs is None else len(inputs)
        data = _pack_head(number, chain, 0, size, wall, tick)
        data += _pack_kin(parent_wall, parent_tick, root_wall, root_tick)
        if inputs and not chain:
            data += inputs
        self._map[slot + 8 : slot + 8 + len(data)] = data
        self._map[slot] = OPEN
        return len(data)

    def close_slot(
        self, slot: int, written: int, chain: int, end: int, outputs: bytes | None, checksum: int
    ) -> None:
        """Write the tail and, unless they are in a chain, the outputs; commit the slot as done."""
        size = 0 if outputs is None else len(outputs)
        data = _pack_tail(chain, size, 0, end)
        if outputs and not chain:
            data += outputs
        at = slot + 8 + written
        self._map[at : at + len(data)] = data
        self.commit(slot, at + len(data), checksum, DONE)

    def mark(self, slot: int, state: int) -> None:
        """Change the state of a slot and nothing else."""
        self._map[slot] = state

    def link(self, block: int, following: int) -> None:
        """Store the next block of a chain; 0 for none."""
        self._words[block >> 3] = following << 8

    def commit(self, slot: int, end: int, checksum: int, state: int) -> None:
        """Store the state of a slot, and the checksum continued over it up to `end`."""
        self._words[slot >> 3] = adler32(self._map[slot + 8 : end], checksum) << 8 | state

    def write(
        self, offset: int, data: bytes, checksum: int, start: int = 0, most: int = 1 << 30
    ) -> int:
        """Copy bytes, at most so many from `start` on; return the checksum continued over them."""
        data = data[start : start + most]
        self._map[offset : offset + len(data)] = data
        return adler32(data, checksum)
