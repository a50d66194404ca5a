"""The few operations that have a faster spelling in C: `primitives.pxd` holds that spelling."""

from __future__ import annotations

import re
import sys
from contextvars import ContextVar
from typing import Any

get_var = ContextVar.get
set_var = ContextVar.set
is_finalizing = sys.is_finalizing
new: Any = object.__new__
"""Make an instance without setting its fields."""
new_tuple: Any = tuple.__new__
"""Make a named tuple of a tuple of its fields."""
copied = b"%b".__mod__
"""Copy bytes to a block of their own size: results of orjson may hold up to 16 KB each."""
is_plain: Any = re.compile(r'[^\x00-\x1f"\\\x7f-\U0010ffff]*\Z').match
"""Tell whether an exact str is ASCII that needs no escape in JSON."""
plain_tuple: Any = tuple
"""Take a named tuple as what it is; in C, its fields are then read by place."""
joined = b"".join
"""Join a list of bytes."""
identity = id
"""Return the identity of an object."""


def place_of(value: object) -> int:
    """Return one of 64 places for an object, by its identity."""
    return id(value) >> 5 & 63


def untrack(value: object) -> None:
    """Hide an object that is in no cycle from the garbage collector; does nothing interpreted."""


def uuid_text(high: int, low: int) -> str:
    """Return the text of a UUID from its upper and lower 64 bits."""
    digits = f"{high & (1 << 64) - 1:016x}{low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def times(id_: str, start: int, part: int, nanos: int, end: int) -> bytes:
    """Return the rest of a body's id, and its times in ms: `start` with its ten thousandths in
    `part`, `nanos` ns, and `end`. The id needs no escape."""
    return (
        f'{id_}","start_time":{start}.{part:04d}'
        f',"duration":{nanos // 1_000_000}.{nanos % 1_000_000:06d},"end_time":{end}'
    ).encode()


def uuid_item(high: int, low: int) -> bytes:
    """Return the same text as a member of a list in JSON, with a comma before it."""
    return b',"%b"' % uuid_text(high, low).encode()


_RUN = re.compile(r"[\w.-]*", re.A)
_MARK = re.compile(r"[:=_(\[-]")
_LONG = re.compile(r"(?<![\w.-])[\w.-]{20}", re.A)
find = str.find


def run_end(text: str, at: int, size: int) -> int:
    """Return the end of the run of letters, digits, `_`, `.` and `-` (all ASCII) at `at`."""
    found: Any = _RUN.match(text, at, size)
    return int(found.end())


def next_run(text: str, start: int, size: int) -> int:
    """Return the beginning of the next such run of at least 20 characters, or -1.

    start: the beginning of the text, or the end of a run.
    """
    found = _LONG.search(text, start, size)
    return -1 if found is None else found.start()


def next_mark(text: str, at: int, size: int) -> int:
    """Return the place of the next of the characters `:=-_([`, or -1."""
    found = _MARK.search(text, at, size)
    return -1 if found is None else found.start()
