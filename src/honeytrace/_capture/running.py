"""`Running`: the fields of a session, as the hot path reads and writes them.

`session.Session` adds the methods that a program may call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .._base.lazy import orjson

if not cython.compiled:  # otherwise running.pxd has it in C
    from .._base.primitives import joined, new
    from .ids import format_id, list_item

OVERHEAD = 320 if cython.compiled else 450
"""Bytes of a session without its inputs and outputs. Measured with tracemalloc: 260 compiled, 400
interpreted; the rest is slack."""


class Running:
    """A session while it runs, and until its record is made.

    _start, _end: clock in ns, 0 while it runs; plus `_offset` they are wall-clock time.
    _tick: the counter that makes the id unique. _id: the id that was chosen instead. _text: the id
        as text, once somebody has asked for it.
    _parent, _root: the sessions around it; `let_go` replaces those that are no longer needed.
    _children: ids of nested sessions, in order of start, as texts or (wall ns, tick), or None.
    _late: how many of them began after this session had ended; -1: there is no bound.
    _inputs, _outputs: JSON. _extras: fields that the program added; bytes once sealed.
    _failure: status, error text and details of a call that failed. _details: other entries of the
        reserved key of the metadata. _masked: the receipt of masking.
    _raised: identity of the exception that came out of a child, and that child's id and error.
    _slot: its place in the journal, until the flush thread takes it over.
    _submit: the function that takes the finished session; None for the queue.
    _handed: it was handed over. _sealed: its record was made, so later additions are updates.
    _plain: once ended, it and the sessions around it refer to no object of the program.
    """

    off = False
    __slots__ = (
        "__weakref__",
        "_children",
        "_details",
        "_end",
        "_extras",
        "_failure",
        "_handed",
        "_id",
        "_inputs",
        "_late",
        "_masked",
        "_offset",
        "_outputs",
        "_parent",
        "_plain",
        "_raised",
        "_root",
        "_sealed",
        "_slot",
        "_spec",
        "_start",
        "_submit",
        "_text",
        "_tick",
    )
    _children: list[Any] | None
    _details: dict[str, Any] | None
    _end: int
    _extras: dict[str, Any] | None
    _failure: tuple[str, str | None, dict[str, Any]] | None
    _handed: bool
    _id: str | None
    _inputs: bytes | None
    _late: int
    _masked: list[str] | None
    _offset: int
    _outputs: bytes | None
    _parent: Any
    _plain: bool
    _raised: tuple[int, str, str | None] | None
    _root: Any
    _sealed: bool
    _slot: Any
    _spec: Any
    _start: int
    _submit: Callable[[Any], None] | None
    _text: str | None
    _tick: int

    @property
    def session_id(self) -> str:
        """The id: UUIDv7 text unless it was chosen. It is known from the start."""
        return id_of(self)

    @property
    def parent_id(self) -> str | None:
        return None if self._parent is None else id_of(self._parent)

    @property
    def children_ids(self) -> list[str]:
        """Ids of the direct children so far, in order of start."""
        children = list(self._children or ())
        return [
            child if type(child) is str else format_id(child[0], child[1]) for child in children
        ]

    @property
    def start_time(self) -> float:
        """Milliseconds since the epoch, UTC."""
        return (self._start + self._offset) / 1e6

    @property
    def end_time(self) -> int | None:
        """Milliseconds since the epoch, UTC, rounded up; None while it runs."""
        return -(-(self._end + self._offset) // 1_000_000) if self._end else None

    @property
    def duration(self) -> float | None:
        """Milliseconds; None while it runs."""
        return (self._end - self._start) / 1e6 if self._end else None

    def size(self) -> int:
        """Return the approximate number of bytes this session takes in memory once it has ended."""
        return size_of(self)


def prepare(session: Any, spec: Any, session_id: str, start: int, offset: int) -> None:
    """Set the fields of a session that another tracer times, and that has nothing inside yet."""
    found: Any = session
    found._spec = spec
    found._id = found._text = session_id
    found._start = start
    found._offset = offset
    found._handed = found._sealed = found._plain = False
    found._end = found._tick = found._late = 0
    found._children = found._details = found._extras = found._failure = found._inputs = None
    found._masked = found._outputs = found._parent = found._raised = found._root = None
    found._slot = found._submit = None


def id_of(session: Running) -> str:
    """Return the id of a session as text and keep the text for the next reader."""
    text = session._text
    if text is None:
        text = session._id or format_id(session._start + session._offset, session._tick)
        session._text = text
    return text


def children_json(session: Running) -> bytes:
    """Return the ids of the children as a list in JSON."""
    parts: list[bytes] = []
    for child in list(session._children or ()):
        if type(child) is tuple:
            parts.append(list_item(child[0], child[1]))
        else:
            parts += (b",", orjson.dumps(child))
    text = joined(parts)
    return b"[%b]" % text[1:]


def size_of(session: Running) -> int:
    """Return the approximate number of bytes an ended session takes in memory."""
    size = OVERHEAD
    if session._inputs is not None:
        size += len(session._inputs)
    if session._outputs is not None:
        size += len(session._outputs)
    if session._children is not None:
        size += 150 * len(session._children)
    if session._extras or session._failure is not None:
        size += size_of_rest(session._extras or {}, session._failure)
    return size


def size_of_rest(extras: dict[str, Any], failure: tuple[Any, Any, dict[str, Any]] | None) -> int:
    """Return the approximate number of bytes in fields that only some sessions have."""
    size = 0
    for data in extras.values():
        size += 200 + len(data)
    for detail in (failure or ("", None, {}))[2].values():
        size += 200 + sum(map(len, detail)) if isinstance(detail, list) else 200 + len(detail)
    return size


def let_go(session: Running) -> None:
    """Keep only the ids of a parent and a root that have ended.

    Work that goes on for ever by starting its own next step (a callback that calls `call_later`, a
    task that creates the next one) would otherwise keep every step's inputs and outputs.
    """
    parent: Any = session._parent
    root: Any = session._root
    if parent is not None and parent._end and parent._late >= 0:
        if type(parent) is not Running:
            session._parent = _ids_of(parent)
        if type(root) is not Running and root is not None and root._end and root._late >= 0:
            session._root = session._parent if root is parent else _ids_of(root)


def _ids_of(session: Any) -> Running:
    """Return an ended session reduced to its ids, and its root if that still runs.

    The nearest running session is not kept: in a chain of tasks that overlap there is always one,
    and each would keep the next.
    """
    found: Any = new(Running)
    found._spec = found._children = found._details = found._extras = found._failure = None
    found._inputs = found._masked = found._outputs = found._raised = found._slot = None
    found._handed = found._sealed = found._plain = True
    found._late = 0
    found._submit = session._submit
    found._start, found._end, found._offset = session._start, session._end, session._offset
    found._id, found._tick, found._text = session._id, session._tick, session._text
    root: Any = session._root
    found._root = found._parent = None if root is None or root._end else root
    return found  # type: ignore[no-any-return] # typed in running.pxd


def nearest_running(session: Any) -> Any:
    """Return the session if it runs, otherwise the nearest running one around it, or None."""
    while session is not None and session._end:
        session = session._parent
    return session
