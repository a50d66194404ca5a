import cython

from honeytrace._base.primitives cimport find, next_mark, next_run, run_end

cdef Py_ssize_t _RUN, _BEFORE, _SCHEME, _SHORTEST, _LONGEST_TAIL, _LONGEST_COUNT, _SKIPPED, _DIGITS, _SPACES, _LONGEST_NAME, _USERINFO
cdef dict _TAILS, _PREFIXES
cdef bytes _ENDS
cdef bytearray _STARTS
cdef tuple BEGINNINGS, _HOOKS


@cython.locals(size=Py_ssize_t, at=Py_ssize_t)
cpdef bint suspicious(str text) except -1

cpdef bint ends_like_name(str text) except -1

@cython.locals(mark=Py_UCS4)
cdef bint _is_suspect(str text, Py_ssize_t at, Py_ssize_t size) except -1

cdef bint _is_letter(Py_UCS4 character) noexcept

@cython.locals(first=Py_ssize_t, end=Py_ssize_t)
cdef bint _is_pair(str text, Py_ssize_t at, Py_ssize_t size) except -1

@cython.locals(end=Py_ssize_t)
cdef bint _binds(str text, Py_ssize_t at) except -1

cdef bint _is_count(str text, Py_ssize_t end) except -1

@cython.locals(first=Py_ssize_t)
cdef bint _ends_with_tail(str text, Py_ssize_t end) except -1

@cython.locals(found=Py_ssize_t)
cdef bint _is_address(str text, Py_ssize_t at, Py_ssize_t size) except -1

cdef bint _is_scheme(str text, Py_ssize_t end) except -1

@cython.locals(start=Py_ssize_t, end=Py_ssize_t)
cdef bint _has_credential(str text, Py_ssize_t size) except -1
