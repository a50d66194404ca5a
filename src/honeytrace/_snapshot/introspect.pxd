import cython

cdef object _mro, _namespace, _qualname, _module, _DICT_DOC
cdef Py_ssize_t _LONGEST, _MOST_TYPES
cdef ByClass _dict_of, _name_of, _slots_of

cpdef tuple mro_of(kind)
cpdef namespace_of(kind)
cpdef str type_name(kind)
cpdef str module_name(kind)
cpdef dict stored_dict(value)
cpdef dict stored_slots(value)
cpdef dict stored_fields(value)

@cython.locals(fields=list, size=Py_ssize_t, stored=dict)
cpdef tuple public_fields(value, kind, Py_ssize_t most)


cdef class ByClass:
    cdef object _compute
    cdef dict _known
