import cython
from libc.stdint cimport int64_t

from honeytrace._base.primitives cimport is_plain, joined, plain_tuple, times

cdef Py_ssize_t _SPLICED
cdef double _FIRST, _LAST, _LONGEST, _NANO
cdef int64_t _FOUR
cdef dict _session_names, _event_names
cdef tuple _last_session, _last_event


@cython.locals(fields=tuple, last=tuple, names=bytes)
cpdef pieces(record)

@cython.locals(fields=tuple, last=tuple, names=bytes, lead=bytes)
cpdef event_pieces(record)

@cython.locals(
    id_=str, began=double, lasted=double, whole=int64_t, part=int64_t, nanos=int64_t,
    numbers=bytes,
)
cdef bytes _own(tuple fields, duration)

@cython.locals(inputs=bytes, outputs=bytes, metadata=bytes, rare=bint)
cdef _spliced(bytes names, bytes own, bytes lead, tuple fields)

@cython.locals(inputs=bytes, outputs=bytes, large=list)
cdef _spliced_with(bytes names, bytes own, bytes lead, tuple fields)

cdef void _add(list parts, bytes name, bytes data) except *
