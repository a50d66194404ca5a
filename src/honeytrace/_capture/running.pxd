import cython
from libc.stdint cimport int64_t, uint64_t

from honeytrace._capture.ids cimport format_id, list_item
from honeytrace._base.primitives cimport joined, new


cdef class Running:
    cdef object __weakref__
    cdef public list _children
    cdef public object _details, _extras, _failure, _id, _inputs, _masked, _outputs, _parent
    cdef public object _raised, _root, _slot, _spec, _submit, _text
    cdef public int64_t _start, _offset, _end
    cdef public uint64_t _tick
    cdef public Py_ssize_t _late
    cdef public bint _handed, _sealed, _plain


@cython.locals(found=Running)
cpdef prepare(session, spec, session_id, int64_t start, int64_t offset)


cpdef id_of(Running session)


@cython.locals(parts=list, text=bytes)
cdef bytes children_json(Running session)


@cython.locals(size=Py_ssize_t)
cpdef size_of(Running session)


@cython.locals(parent=Running, root=Running)
cpdef let_go(Running session)


@cython.locals(found=Running, root=Running)
cdef Running _ids_of(Running session)
