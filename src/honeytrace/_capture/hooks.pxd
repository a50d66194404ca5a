from libc.stdint cimport int64_t


cdef class Hooks:
    cdef public object adopt, clock_ns, encode, keep, opened, recorder, redact, sample
    cdef public object session_name, submit, tick, update
    cdef public int64_t offset_ns
    cdef public Py_ssize_t unrecorded
    cdef public double rate
    cdef public bint configured
