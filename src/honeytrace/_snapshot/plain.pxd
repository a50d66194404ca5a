cdef class Room:
    cdef public Py_ssize_t bytes


cdef class PlainMembers:
    cdef object _plain, _probe
    cdef Room _room
    cdef Py_ssize_t _most
    cdef public Py_ssize_t taken

    cpdef small_json(self, value, Py_ssize_t depth, Py_ssize_t most, Py_ssize_t room)
    cdef _taken(self, bytes out)

cpdef str cut_items(count, why=*)
