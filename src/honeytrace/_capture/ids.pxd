import cython
from libc.stdint cimport int64_t, uint64_t

from honeytrace._base.primitives cimport uuid_text

cdef uint64_t _VARIANT, _COUNTER


@cython.locals(ms=int64_t, fraction=int64_t)
cpdef str format_id(int64_t wall_ns, uint64_t tick)
