from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.contextvars cimport get_value
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy


cdef extern from "Python.h":
    void PyObject_GC_UnTrack(object)
    object PyContextVar_Set(object, object)
    bint PyUnicode_IS_ASCII(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    const uint8_t* PyUnicode_1BYTE_DATA(object)
    str PyUnicode_New(Py_ssize_t, Py_UCS4)


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


cdef inline str uuid_text(uint64_t high, uint64_t low):
    cdef str text = PyUnicode_New(36, 127)
    cdef uint8_t* at = <uint8_t*>PyUnicode_1BYTE_DATA(text)
    cdef int i, place = 35
    for i in range(32):
        if place == 23 or place == 18 or place == 13 or place == 8:
            at[place] = c"-"
            place -= 1
        at[place] = (low & 15) + (48 if low & 15 < 10 else 87)  # 0 to 9, a to f
        place -= 1
        low >>= 4
        if i == 15:
            low = high
    return text


cdef inline object new_tuple(type kind, tuple fields):
    cdef tuple arguments = (fields,)
    return (<PyTypeObject*>tuple).tp_new(kind, <PyObject*>arguments, NULL)


cdef inline tuple plain_tuple(object value):
    return <tuple>value


cdef inline bint is_plain(str text) noexcept:
    cdef Py_ssize_t i
    cdef const uint8_t* at = PyUnicode_1BYTE_DATA(text)
    if not PyUnicode_IS_ASCII(text):
        return False
    for i in range(PyUnicode_GET_LENGTH(text)):
        if at[i] < 0x20 or at[i] == c'"' or at[i] == c"\\":
            return False
    return True


cdef inline bytes joined(list parts):
    cdef Py_ssize_t size = 0
    cdef bytes part
    for part in parts:
        size += PyBytes_GET_SIZE(part)
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, size)
    cdef char* at = PyBytes_AS_STRING(whole)
    for part in parts:
        memcpy(at, PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))
        at += PyBytes_GET_SIZE(part)
    return whole


cdef inline void untrack(object value):
    PyObject_GC_UnTrack(value)
