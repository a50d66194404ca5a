import cython

from honeytrace._base.primitives cimport untrack
from honeytrace._capture.running cimport Running, size_of

cdef bint _compiled


cdef class Intake:
    cdef dict __dict__
    cdef public object items, keep
    cdef public Py_ssize_t bytes, _level

    @cython.locals(size=Py_ssize_t)
    cpdef put(self, Running session)
