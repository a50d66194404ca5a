import cython
from libc.stdint cimport int64_t, uint64_t

from honeytrace._base.primitives cimport uuid_item, uuid_text

cdef uint64_t _VARIANT, _COUNTER


cpdef str format_id(int64_t wall_ns, uint64_t tick)

cdef bytes list_item(int64_t wall_ns, uint64_t tick)

@cython.locals(ms=int64_t, fraction=int64_t)
cdef uint64_t _time_half(int64_t wall_ns) noexcept
