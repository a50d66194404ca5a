cdef class Spec:
    cdef object __weakref__
    cdef public object capture_inputs, capture_outputs, code, event_type, fixed, project, reduce
    cdef public object sample_rate, session_name, source, stamp
