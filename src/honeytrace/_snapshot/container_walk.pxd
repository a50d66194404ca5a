import cython

from honeytrace._snapshot.masking cimport Masking
from honeytrace._snapshot.plain cimport PlainMembers

cdef Py_ssize_t _PAIR, _KEY, _LONGEST_KEY, _WORK
cdef object _LOWEST, _HIGHEST, _CYCLE


cdef class ContainerWalk:
    cdef bint _strict
    cdef dict _seen
    cdef Masking _masking
    cdef object _rules
    cdef PlainMembers _plain
    cdef Py_ssize_t _dear, _few, _items, _left, _max_depth, _max_items, _objects
    cdef set _active

    cpdef value(self, value, Py_ssize_t depth)

    @cython.locals(size=Py_ssize_t, kept=Py_ssize_t, deep=Py_ssize_t)
    cdef _list(self, value, Py_ssize_t depth)

    cdef _small(self, value, Py_ssize_t size, Py_ssize_t depth)

    cdef list _members(self, members, Py_ssize_t size, Py_ssize_t depth)

    @cython.locals(dear=Py_ssize_t, masking=Masking, secret_next=bint)
    cpdef list visited(self, members, Py_ssize_t depth)

    cdef _charge(self, Py_ssize_t members, Py_ssize_t dear)

    cdef _known(self, value, kind, Py_ssize_t depth)

    @cython.locals(size=Py_ssize_t, kept=Py_ssize_t)
    cdef _list_of(self, members, Py_ssize_t depth)

    @cython.locals(kept=Py_ssize_t)
    cdef _dict_of(self, pairs, Py_ssize_t depth)

    @cython.locals(size=Py_ssize_t, kept=Py_ssize_t)
    cdef _dict(self, dict value, Py_ssize_t depth)

    @cython.locals(
        done=Py_ssize_t, dear=Py_ssize_t, masking=Masking, tree=dict, name=str, free=str, sensitive=bint
    )
    cdef dict _fields(
        self, list members, Py_ssize_t size, Py_ssize_t depth, bint whole=*
    )

    cdef tuple _key(self, key, Py_ssize_t depth)

    cdef _object(self, value, kind, Py_ssize_t depth)
