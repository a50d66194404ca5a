import cython
from libc.stdint cimport int64_t

from honeytrace._base.primitives cimport is_plain, joined, plain_tuple

cdef Py_ssize_t _SPLICED
cdef double _FIRST, _LAST, _LONGEST, _NANO
cdef int64_t _FOUR, _SIX
cdef dict _session_names, _event_names


@cython.locals(fields=tuple, key=tuple, names=str)
cpdef pieces(record)

@cython.locals(fields=tuple, key=tuple, names=str)
cpdef event_pieces(record)

@cython.locals(
    id_=str, began=double, lasted=double, whole=int64_t, part=int64_t, nanos=int64_t,
    ended=int64_t,
)
cdef bytes _head(str names, str id_name, tuple fields, duration)

@cython.locals(inputs=bytes, outputs=bytes, large=list)
cdef _spliced(list parts, tuple fields)

cdef void _add(list parts, bytes name, bytes data) except *
