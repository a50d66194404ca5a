import cython
from libc.stdint cimport int64_t

from honeytrace._capture.hooks cimport Hooks
from honeytrace._base.primitives cimport joined, new_tuple, untrack
from honeytrace._capture.running cimport Running, children_json, id_of, let_go
from honeytrace._capture.spec cimport Spec

cdef Hooks hooks
cdef type Record, Session
cdef object as_object, details_alone, is_bare, root_stamp
cdef bytes WRAPPER
cdef Py_ssize_t _BRACE


cdef class Alike:
    cdef public object ended, ended_root, event_type, metadata, name, parent, parent_id, project
    cdef public object root, root_id, source, spec

    @cython.locals(spec=Spec, parent=Running, root=Running)
    cdef learn(self, Running s, project, source)


@cython.locals(
    spec=Spec, known=Alike, inputs=bytes, outputs=bytes, start=int64_t, end=int64_t, bare=bint
)
cpdef record_of(Running s, project, source, alike=*)


@cython.locals(
    spec=Spec, parent=Running, root=Running, stamp=bytes, start=int64_t, end=int64_t
)
cdef _unusual(Running s, project, source, inputs, outputs, bint bare)
