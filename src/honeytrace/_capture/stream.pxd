from honeytrace._capture.call cimport begin, done, snapshot
from honeytrace._capture.hooks cimport Hooks
from honeytrace._base.primitives cimport get_var, set_var
from honeytrace._capture.running cimport Running
from honeytrace._capture.spec cimport Spec

cdef Hooks hooks
cdef object current, discard


cdef class Stream:
    cdef public list items
    cdef public object here, outer
    cdef public Running s
    cdef public Spec spec
    cdef public Py_ssize_t count, size
    cdef public bint kept
