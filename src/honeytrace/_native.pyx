# cython: language_level=3, boundscheck=False, wraparound=False, nonecheck=True
# cython: binding=False, auto_pickle=False
"""The hot path in C: what every traced call runs, from its entry to the journal and the queue.

Each class and function here is the twin of one in Python and does the same, in the usual case; the
unusual goes on in Python. `_context`, `_session`, `_snapshot`, `_capture`, `_queue` and `_journal`
take theirs where this module was built, and are what to read first. The suite runs with either.

No Python code runs in between, so that no signal handler and no other thread sees half of it,
except where a Python object is called.
"""

import sys

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.contextvars cimport PyContextVar_Set, get_value
from cpython.dict cimport PyDict_Next
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_CheckExact
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, strlen


cdef extern from "_native.h":
    void store_byte(uint8_t* at, uint8_t byte)
    void store_word(uint8_t* at, uint64_t word)
    uint32_t adler32(uint32_t before, const uint8_t* data, size_t size)
    uint32_t adler32_copied(uint32_t before, const uint8_t* data, uint8_t* to, size_t size)
    bint is_plain_text(const uint8_t* text, size_t size)


cdef extern from "Python.h":
    void PyObject_GC_UnTrack(object)
    object PyType_GenericAlloc(type, Py_ssize_t)
    PyObject* PyTuple_GET_ITEM(object, Py_ssize_t)
    bint PyUnicode_IS_ASCII(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    void* PyUnicode_1BYTE_DATA(object)


cdef object orjson_dumps = None
cdef type DATETIME = None
cdef type DATE = None
cdef type NONE = type(None)
cdef tuple NOTHING = ()
cdef object MAXSIZE = sys.maxsize


cdef bytes dumps(value):
    """`orjson.dumps`, imported when it is needed first, as in `_later`."""
    if orjson_dumps is None:
        prepare()
    return orjson_dumps(value)


cdef prepare():
    global orjson_dumps, DATETIME, DATE
    import _datetime  # in `datetime` a test may have put others
    import orjson
    DATETIME, DATE, orjson_dumps = _datetime.datetime, _datetime.date, orjson.dumps


# ids, and what is running here (_context)


cdef class HotFields:
    """The fields of `Hot`, but for `on`, which Python reads more often."""

    cdef public object adopt, clock_ns, encode, keep, opened, redact, sample, session_name, submit
    cdef public object tick, update
    cdef public int64_t offset_ns
    cdef public double rate


cdef const char* HEX = b"0123456789abcdef"


cdef enum:
    ID = 36


cpdef str format_id(int64_t wall_ns, uint64_t tick):
    """The UUIDv7 of a pair, as text."""
    cdef char text[ID]
    write_id(text, wall_ns, tick)
    return text[:ID].decode("ascii")


cdef inline void write_id(char* text, int64_t wall_ns, uint64_t tick):
    cdef int64_t ms = wall_ns // 1_000_000
    cdef uint64_t fraction = wall_ns % 1_000_000
    cdef uint64_t high, low
    high = (<uint64_t>ms & 0xFFFFFFFFFFFF) << 16 | 0x7000 | fraction * 4096 // 1_000_000
    low = <uint64_t>1 << 63 | tick & ((<uint64_t>1 << 62) - 1)
    text[8] = text[13] = text[18] = text[23] = c"-"
    hexadecimal(text, high >> 32, 8)
    hexadecimal(text + 9, high >> 16, 4)
    hexadecimal(text + 14, high, 4)
    hexadecimal(text + 19, low >> 48, 4)
    hexadecimal(text + 24, low, 12)


cdef inline void hexadecimal(char* text, uint64_t number, int digits):
    while digits:
        digits -= 1
        text[digits] = HEX[number & 15]
        number >>= 4


# a session while it runs (_session)


cdef class SpecFields:
    """The fields of `Spec`."""

    cdef public object capture_inputs, capture_outputs, event_type, fixed, project, reduce
    cdef public object sample_rate, session_name, source


cdef class SessionFields:
    """The fields of `Session`."""

    cdef object __weakref__
    cdef list children
    cdef public object _extras, _failure, _id, _inputs, _masked, _outputs, _parent, _raised, _root
    cdef public object _slot, _spec, _submit, _text
    cdef public int64_t _start, _offset, _end
    cdef public uint64_t _tick
    cdef public bint _sealed
    cdef bint plain  # it and those around it refer to nothing of the program's once they have ended

    @property
    def _children(self):
        return self.list_of_children()

    @_children.setter
    def _children(self, list children):
        self.children = children

    @property
    def children_ids(self):
        """The twin of `Session.children_ids`."""
        return self.ids_of_children()

    cdef list ids_of_children(self):
        cdef list ids = []
        if self.children is not None:
            for child in self.children:
                ids.append(child if type(child) is str else format_id(child[0], child[1]))
        return ids

    cdef list list_of_children(self):
        """Made when it is asked for: most calls have none."""
        if self.children is None:
            self.children = []
        return self.children


# a value to JSON (_snapshot)


cdef enum:
    ROW = 16


cdef class FastRoute:
    """The fields of `FastRoute`, and the twin of `Snapshotter.encode`."""

    cdef PyObject* row[ROW]  # the keys of the last dict, in their places
    cdef Py_ssize_t learnings
    cdef public bint _fast
    cdef public set _harmless
    cdef public Py_ssize_t _max_bytes, _max_depth, _max_items, _room

    cpdef encode(self, value, receipt=None, str path=""):
        cdef Py_ssize_t learnings, room = self._room
        cdef bint plain
        cdef bytes out
        try:
            if orjson_dumps is None:
                prepare()
            learnings = self.learnings
            plain = self._fast and self.is_plain(value, self._max_depth, &room)
            if plain and self.learnings != learnings:
                # Python ran amid it, and maybe another thread, which changed what was looked at
                learnings, room = self.learnings, self._room
                plain = self.is_plain(value, self._max_depth, &room)
            if plain and self.learnings == learnings:
                out = dumps(value)
                if PyBytes_GET_SIZE(out) <= self._max_bytes:
                    # orjson's results keep up to 16 KB of memory, however short
                    if PyBytes_GET_SIZE(out) >= 65536:
                        return out
                    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(out), PyBytes_GET_SIZE(out))
        except BaseException as error:
            if interrupts(error):
                raise
        return self._slowly(value, receipt, path)

    cdef bint is_plain(self, value, Py_ssize_t depth, Py_ssize_t* room) except -1:
        cdef type kind = type(value)
        if (
            kind is str
            or kind is int
            or kind is float
            or kind is bool
            or kind is NONE
            or kind is DATETIME
            or kind is DATE
        ):
            return True
        if kind is dict:
            return self.is_plain_dict(<dict>value, depth, room)
        if kind is list:
            if not self.has_room(len(<list>value), depth, room):
                return False
            for member in <list>value:
                if not self.is_plain(member, depth - 1, room):
                    return False
            return True
        if kind is tuple:
            if not self.has_room(len(<tuple>value), depth, room):
                return False
            for member in <tuple>value:
                if not self.is_plain(member, depth - 1, room):
                    return False
            return True
        return False

    cdef bint is_plain_dict(self, dict value, Py_ssize_t depth, Py_ssize_t* room) except -1:
        cdef PyObject* key
        cdef PyObject* member
        cdef object held
        cdef Py_ssize_t at = 0
        cdef int place = 0
        cdef bint learnt = False
        if not self.has_room(len(value), depth, room):
            return False
        while PyDict_Next(value, &at, &key, &member):
            if not learnt and not self.is_harmless(key, place):
                self.learnings += 1
                if not self._learn(value):
                    return False
                learnt, at = True, 0  # anew: what was read before may be gone
                continue
            place += 1
            if not PyUnicode_CheckExact(<object>member):
                held = <object>member
                if not self.is_plain(held, depth - 1, room):
                    return False
        return True

    cdef bint is_harmless(self, PyObject* key, int place) except -1:
        """Rows have the same keys, one after the other: most are known by their place."""
        if place < ROW and self.row[place] == key:
            return True
        if not PyUnicode_CheckExact(<object>key) or <object>key not in self._harmless:
            return False
        if place < ROW:
            Py_INCREF(<object>key)
            Py_XDECREF(self.row[place])
            self.row[place] = key
        return True

    def __dealloc__(self):
        cdef int place
        for place in range(ROW):
            Py_XDECREF(self.row[place])

    cdef bint has_room(self, Py_ssize_t members, Py_ssize_t depth, Py_ssize_t* room):
        room[0] -= members
        return members == 0 or depth > 0 and members <= self._max_items and room[0] >= 0


# begin and done (_capture)

cdef HotFields hot
cdef object current, discard, interrupts, begin_at_length, output, not_begun, internal_error
cdef object size_of
cdef type session_type, record_type
cdef Py_ssize_t most_yields, most_yielded_bytes


def use_capture(HotFields the_hot, the_current, the_discard, interrupting, type session, at_length,
                taken, failed, told, Py_ssize_t yields, Py_ssize_t yielded_bytes):
    """What `begin` and `done` need of `_context`, `_interrupt`, `_session` and `_capture`."""
    global hot, current, discard, interrupts, session_type, begin_at_length, output, not_begun
    global internal_error, most_yields, most_yielded_bytes
    hot, current, discard, interrupts = the_hot, the_current, the_discard, interrupting
    session_type = session
    begin_at_length, output, not_begun, internal_error = at_length, taken, failed, told
    most_yields, most_yielded_bytes = yields, yielded_bytes


def use_queue(sizing, type record):
    """What the way to the flush thread needs of `_queue` and `_record`."""
    global size_of, record_type
    size_of, record_type = sizing, record


def begin(SpecFields spec, SessionFields parent, bound, session_id=None):
    """The twin of `_capture.begin`."""
    cdef SessionFields s
    cdef object child = None
    if parent is None and hot.adopt is None and (hot.rate < 1.0 or spec.sample_rate is not None):
        return begin_at_length(spec, parent, bound, session_id)
    s = <SessionFields>(<PyTypeObject*>session_type).tp_new(
        session_type, <PyObject*>NOTHING, NULL
    )
    if hot.adopt is not None:
        parent = hot.adopt(s, parent)
        if parent is None and (hot.rate < 1.0 or spec.sample_rate is not None):
            return begin_at_length(spec, parent, bound, session_id)
    s._spec = spec
    s._id = session_id
    s.plain = not spec.fixed and spec.reduce is None and (parent is None or parent.plain)
    if parent is not None:
        s._parent = parent
        s._root = parent if parent._root is None else parent._root
        s._submit = parent._submit
    try:
        if bound is not None:
            s._inputs = snapshot(s, bound, "inputs")
        s._tick = hot.tick()
        s._offset = hot.offset_ns
        s._start = hot.clock_ns()
        if parent is not None:
            child = session_id
            if not child:
                child = (s._start + s._offset, s._tick)
                PyObject_GC_UnTrack(child)  # numbers
            parent.list_of_children().append(child)
            if parent._sealed:
                hot.update(parent.session_id, {"children_ids": [s.session_id]})
        if s._submit is None:
            s._slot = hot.opened(s)
        PyContextVar_Set(current, s)
        return s
    except BaseException as exc:
        return not_begun(s, parent, child, exc)


def done(SessionFields s, out, outer):
    """The twin of `_capture.done`."""
    PyContextVar_Set(current, outer)
    s._end = hot.clock_ns()
    try:
        if s._outputs is None:
            names = (<SpecFields>s._spec).capture_outputs
            if names is True:
                s._outputs = snapshot(s, out, "outputs")
            elif names is not False:
                s._outputs = output(s, out)
        if s._extras is not None:
            s._seal()
        if s._slot is not None:
            s._slot[0].closed(s, s._slot)
        if s._submit is None:
            hot.submit(s)
        else:
            s._submit(s)
    except Exception as exc:
        if type(exc) is not RecursionError and interrupts(exc):
            raise
        s._extras = None
        if s._submit is not discard:
            hot.keep(s)
        internal_error(exc)


cdef snapshot(SessionFields s, value, str path):
    cdef list masked = []
    data = hot.encode(value, masked, path)
    if masked:
        s._masked = (s._masked or []) + masked
    return data


cdef class StreamFields:
    """The twins of what `_capture.Stream` does at the beginning and at every yield."""

    cdef public list items
    cdef public object here, outer, s, spec
    cdef public Py_ssize_t count, size
    cdef public bint kept

    def __init__(self, SpecFields spec, parent, bound):
        self.spec = spec
        self.outer = parent
        self.items = []
        self.s = begin(spec, parent, bound)
        self.kept = (
            spec.capture_outputs is not False and (<SessionFields>self.s)._submit is not discard
        )
        self.here = get_value(current)

    def suspend(self, item):
        cdef SpecFields spec = self.spec
        self.here = get_value(current)
        PyContextVar_Set(current, self.outer)
        self.count += 1
        try:
            if not self.kept:
                pass
            elif spec.reduce is not None:
                self.items.append(item)
            elif self.count <= most_yields and self.size <= most_yielded_bytes:
                if spec.capture_outputs is True:
                    data = snapshot(self.s, item, "outputs")
                else:
                    data = output(self.s, item)
                self.size += len(data)
                self.items.append(data)
        except Exception as exc:
            if interrupts(exc):
                raise
            internal_error(exc)

    def resume(self):
        self.outer = get_value(current)
        PyContextVar_Set(current, self.here)


# to the flush thread (_queue)


cdef class Intake:
    """The fields of `Intake`, and the twins of `Queue.put` and `take`."""

    cdef public object items, keep
    cdef public Py_ssize_t bytes, _level

    def put(self, SessionFields session):
        self.keep(session)
        if session.plain:
            PyObject_GC_UnTrack(session)  # ended, it is in no cycle: nothing for the collector
        self.bytes += _size_of(session)
        if self.bytes > self._level:
            try:
                self._crossed()
            except BaseException:
                session._submit = discard
                raise

    def take(self, most, bytes_at_most):
        cdef list taken = []
        cdef Py_ssize_t size, count = min(most, MAXSIZE), room = min(bytes_at_most, MAXSIZE)
        popleft = self.items.popleft
        while len(taken) < count and room > 0:
            if not self.items:
                self.bytes = 0
                break
            item = popleft()
            size = _size_of(item) if isinstance(item, SessionFields) else size_of(item)
            room -= size
            self.bytes -= size
            taken.append(item)
        return taken


OVERHEAD = 320
cdef Py_ssize_t overhead = OVERHEAD


cdef Py_ssize_t _size_of(SessionFields s) except -1:
    cdef Py_ssize_t size = overhead
    if s._inputs is not None:
        size += len(s._inputs)
    if s._outputs is not None:
        size += len(s._outputs)
    if s._extras or s._failure:
        size += s._extra_size()
    elif s.children is not None:
        size += 150 * len(s.children)
    return size


# to the sinks (_flush, _record)

cdef enum:
    AT_ONCE = 500


def encode_usual(waiting, list records, dict slots, project, source):
    """Make records of what comes first and is like most, but not so many that others wait for the
    GIL; what stops it is for `_to_record`.

    A session leaves `waiting` when its record, and its place in the journal, are where they belong.
    """
    cdef SessionFields s
    popleft = waiting.popleft
    for _ in range(min(AT_ONCE, <Py_ssize_t>len(waiting))):
        item = waiting[0]
        if not isinstance(item, SessionFields):
            return
        s = item
        try:
            record = record_of(s, project, source)
        except Exception:
            return  # Python meets the same, and says what becomes of it
        if record is None:
            return
        if s._slot is not None:
            slots[<size_t><PyObject*>record] = s._slot
            s._slot = None
        records.append(record)
        popleft()


def release_settled(items, dict slots, set kept):
    """Give up the places in the journal of all but those whose identities are kept."""
    for item in items:
        identity = <size_t><PyObject*>item
        if not kept or identity not in kept:
            place = slots.pop(identity, None)
            if place is not None:
                (<Slots?>(<tuple>place)[0]).free(<tuple>place)


cdef object record_of(SessionFields s, project, source):
    """What `Session._to_record` makes; None where that has to."""
    cdef SpecFields spec = s._spec
    cdef SessionFields parent = s._parent, root = s._root
    cdef int64_t start = s._start + s._offset, end = s._end + s._offset
    if s._extras or s._failure is not None or s._masked or spec.fixed or not spec.session_name:
        return None
    if s._id is not None or parent is not None and (parent._id is not None or root._id is not None):
        return None  # a chosen id may need JSON's escapes
    s._sealed = True
    session_id = root_id = format_id(start, s._tick)
    parent_id = metadata = None
    if parent is not None:
        parent_id, root_id = id_of(parent), id_of(root)
        metadata = metadata_of(parent_id, root_id, spec.event_type)
    children = ids_as_json(s.children) if s.children else b"[]"
    # from here on nothing is made that would have the collector, or another thread, find it unfilled
    inputs, outputs = as_object(s._inputs), as_object(s._outputs)
    record = PyType_GenericAlloc(record_type, 21)
    fill(record, 0, session_id)
    fill(record, 1, session_id)
    fill(record, 2, parent_id)
    fill(record, 3, root_id)
    fill(record, 4, "session" if parent is None else spec.event_type)
    fill(record, 5, spec.session_name)
    fill(record, 6, spec.project or project)
    fill(record, 7, spec.source or source)
    fill(record, 8, "ok")
    fill(record, 9, <double>start / 1e6)
    fill(record, 10, -(-end // 1_000_000) if s._end else None)
    fill(record, 11, <double>(s._end - s._start) / 1e6 if s._end else None)
    fill(record, 12, None)
    fill(record, 13, children)
    fill(record, 14, None)
    fill(record, 15, inputs)
    fill(record, 16, outputs)
    fill(record, 17, None)
    fill(record, 18, None)
    fill(record, 19, metadata)
    fill(record, 20, None)
    PyObject_GC_UnTrack(record)  # texts and numbers: nothing for the collector
    return record


cdef bytes ids_as_json(list children):
    """As `ids_of_children`, which makes a text of each."""
    cdef Py_ssize_t i, count = len(children)
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, count * (ID + 3) + 1)
    cdef char* at = PyBytes_AS_STRING(whole)
    for i in range(count):
        child = children[i]
        if type(child) is not tuple:
            return dumps([c if type(c) is str else format_id(c[0], c[1]) for c in children])
        at[0], at[1] = (c"," if i else c"["), c'"'
        write_id(at + 2, child[0], child[1])
        at[ID + 2] = c'"'
        at += ID + 3
    at[0] = c"]"
    return whole


cdef str id_of(SessionFields s):
    """The id of one that others refer to, kept for the next of them."""
    if s._text is None:
        s._text = format_id(s._start + s._offset, s._tick)
    return s._text


cdef str last_parent = None, last_root = None, last_type = None
cdef bytes last_metadata = None


cdef bytes metadata_of(str parent_id, str root_id, str event_type):
    """What `metadata` says of a place in a tree, under the reserved key: of siblings the same."""
    global last_parent, last_root, last_type, last_metadata
    cdef char whole[LONGEST]
    cdef char* at
    if parent_id is last_parent and root_id is last_root and event_type is last_type:
        return last_metadata
    at = put(whole, b'{"honeytrace":', 14)
    at = text(at, b'{"parent_id":', parent_id)
    at = text(at, b',"root_id":', root_id)
    if event_type != "chain":
        at = text(at, b',"event_type":', event_type)
    at = put(at, b"}}", 2)
    last_metadata = None if at == NULL else PyBytes_FromStringAndSize(whole, at - whole)
    last_parent, last_root, last_type = parent_id, root_id, event_type
    return last_metadata


cdef inline void fill(object record, Py_ssize_t at, object value):
    Py_INCREF(value)
    PyTuple_SET_ITEM(record, at, value)


cdef object as_object(bytes data):
    if data is None or PyBytes_AS_STRING(data)[0] == c"{":
        return data
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, size + 11)
    cdef char* at = put(PyBytes_AS_STRING(whole), b'{"result":', 10)
    put(at, PyBytes_AS_STRING(data), size)[0] = c"}"
    return whole


# records to the store (store._writing)


def usual_values(records, Py_ssize_t first, Py_ssize_t most, Py_ssize_t most_bytes):
    """The twin of `store._writing.usual_values`."""
    cdef list values = []
    cdef int at
    for record in records[first : first + most]:
        if most_bytes < 0:
            break
        for at in (14, 17, 18, 20):
            if field(record, at) is not None:
                return values
        for at in range(13):
            values.append(field(record, at))
        for at in (13, 15, 16, 19):
            part = field(record, at)
            values.append(None if part is None else (<bytes?>part).decode())
            most_bytes -= 0 if part is None else PyBytes_GET_SIZE(part)
    return values


# a record to the body of a request (_record)

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


cdef object other_session_head, other_event_head


def use_record(session_head, event_head):
    """What begins the bodies of records that are not like most."""
    global other_session_head, other_event_head
    other_session_head, other_event_head = session_head, event_head


def pieces(record):
    """The twin of `_record.pieces`."""
    cdef char head[LONGEST]
    return spliced(head, session_head(head, record), other_session_head, record)


def event_pieces(record):
    """The twin of `_record.event_pieces`."""
    cdef char head[LONGEST]
    return spliced(head, event_head(head, record), other_event_head, record)


cdef char* session_head(char* at, record) except? NULL:
    """What comes before the encoded parts; NULL where it is not like most."""
    at = text(at, b'{"project":', field(record, 6))
    at = text(at, b',"session_name":', field(record, 5))
    at = text(at, b',"source":', field(record, 7))
    at = text(at, b',"session_id":', field(record, 0))
    return times(at, record, field(record, 11))


cdef char* event_head(char* at, record) except? NULL:
    at = text(at, b'{"project":', field(record, 6))
    at = text(at, b',"source":', field(record, 7))
    at = text(at, b',"event_name":', field(record, 5))
    at = text(at, b',"event_type":', field(record, 4))
    at = text(at, b',"event_id":', field(record, 0))
    at = text(at, b',"session_id":', field(record, 3))
    at = text(at, b',"parent_id":', field(record, 2))
    at = times(at, record, field(record, 11) or 0.0)
    if field(record, 14) is None:
        at = put(at, b',"config":{}', 12)
    if field(record, 15) is None:
        at = put(at, b',"inputs":{}', 12)
    return at


cdef spliced(const char* head, const char* end, other_head, record):
    """The whole of it, as `_record._spliced`."""
    cdef bytes other
    cdef list large = None
    cdef PyObject* parts[PARTS]
    cdef Py_ssize_t length = end - head, size
    cdef int i
    if end == NULL:
        other = dumps(other_head(record))
        head, length = PyBytes_AS_STRING(other), PyBytes_GET_SIZE(other) - 1  # without its brace
    size = length + 1
    for i in range(PARTS):
        parts[i] = PyTuple_GET_ITEM(record, PLACES[i])
        if parts[i] == <PyObject*>None:
            parts[i] = NULL
        elif i >= 6 and PyBytes_GET_SIZE(<object>parts[i]) > SPLICED:
            large = [] if large is None else large
            large += (<bytes>NAMES[i], <object>parts[i])
            parts[i] = NULL
        else:
            size += strlen(NAMES[i]) + PyBytes_GET_SIZE(<object>parts[i])
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, size - (large is not None))
    cdef char* at = put(PyBytes_AS_STRING(whole), head, length)
    for i in range(PARTS):
        if parts[i] != NULL:
            at = put(at, NAMES[i], strlen(NAMES[i]))
            at = put(at, PyBytes_AS_STRING(<object>parts[i]), PyBytes_GET_SIZE(<object>parts[i]))
    if large is not None:
        return (whole, *large, b"}")
    at[0] = c"}"
    return whole


cdef inline object field(record, Py_ssize_t place):
    return <object>PyTuple_GET_ITEM(record, place)


cdef inline char* put(char* at, const char* what, Py_ssize_t size):
    """Bytes, and where the next go; NULL where something before could not be put."""
    if at == NULL:
        return NULL
    memcpy(at, what, size)
    return at + size


cdef char* text(char* at, const char* name, value):
    """A name and a text; NULL where JSON would escape something in it, or it is long, or none."""
    cdef Py_ssize_t size
    cdef const char* chars
    if at == NULL or type(value) is not str or not PyUnicode_IS_ASCII(value):
        return NULL
    size, chars = PyUnicode_GET_LENGTH(value), <const char*>PyUnicode_1BYTE_DATA(value)
    if size > 1000 or not is_plain_text(<const uint8_t*>chars, size):
        return NULL
    at = put(at, name, strlen(name))
    at[0] = c'"'
    at = put(at + 1, chars, size)
    at[0] = c'"'
    return at + 1


cdef char* times(char* at, record, duration) except? NULL:
    """Start, duration and end, in digits from which the same numbers are read; else NULL."""
    cdef double start = field(record, 9) if type(field(record, 9)) is float else 0.0
    cdef double lasted
    cdef uint64_t whole, part
    cdef int64_t end
    cdef int overflow = 0
    # at this size a fourth digit tells every double from the next
    if not <double>(1 << 40) <= start < <double>(1 << 43):
        return NULL
    if at == NULL or field(record, 12) is not None:
        return NULL
    whole = <uint64_t>start
    part = <uint64_t>((start - whole) * 10_000 + 0.5)
    at = put(at, b',"start_time":', 14)
    at = digits(at, whole + part // 10_000, 1)
    at[0] = c"."
    at = digits(at + 1, part % 10_000, 4)
    if duration is not None:
        if type(duration) is not float:
            return NULL
        lasted = duration
        whole = <uint64_t>(lasted * 1e6 + 0.5) if 0 <= lasted < 1e9 else 0
        if <double>whole / 1e6 != lasted:
            return NULL
        at = put(at, b',"duration":', 12)
        at = digits(at, whole // 1_000_000, 1)
        at[0] = c"."
        at = digits(at + 1, whole % 1_000_000, 6)
    if field(record, 10) is not None:
        if type(field(record, 10)) is not int:
            return NULL
        end = PyLong_AsLongLongAndOverflow(field(record, 10), &overflow)
        if overflow or end < 0:
            return NULL
        at = put(at, b',"end_time":', 12)
        at = digits(at, end, 1)
    return at


cdef char* digits(char* at, uint64_t number, int least):
    cdef char found[20]
    cdef int count = 0
    while number or count < least:
        found[count] = c"0" + <char>(number % 10)
        number //= 10
        count += 1
    while count:
        count -= 1
        at[0] = found[count]
        at += 1
    return at


# what outlives the process (_journal)

cdef enum:
    SLOT = 512
    BLOCK = 5120
    COMMIT = 8
    OPEN = 1
    DONE = 2
    MOST_CHILDREN = 50
    CHILDREN = 29 + 50 * 44


cdef packed struct Head:
    uint32_t number, chain, extra, inputs
    int64_t wall
    uint64_t tick
    int64_t parent_wall
    uint64_t parent_tick
    int64_t root_wall
    uint64_t root_tick


cdef packed struct Tail:
    uint32_t chain, outputs, more, padding
    int64_t end


cdef Py_ssize_t told_children(char* whole, list children) except? -1:
    """What `Journal._more` says of them, where they are few, and none has a chosen id; else -1."""
    cdef Py_ssize_t i, count = len(children)
    cdef char* at = put(whole, b'{"children":[', 13)
    if count > MOST_CHILDREN:
        return -1
    for i in range(count):
        child = children[i]
        if type(child) is not tuple or child[0] < 0:
            return -1
        at = put(at, b",[", 2) if i else put(at, b"[", 1)
        at = digits(at, child[0], 1)
        at[0] = c","
        at = digits(at + 1, child[1], 1)
        at[0] = c"]"
        at += 1
    return put(at, b'],"masked":null}', 16) - whole


cdef class Slots:
    """The fields of `Slots`, and the twins of what `Journal` prefers to its own."""

    cdef Py_buffer _view
    cdef uint8_t* _base
    cdef readonly object _map, _words
    cdef public object _free, _blocks
    cdef public dict _numbers, _chains
    cdef public Py_ssize_t _border
    cdef public bint _retired

    def __dealloc__(self):
        if self._base != NULL:
            PyBuffer_Release(&self._view)

    def _attach(self, memory):
        cdef Py_buffer view
        words = memoryview(memory).cast("Q")
        PyObject_GetBuffer(memory, &view, PyBUF_WRITABLE)
        if self._base != NULL:
            self._detach()
        self._view, self._base = view, <uint8_t*>view.buf
        self._map, self._words = memory, words

    def _detach(self):
        self._base = NULL
        PyBuffer_Release(&self._view)
        self._words.release()
        self._map.close()

    cdef int is_open(self) except -1:
        """Raise ValueError as a closed map does; without one, nothing must be written."""
        if self._base == NULL:
            raise ValueError("the journal is closed")
        return True

    def opened(self, SessionFields s):
        cdef SessionFields parent = s._parent, root
        cdef Head head
        cdef bytes inputs = s._inputs
        cdef Py_ssize_t size = 0 if inputs is None else PyBytes_GET_SIZE(inputs)
        cdef Py_ssize_t slot, block = 0, behind = 0
        cdef uint8_t* at
        cdef tuple place
        cdef uint32_t crc = 1
        self.is_open()
        if not self._free:
            return self._opened_again(s)
        slot = self._free.pop()
        number = self._numbers.get(s._spec)
        if number is None or s._id is not None or s._masked is not None or size > BLOCK - 8:
            return self._opened_at_length(s, slot)
        head.number, head.chain, head.extra, head.inputs = number, 0, 0, size
        head.wall, head.tick = s._start + s._offset, s._tick
        head.parent_wall = head.root_wall = 0
        head.parent_tick = head.root_tick = 0
        if parent is not None:
            root = parent if parent._root is None else parent._root
            if parent._id is not None or root._id is not None:
                return self._opened_at_length(s, slot)
            head.parent_wall, head.parent_tick = parent._start + parent._offset, parent._tick
            head.root_wall, head.root_tick = root._start + root._offset, root._tick
        if size > <Py_ssize_t>(SLOT - COMMIT - sizeof(Head) - sizeof(Tail)):
            if not self._blocks:
                return self._opened_at_length(s, slot)
            block = self._blocks.pop()
            self._chains[slot] = [block]
            head.chain, behind = block, block + 8 + size
            at = self._base + block
            store_word(at, 0)
            crc = adler32_copied(crc, <const uint8_t*>PyBytes_AS_STRING(inputs), at + 8, size)
        at = self._base + slot
        memcpy(at + COMMIT, &head, sizeof(Head))
        if size and not block:
            memcpy(at + COMMIT + sizeof(Head), PyBytes_AS_STRING(inputs), size)
        store_byte(at, OPEN)
        place = (self, slot, sizeof(Head) + (0 if block else size), crc, inputs, behind)
        PyObject_GC_UnTrack(place)  # the journal refers to none
        return place

    def closed(self, SessionFields s, tuple place):
        cdef Tail tail
        cdef char children[CHILDREN]
        cdef bytes outputs = s._outputs
        cdef const uint8_t* data = NULL
        cdef Py_ssize_t size = 0, more = 0
        cdef Py_ssize_t slot = place[1], written = place[2], behind = place[5]
        cdef uint32_t crc = place[3]
        self.is_open()
        cdef uint8_t* at = self._base + slot + COMMIT + written
        if s.children:
            more = told_children(children, s.children)
        if more < 0 or s._extras is not None or s._failure is not None or s._masked is not None:
            self._closed_at_length(s, place)
            return
        if outputs is not None:
            data, size = <const uint8_t*>PyBytes_AS_STRING(outputs), PyBytes_GET_SIZE(outputs)
        tail.chain, tail.outputs, tail.more, tail.padding = 0, size, more, 0
        tail.end = s._end + s._offset
        if COMMIT + written + <Py_ssize_t>sizeof(Tail) + size + more <= SLOT:
            if size:
                memcpy(at + sizeof(Tail), data, size)
            memcpy(at + sizeof(Tail) + size, children, more)
        elif behind and size + more <= (self._border - behind) % BLOCK:  # none where it is full
            crc = adler32_copied(crc, data, self._base + behind, size)
            crc = adler32_copied(crc, <uint8_t*>children, self._base + behind + size, more)
            tail.chain = 1
        else:
            self._closed_at_length(s, place)
            return
        memcpy(at, &tail, sizeof(Tail))
        written += <Py_ssize_t>sizeof(Tail) + (0 if tail.chain else size + more)
        at = self._base + slot
        store_word(at, <uint64_t>adler32(crc, at + COMMIT, written) << 8 | DONE)

    def _take(self, Py_ssize_t size):
        cdef list taken = []
        while size > 0:
            first, second = self._blocks, self._free
            if size <= SLOT - 8:
                first, second = second, first
            if not first:
                if not second:
                    self._give(taken)
                    return None
                first = second
            block = first.pop()
            taken.append(block)
            size -= (BLOCK if block >= self._border else SLOT) - 8
        return taken

    def _give(self, list blocks):
        for block in blocks:
            (self._blocks if block >= self._border else self._free).append(block)

    def _spill(self, list blocks, bytes data, uint32_t crc):
        cdef const uint8_t* rest = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef Py_ssize_t left = PyBytes_GET_SIZE(data), size, block, i, count = len(blocks)
        self.is_open()
        for i in range(count):
            block = blocks[i]
            size = min(left, (BLOCK if block >= self._border else SLOT) - 8)
            store_word(
                self._base + block, <uint64_t>blocks[i + 1] << 8 if i + 1 < count else 0
            )
            crc = adler32_copied(crc, rest, self._base + block + 8, size)
            rest += size
            left -= size
        return crc

    def release(self, tuple place):
        self.free(place)

    cdef free(self, tuple place):
        slot, blocks = place[1], None
        self.is_open()
        store_byte(self._base + <Py_ssize_t>slot, 0)
        if self._chains:
            blocks = self._chains.pop(slot, None)
        self._free.append(slot)
        if blocks is not None:
            self._give(blocks)
        if self._retired:
            self.retire()


def adler(uint32_t before, bytes data):
    """The checksum that this module makes, for a test to compare with zlib's."""
    return adler32(before, <const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
