from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.contextvars cimport get_value
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy


cdef extern from "Python.h":
    void PyObject_GC_UnTrack(object)
    Py_ssize_t Py_REFCNT(object)
    void Py_INCREF(object)
    void Py_SET_TYPE(object, PyTypeObject*)
    object PyLong_FromVoidPtr(void*)
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
    uuid_digits(<char*>PyUnicode_1BYTE_DATA(text), high, low)
    return text


cdef inline bytes uuid_item(uint64_t high, uint64_t low):
    cdef bytes item = PyBytes_FromStringAndSize(NULL, 39)
    cdef char* at = PyBytes_AS_STRING(item)
    at[0] = c","
    at[1] = at[38] = c'"'
    uuid_digits(at + 2, high, low)
    return item


cdef inline void uuid_digits(char* at, uint64_t high, uint64_t low) noexcept:
    at[8] = at[13] = at[18] = at[23] = c"-"
    four_digits(at, high >> 48)
    four_digits(at + 4, high >> 32)
    four_digits(at + 9, high >> 16)
    four_digits(at + 14, high)
    four_digits(at + 19, low >> 48)
    four_digits(at + 24, low >> 32)
    four_digits(at + 28, low >> 16)
    four_digits(at + 32, low)


cdef inline void four_digits(char* at, uint64_t value) noexcept:
    # the lowest 16 bits in hexadecimal: each half byte gets a byte, then all become text at once
    cdef uint32_t spread = <uint32_t>(value & 0xFFFF)
    spread = (spread >> 8 | spread << 16) & 0x00FF00FF
    spread = (spread >> 4 | spread << 8) & 0x0F0F0F0F
    spread += 0x30303030 + (((spread + 0x06060606) >> 4) & 0x01010101) * 39
    at[0] = <char>(spread & 0xFF)
    at[1] = <char>(spread >> 8 & 0xFF)
    at[2] = <char>(spread >> 16 & 0xFF)
    at[3] = <char>(spread >> 24)


cdef inline char* digits(char* at, uint64_t value, int width) noexcept:
    # writes at least so many digits, two at a time, and returns where they end
    cdef const char* pairs = (
        b"00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        b"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        b"8081828384858687888990919293949596979899"
    )
    cdef uint64_t most = 10
    cdef int size = 1
    while size < width or value >= most:
        most *= 10
        size += 1
    cdef int place = size
    while place > 1:
        place -= 2
        memcpy(at + place, pairs + 2 * (value % 100), 2)
        value //= 100
    if place:
        at[0] = <char>(c"0" + value)
    return at + size


cdef inline bytes times(str id_, uint64_t start, uint64_t part, uint64_t nanos, uint64_t end):
    cdef char made[160]
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(id_)
    cdef char* at = made
    memcpy(at, b'","start_time":', 15)
    at = digits(at + 15, start, 1)
    at[0] = c"."
    at = digits(at + 1, part, 4)
    memcpy(at, b',"duration":', 12)
    at = digits(at + 12, nanos // 1_000_000, 1)
    at[0] = c"."
    at = digits(at + 1, nanos % 1_000_000, 6)
    memcpy(at, b',"end_time":', 12)
    at = digits(at + 12, end, 1)
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, size + (at - made))
    memcpy(PyBytes_AS_STRING(whole), PyUnicode_1BYTE_DATA(id_), size)
    memcpy(PyBytes_AS_STRING(whole) + size, made, at - made)
    return whole


cdef inline object new_tuple(type kind, tuple fields):
    # A tuple that nobody else has becomes one of this kind, which has no fields of its own; `tuple.__new__`
    # would copy it.
    cdef tuple arguments
    if Py_REFCNT(fields) != 1:
        arguments = (fields,)
        return (<PyTypeObject*>tuple).tp_new(kind, <PyObject*>arguments, NULL)
    Py_INCREF(kind)
    Py_SET_TYPE(fields, <PyTypeObject*>kind)
    return fields


cdef inline tuple plain_tuple(object value):
    return <tuple>value


cdef inline bint is_plain(str text) noexcept:
    cdef Py_ssize_t i
    cdef const uint8_t* at = PyUnicode_1BYTE_DATA(text)
    cdef uint8_t odd = 0
    if not PyUnicode_IS_ASCII(text):
        return False
    for i in range(PyUnicode_GET_LENGTH(text)):  # without a way out, so that it is vectorised
        odd |= (at[i] < 0x20) | (at[i] == c'"') | (at[i] == c"\\")
    return not odd


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


cdef inline object identity(object value):
    return PyLong_FromVoidPtr(<void*>value)


cdef inline Py_ssize_t place_of(object value) noexcept:
    return <Py_ssize_t>(<size_t><void*>value >> 5 & 63)
