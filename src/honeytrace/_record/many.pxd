import cython

from honeytrace._base.primitives cimport plain_tuple

cdef type Record, Update
cdef Py_ssize_t _IN_PIECES


@cython.locals(last=str, own=str)
cpdef bint has_repeats(items) except -1

@cython.locals(roots=list, nested=list, updates=list)
cpdef by_kind(items)

@cython.locals(total=Py_ssize_t, longest=Py_ssize_t, size=Py_ssize_t)
cpdef measured(encoded)
