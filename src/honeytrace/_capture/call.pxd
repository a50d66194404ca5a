import cython

from honeytrace._capture.hooks cimport Hooks
from honeytrace._base.primitives cimport get_var, is_finalizing, new, set_var, untrack
from honeytrace._capture.running cimport Running, id_of, let_go
from honeytrace._capture.spec cimport Spec

cdef Hooks hooks
cdef type Session
cdef object current, discard, interrupts
cdef bint _compiled


@cython.locals(s=Running)
cpdef begin(Spec spec, Running parent, bound, session_id=*)

cpdef done(Running s, out, outer)

cpdef leave(Running s, outer)

cpdef current_here()

@cython.locals(masked=list)
cpdef snapshot(Running s, value, str path)
