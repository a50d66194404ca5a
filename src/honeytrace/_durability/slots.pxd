import cython
from libc.stdint cimport int64_t, uint32_t

from honeytrace._base.primitives cimport untrack
from honeytrace._capture.running cimport Running
from honeytrace._durability.memory cimport Memory

cdef Py_ssize_t _SLOT, _BLOCK, _INLINE, _TAIL


cdef class Slots:
    cdef dict __dict__
    cdef object __weakref__
    cdef public Memory _memory
    cdef public object _free, _blocks
    cdef public dict _numbers, _chains
    cdef public Py_ssize_t _border
    cdef public bint _retired

    cpdef opened(self, Running s)

    @cython.locals(
        parent=Running, root=Running, inputs=bytes, size=Py_ssize_t, block=Py_ssize_t,
        behind=Py_ssize_t, checksum=uint32_t, start=int64_t, written=Py_ssize_t,
    )
    cdef _usual(self, Running s, Py_ssize_t slot)

    @cython.locals(
        outputs=bytes, size=Py_ssize_t, slot=Py_ssize_t, written=Py_ssize_t, behind=Py_ssize_t,
        chain=uint32_t, checksum=uint32_t,
    )
    cpdef closed(self, Running s, tuple place)

    cpdef release(self, tuple place)

    @cython.locals(place=tuple, free=list)
    cpdef release_run(self, list places)

    @cython.locals(at=Py_ssize_t, room=Py_ssize_t, i=Py_ssize_t, count=Py_ssize_t, block=Py_ssize_t)
    cpdef uint32_t _spill(self, list blocks, bytes data, uint32_t checksum) except? 0

    cdef _take_back(self, Py_ssize_t slot)

    cdef _clear(self, Py_ssize_t slot)
