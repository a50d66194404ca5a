"""The look of `text_gate.py`, in C."""

from .gate_words import BEGINNINGS, COUNTS, PREFIXES, RUN, SHORTEST, TAILS

__all__ = ["ends_like_name", "suspicious"]

cdef extern from "Python.h":
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    unsigned int PyUnicode_READ(int, void*, Py_ssize_t)
    Py_ssize_t PyUnicode_FindChar(object, Py_UCS4, Py_ssize_t, Py_ssize_t, int) except -2

cdef enum:
    MOST_TAILS = 64
    MOST_PREFIXES = 96
    MOST_COUNTS = 32
    MOST_SKIPPED = 6
    MOST_DIGITS = 3
    MOST_USERINFO = 255

# in order of their last letter, so that those to compare with stand together
cdef tuple tails = tuple(sorted((tail.encode() for tail in TAILS), key=lambda tail: tail[-1]))
cdef tuple counts = tuple(name.encode() for name in COUNTS)
cdef tuple prefixes = tuple(prefix.encode() for prefix in PREFIXES)
cdef tuple beginnings = tuple(beginning.encode() for beginning in BEGINNINGS)
cdef const char* tail_of[MOST_TAILS]
cdef Py_ssize_t tail_size[MOST_TAILS]
cdef const char* count_of[MOST_COUNTS]
cdef Py_ssize_t count_size[MOST_COUNTS]
cdef Py_ssize_t count_count = len(counts)
cdef const char* prefix_of[MOST_PREFIXES]
cdef Py_ssize_t prefix_size[MOST_PREFIXES]
cdef Py_ssize_t prefix_count = len(prefixes)
cdef Py_ssize_t shortest = SHORTEST, shortest_run = RUN
cdef bint in_run[128]
cdef bint skipped[128]
cdef Py_ssize_t tails_from[128]
cdef Py_ssize_t tails_to[128]
cdef bint first_of_prefix[128]

cdef Py_ssize_t at_
for at_ in range(128):
    in_run[at_] = chr(at_).isalnum() or chr(at_) in "_.-"
    skipped[at_] = chr(at_) in " \t\n\"'\\])!"
    tails_from[at_] = sum(tail[-1] < ord(chr(at_).lower()) for tail in tails)
    tails_to[at_] = sum(tail[-1] <= ord(chr(at_).lower()) for tail in tails)
    first_of_prefix[at_] = chr(at_) in {prefix[0] for prefix in PREFIXES}
for at_ in range(len(tails)):
    tail_of[at_] = <bytes>tails[at_]
    tail_size[at_] = len(tails[at_])
for at_ in range(count_count):
    count_of[at_] = <bytes>counts[at_]
    count_size[at_] = len(counts[at_])
for at_ in range(prefix_count):
    prefix_of[at_] = <bytes>prefixes[at_]
    prefix_size[at_] = len(prefixes[at_])


cdef inline unsigned int lower(unsigned int c) noexcept:
    return c + 32 if 65 <= c <= 90 else c


cdef bint ends_with_tail(int kind, void* data, Py_ssize_t last) noexcept:
    """Whether a tail, and at most three digits, end at `last`."""
    cdef Py_ssize_t i, k, digits = 0
    cdef unsigned int c
    while last >= 0 and digits < MOST_DIGITS and 48 <= PyUnicode_READ(kind, data, last) <= 57:
        last -= 1
        digits += 1
    if last < 0:
        return False
    c = PyUnicode_READ(kind, data, last)
    if c >= 128:
        return False
    for i in range(tails_from[c], tails_to[c]):
        if tail_size[i] > last + 1:
            continue
        for k in range(1, tail_size[i]):  # from the end
            c = PyUnicode_READ(kind, data, last - k)
            if lower(c) != <unsigned char>tail_of[i][tail_size[i] - 1 - k]:
                break
        else:
            return True
    return False


cdef bint is_count(int kind, void* data, Py_ssize_t last) noexcept:
    """Whether a whole name that ends at `last` is that of a count."""
    cdef Py_ssize_t i, k, before
    cdef unsigned int c
    for i in range(count_count):
        if count_size[i] > last + 1:
            continue
        for k in range(count_size[i]):  # from the end
            c = PyUnicode_READ(kind, data, last - k)
            if lower(c) != <unsigned char>count_of[i][count_size[i] - 1 - k]:
                break
        else:
            before = last - count_size[i]
            if before < 0:
                return True
            c = PyUnicode_READ(kind, data, before)
            if c < 128 and not in_run[c]:
                return True
    return False


cdef bint binds(int kind, void* data, Py_ssize_t at) noexcept:
    """Whether a name that may be a secret's ends before the separator at `at`."""
    cdef Py_ssize_t last = at - 1, count = 0
    cdef unsigned int c
    while last >= 0 and count < MOST_SKIPPED:
        c = PyUnicode_READ(kind, data, last)
        if c >= 128 or not skipped[c]:
            break
        last -= 1
        count += 1
    return ends_with_tail(kind, data, last) and not is_count(kind, data, last)


cdef bint has_userinfo(str text, int kind, void* data, Py_ssize_t at, Py_ssize_t size):
    """Whether `//` follows the colon at `at`, and an `@` before the next space."""
    cdef Py_ssize_t i
    cdef unsigned int c
    if at + 2 >= size or PyUnicode_READ(kind, data, at + 1) != 47:
        return False
    if PyUnicode_READ(kind, data, at + 2) != 47:
        return False
    for i in range(at + 3, min(size, at + 4 + MOST_USERINFO)):
        c = PyUnicode_READ(kind, data, i)
        if c == 64:
            return True
        if c == 32 or 9 <= c <= 13:
            return False
    return False


cdef bint begins(int kind, void* data, Py_ssize_t at, Py_ssize_t size) noexcept:
    """Whether a credential may begin at `at`."""
    cdef Py_ssize_t i, k
    cdef unsigned int c = PyUnicode_READ(kind, data, at)
    if c >= 128 or not first_of_prefix[c]:
        return False
    for i in range(prefix_count):
        if prefix_size[i] > size - at:
            continue
        for k in range(prefix_size[i]):
            if PyUnicode_READ(kind, data, at + k) != <unsigned char>prefix_of[i][k]:
                break
        else:
            return True
    return False


cdef bint has_credential(int kind, void* data, Py_ssize_t size) noexcept:
    """Whether a long run of word characters begins as credentials do."""
    cdef Py_ssize_t start = 0, i, end
    cdef unsigned int c
    while start + shortest_run <= size:
        i = start + shortest_run - 1  # from the end: a space there skips all before it
        while i >= start:
            c = PyUnicode_READ(kind, data, i)
            if c >= 128 or not in_run[c]:
                break
            i -= 1
        if i >= start:
            start = i + 1
            continue
        end = start + shortest_run
        while end < size:
            c = PyUnicode_READ(kind, data, end)
            if c >= 128 or not in_run[c]:
                break
            end += 1
        i = start
        while i < end and PyUnicode_READ(kind, data, i) in (46, 95, 45):
            i += 1
        if i < end and begins(kind, data, i, end):
            return True
        start = end + 1
    return False


cpdef bint suspicious(str text, Py_ssize_t most=-1) except -1:
    """Tell whether a text is worth the search for secrets."""
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text), at
    cdef int kind = PyUnicode_KIND(text)
    cdef void* data = PyUnicode_DATA(text)
    cdef unsigned int c
    if 0 <= most < size:
        size = most
    if size < shortest:
        return False
    at = PyUnicode_FindChar(text, 58, 0, size, 1)  # ":"
    while at >= 0:
        if binds(kind, data, at) or has_userinfo(text, kind, data, at, size):
            return True
        at = PyUnicode_FindChar(text, 58, at + 1, size, 1)
    at = PyUnicode_FindChar(text, 61, 0, size, 1)  # "="
    while at >= 0:
        if binds(kind, data, at):
            return True
        at = PyUnicode_FindChar(text, 61, at + 1, size, 1)
    at = PyUnicode_FindChar(text, 45, 0, size, 1)  # "-"
    while 0 <= at < size - 2:
        if PyUnicode_READ(kind, data, at + 1) == 45:
            c = lower(PyUnicode_READ(kind, data, at + 2))
            if 97 <= c <= 122:
                return True
        at = PyUnicode_FindChar(text, 45, at + 1, size, 1)
    if lower(PyUnicode_READ(kind, data, 0)) == 98:  # "b"
        if text[:7].lower().startswith(BEGINNINGS):
            return True
    return has_credential(kind, data, size)


cpdef bint ends_like_name(str text) except -1:
    """Tell whether a text may be the name of a secret, as the first of a pair with its value."""
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text)
    return size > 0 and ends_with_tail(PyUnicode_KIND(text), PyUnicode_DATA(text), size - 1)
