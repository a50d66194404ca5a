import cython

from honeytrace._base.primitives cimport untrack
from honeytrace._capture.running cimport Running, size_of

cdef bint _compiled
cdef object size_of_item

cpdef Py_ssize_t weigh(item) except -1


cdef class Intake:
    cdef dict __dict__
    cdef public object items, keep
    cdef public Py_ssize_t bytes, _level

    @cython.locals(size=Py_ssize_t)
    cpdef put(self, Running session)

    @cython.locals(taken=list, most=Py_ssize_t, left=Py_ssize_t, size=Py_ssize_t)
    cpdef list take(self, count, room)
