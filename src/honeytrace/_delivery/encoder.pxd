import cython

from honeytrace._base.primitives cimport identity
from honeytrace._capture.finished cimport Alike, record_of
from honeytrace._capture.running cimport Running
from honeytrace._durability.slots cimport Slots

cdef Py_ssize_t _AT_ONCE
cdef double _STAMPED


cdef class Encoder:
    cdef public object config
    cdef public dict slots
    cdef public Py_ssize_t failed
    cdef double _stamp_due

    @cython.locals(session=Running, alike=Alike)
    cpdef encode(self, waiting, list records)

    cpdef record(self, item)

    cdef _made(self, Running session, Alike alike)

    cpdef release(self, item)

    @cython.locals(slot=tuple, journal=Slots, run=list)
    cpdef release_all(self, items, set kept)
