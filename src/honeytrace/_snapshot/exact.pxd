import cython

from honeytrace._snapshot.container_walk cimport ContainerWalk


cdef class Walk(ContainerWalk):
    cdef _object(self, value, kind, Py_ssize_t depth)

    cdef _shown(self, value, kind, simpler, rule, Py_ssize_t depth)

    @cython.locals(before=Py_ssize_t)
    cdef _opened(self, value, kind, dict fields, Py_ssize_t depth)

    @cython.locals(
        before=Py_ssize_t, few=Py_ssize_t, most=Py_ssize_t, size=Py_ssize_t, outermost=bint,
        kept_back=Py_ssize_t, members=list,
    )
    cdef _unknown(self, value, kind, Py_ssize_t depth)

    cdef Py_ssize_t _work(self) except? -1
