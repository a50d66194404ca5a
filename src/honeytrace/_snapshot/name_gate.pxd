import cython

cdef bytes _BEGINNINGS
cdef unsigned int _LETTERS, _ASCII, _LETTER


@cython.locals(place=cython.uint, code=cython.uint, letter=Py_UCS4)
cpdef bint hints(str name) except -1
