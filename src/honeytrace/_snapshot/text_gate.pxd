cpdef bint suspicious(str text, Py_ssize_t most=*) except -1
cpdef bint ends_like_name(str text) except -1
