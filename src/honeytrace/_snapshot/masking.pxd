import cython

from honeytrace._base.primitives cimport find
from honeytrace._snapshot.plain cimport Room
from honeytrace._snapshot.text_gate cimport suspicious


cdef Py_ssize_t _MOST_NAMES, _LONGEST_NAME, _SHORTEST, _SHORTEST_SUSPECT, _SHORT_TEXT, _TEXT


@cython.locals(size=Py_ssize_t)
cdef bint _is_harmless(str text) except -1


cdef class Masking:
    cdef Room _room
    cdef bint _gated
    cdef Py_ssize_t _longest, _most, _text_room
    cdef dict _names
    cdef list _path
    cdef object _receipt, _redactor
    cdef public object sensitive

    cpdef enter(self, name)
    cpdef leave(self)
    cpdef str mask(self, name=*)
    cpdef tuple name(self, str key)
    @cython.locals(size=Py_ssize_t, room=Py_ssize_t, left_out=Py_ssize_t, longest=Py_ssize_t)
    cpdef str bounded(self, str text)
    @cython.locals(room=Py_ssize_t)
    cpdef str string(self, str text)
    cpdef str said(self, text)
    cpdef bint hides(self, str name, value, list members) except -1
    cpdef bint argument(self, str item) except -1
    cpdef header(self, item)
