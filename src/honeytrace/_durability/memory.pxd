from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef class Memory:
    cdef Py_buffer _view
    cdef uint8_t* _base
    cdef int _guard
    cdef uint8_t* at(self, Py_ssize_t offset) except NULL
    cpdef Py_ssize_t open(self, Py_ssize_t slot, uint32_t number, uint32_t chain, int64_t wall,
                          uint64_t tick, int64_t parent_wall, uint64_t parent_tick,
                          int64_t root_wall, uint64_t root_tick, bytes inputs) except -1
    cpdef close_slot(self, Py_ssize_t slot, Py_ssize_t written, uint32_t chain, int64_t end,
                     bytes outputs, uint32_t checksum)
    cpdef mark(self, Py_ssize_t slot, int state)
    cpdef link(self, Py_ssize_t block, Py_ssize_t following)
    cpdef commit(self, Py_ssize_t slot, Py_ssize_t end, uint32_t checksum, int state)
    cpdef uint32_t write(self, Py_ssize_t offset, bytes data, uint32_t checksum,
                         Py_ssize_t start=*, Py_ssize_t most=*) except? 0
