import cython

from honeytrace._base.primitives cimport copied, place_of
from honeytrace._snapshot.name_gate cimport hints, is_harmless_value, may_name
from honeytrace._snapshot.text_gate cimport ends_like_name, suspicious

cdef object interrupts, _dumps, _DATE, _DATETIME, _DECIMAL, _NONE, _UUID, _INT_KEYS
cdef bint _compiled
cdef Py_ssize_t _BUFFER, _NOT_PLAIN, _LONGEST_NAME, _MANY, _PAIR, _SHORTEST_TEXT


cdef class Snapshotter:
    cdef public bint _fast, _own_names, _spelt
    cdef public list _familiar
    cdef public set _harmless
    cdef public object _limits, _redactor, _rules
    cdef public Py_ssize_t _learned, _max_bytes, _max_depth, _max_items, _most_names, _rest, _room
    cdef public Py_ssize_t _most_text, _text_room

    @cython.locals(learned=Py_ssize_t)
    cdef bint _proves(self, value) except -1

    cdef Py_ssize_t _plain(self, value, Py_ssize_t depth, Py_ssize_t room) except -1

    cdef bint _is_id(self, str key) except -1

    @cython.locals(size=Py_ssize_t, numbers=Py_ssize_t, known=set, many=bint)
    cdef Py_ssize_t _plain_dict(self, dict value, Py_ssize_t depth, Py_ssize_t room) except -1

    @cython.locals(size=Py_ssize_t)
    cdef Py_ssize_t _plain_list(self, list value, Py_ssize_t depth, Py_ssize_t room) except -1

    @cython.locals(size=Py_ssize_t)
    cdef Py_ssize_t _plain_tuple(self, tuple value, Py_ssize_t depth, Py_ssize_t room) except -1

    @cython.locals(size=Py_ssize_t, room=Py_ssize_t)
    cdef bint _tells(self, str text) except -1

    cdef bint _is_header(self, name, value) except -1


cdef class Probe(Snapshotter):
    pass
