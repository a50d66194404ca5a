# cython: language_level=3, boundscheck=False, wraparound=False, binding=False
"""`memory.py` in C: copies into the map, and one store that commits them."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from "memory.h":
    void store_byte(uint8_t* at, uint8_t byte)
    void store_word(uint8_t* at, uint64_t word)
    uint32_t adler32(uint32_t before, const uint8_t* data, uint8_t* to, size_t size)
    int guard(uint8_t* base, size_t size)
    void unguard(int index)
    bint was_hit(int index)

cdef packed struct Head:
    uint32_t number, chain, extra, inputs
    int64_t wall
    uint64_t tick
    int64_t parent_wall
    uint64_t parent_tick
    int64_t root_wall
    uint64_t root_tick

cdef packed struct Tail:
    uint32_t chain, outputs, more, padding
    int64_t end

cdef class Memory:
    """See `memory.py`."""

    def __init__(self, memory):
        PyObject_GetBuffer(memory, &self._view, PyBUF_WRITABLE)
        self._base = <uint8_t*>self._view.buf
        self._guard = guard(self._base, self._view.len)

    def close(self):
        if self._base != NULL:
            self._base = NULL
            unguard(self._guard)
            PyBuffer_Release(&self._view)

    def __dealloc__(self):
        self.close()

    def is_lost(self):
        return was_hit(self._guard)

    cdef uint8_t* at(self, Py_ssize_t offset) except NULL:
        if self._base == NULL:
            raise ValueError("the journal is closed")
        return self._base + offset

    cpdef Py_ssize_t open(self, Py_ssize_t slot, uint32_t number, uint32_t chain, int64_t wall,
                          uint64_t tick, int64_t parent_wall, uint64_t parent_tick,
                          int64_t root_wall, uint64_t root_tick, bytes inputs) except -1:
        cdef Py_ssize_t size = 0 if inputs is None else PyBytes_GET_SIZE(inputs)
        cdef Head* head = <Head*>(self.at(slot) + 8)
        head.number, head.chain, head.extra, head.inputs = number, chain, 0, size
        head.wall, head.tick = wall, tick
        head.parent_wall, head.parent_tick = parent_wall, parent_tick
        head.root_wall, head.root_tick = root_wall, root_tick
        if chain:
            size = 0
        elif size:
            memcpy(<uint8_t*>head + sizeof(Head), PyBytes_AS_STRING(inputs), size)
        store_byte(self._base + slot, 1)
        return sizeof(Head) + size

    cpdef close_slot(self, Py_ssize_t slot, Py_ssize_t written, uint32_t chain, int64_t end,
                     bytes outputs, uint32_t checksum):
        cdef Py_ssize_t size = 0 if outputs is None else PyBytes_GET_SIZE(outputs)
        cdef uint8_t* start = self.at(slot) + 8
        cdef Tail* tail = <Tail*>(start + written)
        tail.chain, tail.outputs, tail.more, tail.padding, tail.end = chain, size, 0, 0, end
        written += sizeof(Tail)
        if size and not chain:
            memcpy(start + written, PyBytes_AS_STRING(outputs), size)
            written += size
        checksum = adler32(checksum, start, NULL, written)
        store_word(self._base + slot, <uint64_t>checksum << 8 | 2)

    cpdef mark(self, Py_ssize_t slot, int state):
        store_byte(self.at(slot), state)

    cpdef link(self, Py_ssize_t block, Py_ssize_t following):
        store_word(self.at(block), <uint64_t>following << 8)

    cpdef commit(self, Py_ssize_t slot, Py_ssize_t end, uint32_t checksum, int state):
        checksum = adler32(checksum, self.at(slot) + 8, NULL, end - slot - 8)
        store_word(self._base + slot, <uint64_t>checksum << 8 | state)

    cpdef uint32_t write(self, Py_ssize_t offset, bytes data, uint32_t checksum,
                         Py_ssize_t start=0, Py_ssize_t most=1 << 30) except? 0:
        most = min(most, PyBytes_GET_SIZE(data) - start)
        return adler32(checksum, <const uint8_t*>PyBytes_AS_STRING(data) + start, self.at(offset),
                       max(most, 0))
