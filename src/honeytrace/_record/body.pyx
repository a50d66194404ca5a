# cython: language_level=3, boundscheck=False, wraparound=False, binding=False
"""`body.py` in C: heads of the usual kind are written digit by digit, all others by orjson."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, strlen

from .._base.lazy import orjson
from .head import event_head as other_event_head, session_head as other_session_head

cdef extern from "Python.h":
    PyObject* PyTuple_GET_ITEM(object, Py_ssize_t)
    bint PyUnicode_IS_ASCII(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    const uint8_t* PyUnicode_1BYTE_DATA(object)

cdef enum:
    SPLICED = 1000
    PARTS = 8
    LONGEST = 16384

cdef Py_ssize_t PLACES[PARTS]
cdef const char* NAMES[PARTS]
PLACES[:] = [13, 14, 19, 17, 18, 20, 15, 16]
NAMES[:] = [
    b',"children_ids":', b',"config":', b',"metadata":', b',"metrics":', b',"feedback":',
    b',"user_properties":', b',"inputs":', b',"outputs":',
]

def pieces(record):
    cdef char head[LONGEST]
    cdef char* at = text(head, b'{"project":', record, 6)
    at = text(at, b',"session_name":', record, 5)
    at = text(at, b',"source":', record, 7)
    at = text(at, b',"session_id":', record, 0)
    return spliced(head, times(at, record, field(record, 11)), other_session_head, record)

def event_pieces(record):
    cdef char head[LONGEST]
    cdef char* at = text(head, b'{"project":', record, 6)
    at = text(at, b',"source":', record, 7)
    at = text(at, b',"event_name":', record, 5)
    at = text(at, b',"event_type":', record, 4)
    at = text(at, b',"event_id":', record, 0)
    at = text(at, b',"session_id":', record, 3)
    at = text(at, b',"parent_id":', record, 2)
    at = times(at, record, field(record, 11) or 0.0)
    if field(record, 14) is None:
        at = put(at, b',"config":{}', 12)
    if field(record, 15) is None:
        at = put(at, b',"inputs":{}', 12)
    return spliced(head, at, other_event_head, record)

cdef spliced(const char* head, const char* end, other_head, record):
    """Join a head (NULL: `other_head` makes it) and the encoded parts; long ones stay apart."""
    cdef bytes other, data
    cdef list large = []
    cdef Py_ssize_t i, length = end - head, size
    if end == NULL:
        other = orjson.dumps(other_head(record))
        head, length = PyBytes_AS_STRING(other), PyBytes_GET_SIZE(other) - 1  # without its brace
    size = length + 1
    for i in range(PARTS):
        data = field(record, PLACES[i])
        if data is not None:
            if i >= 6 and PyBytes_GET_SIZE(data) > SPLICED:
                large += (<bytes>NAMES[i], data)
            else:
                size += <Py_ssize_t>strlen(NAMES[i]) + PyBytes_GET_SIZE(data)
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, size - bool(large))
    cdef char* at = put(PyBytes_AS_STRING(whole), head, length)
    for i in range(PARTS):
        data = field(record, PLACES[i])
        if data is not None and not (i >= 6 and PyBytes_GET_SIZE(data) > SPLICED):
            at = put(at, NAMES[i], strlen(NAMES[i]))
            at = put(at, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    if large:
        return (whole, *large, b"}")
    at[0] = c"}"
    return whole

cdef inline object field(record, Py_ssize_t place):
    return <object>PyTuple_GET_ITEM(record, place)

cdef inline char* put(char* at, const char* what, Py_ssize_t size):
    """Copy bytes and return where the next go; NULL stays NULL."""
    if at == NULL:
        return NULL
    memcpy(at, what, size)
    return at + size

cdef char* text(char* at, const char* name, record, Py_ssize_t place):
    """Write a name and a text; NULL where JSON would escape something in it, or it is long."""
    cdef object value = field(record, place)
    if at == NULL or type(value) is not str or not PyUnicode_IS_ASCII(value):
        return NULL
    cdef Py_ssize_t i, size = PyUnicode_GET_LENGTH(value)
    cdef const uint8_t* chars = PyUnicode_1BYTE_DATA(value)
    if size > 1000:
        return NULL
    for i in range(size):
        if chars[i] < 0x20 or chars[i] == c'"' or chars[i] == c"\\":
            return NULL
    at = put(put(at, name, strlen(name)), b'"', 1)
    return put(put(at, <const char*>chars, size), b'"', 1)

cdef char* times(char* at, record, duration) except? NULL:
    """Write start, duration and end in digits that are read as the same numbers; else NULL."""
    cdef double start, lasted
    cdef uint64_t whole, part
    if at == NULL or field(record, 12) is not None or type(field(record, 9)) is not float:
        return NULL
    start = field(record, 9)
    # at this size a fourth digit tells every double from the next
    if not <double>(1 << 40) <= start < <double>(1 << 43):
        return NULL
    whole = <uint64_t>start
    part = <uint64_t>((start - whole) * 10_000 + 0.5)
    at = digits(put(at, b',"start_time":', 14), whole + part // 10_000, 1)
    at = digits(put(at, b".", 1), part % 10_000, 4)
    if duration is not None:
        if type(duration) is not float:
            return NULL
        lasted = duration
        whole = <uint64_t>(lasted * 1e6 + 0.5) if 0 <= lasted < 1e9 else 0
        if <double>whole / 1e6 != lasted:
            return NULL
        at = digits(put(at, b',"duration":', 12), whole // 1_000_000, 1)
        at = digits(put(at, b".", 1), whole % 1_000_000, 6)
    if field(record, 10) is not None:
        if type(field(record, 10)) is not int or not 0 <= field(record, 10) < 1 << 62:
            return NULL
        at = digits(put(at, b',"end_time":', 12), <uint64_t>field(record, 10), 1)
    return at

cdef char* digits(char* at, uint64_t number, int least):
    cdef char found[20]
    cdef int count = 0
    while number or count < least:
        found[19 - count] = c"0" + <char>(number % 10)
        number //= 10
        count += 1
    return put(at, found + 20 - count, count)
