import cython
from libc.stdint cimport int64_t

from honeytrace._capture.hooks cimport Hooks
from honeytrace._base.primitives cimport joined, new_tuple, untrack
from honeytrace._capture.running cimport Running, id_of, let_go
from honeytrace._capture.spec cimport Spec

cdef Hooks hooks
cdef type Record
cdef object as_object, details_alone, is_bare, root_stamp
cdef bytes WRAPPER
cdef Py_ssize_t _BRACE


@cython.locals(
    spec=Spec, parent=Running, root=Running, inputs=bytes, outputs=bytes, stamp=bytes,
    start=int64_t, end=int64_t,
)
cpdef record_of(Running s, project, source)
