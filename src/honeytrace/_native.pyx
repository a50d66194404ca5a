# cython: language_level=3, boundscheck=False, wraparound=False, binding=False, auto_pickle=False
"""The hot path in C: what every traced call runs, from its entry to the journal and the queue.

Each class and function here is the twin of one in Python and does the same, in the usual case; the
unusual goes on in Python. `_context`, `_session`, `_snapshot`, `_capture`, `_queue` and `_journal`
take theirs where this module was built, and are what to read first. The suite runs with either.

No Python code runs in between, so that no signal handler and no other thread sees half of it,
except where a Python object is called.
"""

import datetime

import orjson

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.contextvars cimport PyContextVar_Set
from cpython.object cimport PyObject, PyTypeObject
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef object dumps = orjson.dumps
cdef type DATETIME = datetime.datetime
cdef type DATE = datetime.date
cdef type NONE = type(None)
cdef tuple NOTHING = ()


# ids, and what is running here (_context)


cdef class HotFields:
    """The fields of `Hot`, but for `on`, which Python reads more often."""

    cdef public object clock_ns, encode, keep, opened, redact, sample, session_name, submit, tick
    cdef public object update
    cdef public int64_t offset_ns
    cdef public double rate


cdef const char* HEX = b"0123456789abcdef"


cpdef str format_id(int64_t wall_ns, uint64_t tick):
    """The UUIDv7 of a pair, as text."""
    cdef int64_t ms = wall_ns // 1_000_000
    cdef uint64_t fraction = wall_ns % 1_000_000
    cdef uint64_t half[2]
    cdef char text[36]
    cdef int digit, at = 0
    half[0] = (<uint64_t>ms & 0xFFFFFFFFFFFF) << 16 | 0x7000 | fraction * 4096 // 1_000_000
    half[1] = <uint64_t>1 << 63 | tick & ((<uint64_t>1 << 62) - 1)
    for digit in range(32):
        if digit in (8, 12, 16, 20):
            text[at] = c"-"
            at += 1
        text[at] = HEX[half[digit >> 4] >> (60 - 4 * (digit & 15)) & 15]
        at += 1
    return text[:36].decode("ascii")


# a session while it runs (_session)


cdef class SpecFields:
    """The fields of `Spec`."""

    cdef public object capture_inputs, capture_outputs, event_type, fixed, project, reduce
    cdef public object sample_rate, session_name, source


cdef class SessionFields:
    """The fields of `Session`."""

    cdef object __weakref__
    cdef public object _children, _extras, _failure, _id, _inputs, _masked, _outputs, _parent
    cdef public object _raised, _root, _slot, _spec, _submit, _text
    cdef public int64_t _start, _offset, _end
    cdef public uint64_t _tick
    cdef public bint _sealed


# a value to JSON (_snapshot)


cdef class FastRoute:
    """The base of FastRoute."""

    cdef public bint _fast
    cdef public set _harmless
    cdef public Py_ssize_t _max_bytes, _max_depth, _max_items, _room

    cpdef encode(self, value, receipt=None, str path=""):
        cdef Py_ssize_t room = self._room
        cdef bytes out
        try:
            if self._fast and self.is_plain(value, self._max_depth, &room):
                out = dumps(value)
                if PyBytes_GET_SIZE(out) <= self._max_bytes:
                    # orjson's results keep 4 KB of memory, however short
                    if PyBytes_GET_SIZE(out) >= 2048:
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
        cdef bint known = True
        if not self.has_room(len(value), depth, room):
            return False
        for key in value:
            if type(key) is not str or key not in self._harmless:
                known = False
                break
        if not known and not self._learn(value):
            return False
        for member in value.values():
            if not self.is_plain(member, depth - 1, room):
                return False
        return True

    cdef bint has_room(self, Py_ssize_t members, Py_ssize_t depth, Py_ssize_t* room):
        room[0] -= members
        return members == 0 or depth > 0 and members <= self._max_items and room[0] >= 0


# begin and done (_capture)

cdef HotFields hot
cdef object current, discard, interrupts, begin_at_length, output, not_begun, internal_error
cdef type session_type


def use(HotFields the_hot, the_current, the_discard, interrupting, type session, at_length, taken,
        failed, told):
    """What `begin` and `done` need of `_context`, `_interrupt`, `_session` and `_capture`."""
    global hot, current, discard, interrupts, session_type, begin_at_length, output, not_begun
    global internal_error
    hot, current, discard, interrupts = the_hot, the_current, the_discard, interrupting
    session_type = session
    begin_at_length, output, not_begun, internal_error = at_length, taken, failed, told


def begin(SpecFields spec, SessionFields parent, bound, session_id=None):
    """The twin of `_capture.begin`."""
    cdef SessionFields s
    cdef object child = None
    if parent is None and (hot.rate < 1.0 or spec.sample_rate is not None):
        return begin_at_length(spec, parent, bound, session_id)
    s = <SessionFields>(<PyTypeObject*>session_type).tp_new(
        session_type, <PyObject*>NOTHING, NULL
    )
    s._spec = spec
    s._children = []
    s._id = session_id
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
            child = session_id or (s._start + s._offset, s._tick)
            (<list>parent._children).append(child)
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


# to the flush thread (_queue)


cdef class Intake:
    """The base of Intake."""

    cdef public object items, keep
    cdef public Py_ssize_t bytes, _level

    def put(self, SessionFields session):
        self.keep(session)
        self.bytes += _size_of(session)
        if self.bytes > self._level:
            try:
                self._crossed()
            except BaseException:
                session._submit = discard
                raise


OVERHEAD = _OVERHEAD

cdef enum:
    _OVERHEAD = 320


cdef Py_ssize_t _size_of(SessionFields s) except -1:
    cdef Py_ssize_t size = _OVERHEAD
    if s._inputs is not None:
        size += len(s._inputs)
    if s._outputs is not None:
        size += len(s._outputs)
    if s._extras or s._failure or s._children:
        size += s._extra_size()
    return size


# what outlives the process (_journal)

cdef enum:
    SLOT = 512
    BLOCK = 5120
    COMMIT = 8
    OPEN = 1
    DONE = 2


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


cdef class Slots:
    """The base of Slots."""

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
        PyObject_GetBuffer(memory, &self._view, PyBUF_WRITABLE)
        self._base = <uint8_t*>self._view.buf
        self._map = memory
        self._words = memoryview(memory).cast("Q")

    def _detach(self):
        self._base = NULL
        PyBuffer_Release(&self._view)
        self._words.release()
        self._map.close()

    def opened(self, SessionFields s):
        cdef SessionFields parent = s._parent, root
        cdef Head head
        cdef bytes inputs = s._inputs
        cdef Py_ssize_t size = 0 if inputs is None else PyBytes_GET_SIZE(inputs)
        cdef Py_ssize_t slot, block = 0, behind = 0
        cdef uint8_t* at
        cdef uint32_t crc = 1
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
            memcpy(at + 8, PyBytes_AS_STRING(inputs), size)
            crc = adler32(crc, at + 8, size)
        at = self._base + slot
        memcpy(at + COMMIT, &head, sizeof(Head))
        if size and not block:
            memcpy(at + COMMIT + sizeof(Head), PyBytes_AS_STRING(inputs), size)
        store_byte(at, OPEN)
        return self, slot, sizeof(Head) + (0 if block else size), crc, inputs, behind

    def closed(self, SessionFields s, tuple place):
        cdef Tail tail
        cdef bytes outputs = s._outputs
        cdef Py_ssize_t size = 0 if outputs is None else PyBytes_GET_SIZE(outputs)
        cdef Py_ssize_t slot = place[1], written = place[2], behind = place[5]
        cdef uint32_t crc = place[3]
        cdef uint8_t* at = self._base + slot + COMMIT + written
        if s._extras is not None or s._failure is not None or s._masked is not None or s._children:
            self._closed_at_length(s, place)
            return
        tail.chain, tail.outputs, tail.more, tail.padding = 0, size, 0, 0
        tail.end = s._end + s._offset
        if COMMIT + written + <Py_ssize_t>sizeof(Tail) + size <= SLOT:
            if size:
                memcpy(at + sizeof(Tail), PyBytes_AS_STRING(outputs), size)
        elif behind and size <= BLOCK - (behind - self._border) % BLOCK:
            memcpy(self._base + behind, PyBytes_AS_STRING(outputs), size)
            crc = adler32(crc, self._base + behind, size)
            tail.chain = 1
        else:
            self._closed_at_length(s, place)
            return
        memcpy(at, &tail, sizeof(Tail))
        written += <Py_ssize_t>sizeof(Tail) + (0 if tail.chain else size)
        at = self._base + slot
        store_word(at, <uint64_t>adler32(crc, at + COMMIT, written) << 8 | DONE)

    def release(self, tuple place):
        cdef Py_ssize_t slot = place[1]
        store_byte(self._base + slot, 0)
        blocks = self._chains.pop(slot, None)
        self._free.append(slot)
        if blocks is not None:
            self._give(blocks)
        if self._retired:
            self.retire()


cdef extern from *:
    """
    #include <stdint.h>
    #include <stddef.h>

    /* What commits is stored last, wherever the compiler would rather have it. */
    #ifdef _MSC_VER
    #define honeytrace_store_byte(at, byte) (*(volatile uint8_t *)(at) = (byte))
    #define honeytrace_store_word(at, word) (*(volatile uint64_t *)(at) = (word))
    #else
    #define honeytrace_store_byte(at, byte) __atomic_store_n((at), (byte), __ATOMIC_RELEASE)
    #define honeytrace_store_word(at, word) \
        __atomic_store_n((uint64_t *)(at), (word), __ATOMIC_RELEASE)
    #endif

    #if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
    __attribute__((target_clones("avx2", "default")))
    #endif
    /* Adler-32 (RFC 1950), in pieces that a compiler makes vectors of. */
    static uint32_t honeytrace_adler32(uint32_t before, const uint8_t *p, size_t n) {
        uint32_t a = before & 0xffff, b = before >> 16;
        while (n) {
            size_t piece = n < 5536 ? n : 5536;  /* so many, and b is still below 2^32 */
            n -= piece;
            for (; piece >= 32; piece -= 32, p += 32) {
                uint32_t sum = 0, weighted = 0;
                for (int i = 0; i < 32; i++) {
                    sum += p[i];
                    weighted += (uint32_t)(32 - i) * p[i];
                }
                b += 32 * a + weighted;
                a += sum;
            }
            for (; piece; piece--) {
                a += *p++;
                b += a;
            }
            a %= 65521;
            b %= 65521;
        }
        return b << 16 | a;
    }
    """
    void store_byte "honeytrace_store_byte"(uint8_t* at, uint8_t byte)
    void store_word "honeytrace_store_word"(uint8_t* at, uint64_t word)
    uint32_t adler32 "honeytrace_adler32"(uint32_t before, const uint8_t* data, size_t size) nogil
