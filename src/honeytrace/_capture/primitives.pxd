from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.contextvars cimport get_value
from cpython.object cimport PyObject, PyTypeObject


cdef extern from "Python.h":
    void PyObject_GC_UnTrack(object)
    object PyContextVar_Set(object, object)


cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030D0000
    #define is_finalizing() Py_IsFinalizing()
    #else
    #define is_finalizing() _Py_IsFinalizing()
    #endif
    """
    bint is_finalizing()


cdef inline object get_var(object variable):
    return get_value(variable)


cdef inline object set_var(object variable, object value):
    return PyContextVar_Set(variable, value)


cdef inline object new(type kind):
    return (<PyTypeObject*>kind).tp_new(kind, <PyObject*>(), NULL)


cdef inline bytes copied(bytes data):
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef inline void untrack(object value):
    PyObject_GC_UnTrack(value)
