from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.contextvars cimport get_value
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr, memcpy


cdef extern from "Python.h":
    void PyObject_GC_UnTrack(object)
    object PyContextVar_Set(object, object)
    bint PyUnicode_IS_ASCII(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    const uint8_t* PyUnicode_1BYTE_DATA(object)
    str PyUnicode_New(Py_ssize_t, Py_UCS4)
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    Py_UCS4 PyUnicode_READ(int, void*, Py_ssize_t)
    Py_ssize_t PyUnicode_FindChar(object, Py_UCS4, Py_ssize_t, Py_ssize_t, int) except -2


cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030D0000
    #define is_finalizing() Py_IsFinalizing()
    #else
    #define is_finalizing() _Py_IsFinalizing()
    #endif
    """
    bint is_finalizing()


cdef extern from "text_search.h":
    bint has_vectors()
    bint in_run(Py_UCS4 c)
    bint is_mark(Py_UCS4 c)
    Py_ssize_t find_mark(const uint8_t* text, Py_ssize_t at, Py_ssize_t end)
    Py_ssize_t skip_words(const uint8_t* text, Py_ssize_t start, Py_ssize_t end)


cdef inline Py_ssize_t find(str text, Py_UCS4 c, Py_ssize_t start, Py_ssize_t end) except -2:
    # Python's own search has as much to do around a short text as in it
    cdef const uint8_t* data
    cdef const uint8_t* at
    if PyUnicode_KIND(text) != 1:
        return PyUnicode_FindChar(text, c, start, end, 1)
    if start >= end or c > 255:
        return -1
    data = <const uint8_t*>PyUnicode_DATA(text)
    at = <const uint8_t*>memchr(data + start, <int>c, <size_t>(end - start))
    return at - data if at is not NULL else -1


cdef inline Py_ssize_t run_end(str text, Py_ssize_t at, Py_ssize_t size) noexcept:
    cdef int kind = PyUnicode_KIND(text)
    cdef void* data = PyUnicode_DATA(text)
    while at < size and in_run(PyUnicode_READ(kind, data, at)):
        at += 1
    return at


cdef inline Py_ssize_t next_run(str text, Py_ssize_t start, Py_ssize_t size) noexcept:
    cdef int kind = PyUnicode_KIND(text)
    cdef void* data = PyUnicode_DATA(text)
    cdef Py_ssize_t last
    while start + 20 <= size:
        if kind == 1 and size - start >= 64 and has_vectors():
            start = skip_words(<const uint8_t*>data, start, size)
            if start + 20 > size:
                return -1
        last = start + 19
        while last >= start and in_run(PyUnicode_READ(kind, data, last)):
            last -= 1
        if last < start:
            return start
        start = last + 1
    return -1


cdef inline Py_ssize_t next_mark(str text, Py_ssize_t at, Py_ssize_t size) noexcept:
    cdef int kind = PyUnicode_KIND(text)
    cdef void* data = PyUnicode_DATA(text)
    if kind == 1 and size >= 32 and has_vectors():
        return find_mark(<const uint8_t*>data, at, size)
    while at < size and not is_mark(PyUnicode_READ(kind, data, at)):
        at += 1
    return at if at < size else -1


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
    cdef int place
    for place in range(35, -1, -1):
        if place == 23 or place == 18 or place == 13 or place == 8:
            at[place] = c"-"
        else:
            at[place] = (<const uint8_t*>b"0123456789abcdef")[low & 15]
            low >>= 4
            if place == 19:  # the lower half is written
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
