import cython

cdef bytes _BEGINNINGS
cdef unsigned int _LETTERS, _ASCII, _LETTER


@cython.locals(place=cython.uint, code=cython.uint, letter=Py_UCS4)
cpdef bint hints(str name) except -1

cpdef bint may_name(str text) except -1

cpdef bint is_harmless_value(str key, dict members) except -1
