"""Sessions that another tracer times: their ids, parents, starts and ends come from outside.

They are journalled, sampled and delivered like any other, but never current: the other tracer
keeps its own context.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from .._base.interrupts import interrupts
from .._record.merge import as_object
from .._record.record import OBJECTS
from .call import internal_error
from .hooks import discard, hooks, switch
from .running import prepare
from .session import Session
from .spec import Spec

Failure = tuple[str, str | None, dict[str, Any]]
"""Status, error and details, as `exceptions.describe` returns them."""


class External(Session):
    """A session with a place in another tracer's trace."""

    __slots__ = ("began", "trace")

    began: int
    """Start by `hooks.clock_ns`. `_start` follows the other tracer's clock, which is not exact
    enough to decide the nesting."""
    trace: tuple[str, str] | None
    """Its trace id and span id, hex."""

    def _ended(self, name: str) -> Any:
        """Return a field of an ended session, also while nobody has read its fields yet."""
        unread = _unread(self)
        if unread is None:
            return super()._ended(name)
        twin = External()  # the flush thread may be reading the session itself
        prepare(twin, self._spec, self.session_id, self._start, self._offset)
        twin._end = self._end
        twin._extras = {_UNREAD: unread}
        complete(twin)
        return twin._ended(name)


class Read(NamedTuple):
    """The fields of an ended session, as `end_external` takes them."""

    spec: Spec
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    failure: Failure | None
    extras: dict[str, Any]


class Unread:
    """The fields of an ended session, to be read when its record is made.

    The values are those of the end, because nothing can change them any more; redaction is that
    of the end, too.

    read: returns what `Read` names; it is given the function that redacts texts.
    size: bytes that the values take in memory, as the queue counts them.
    raw: JSON of which `recovered_fields` makes the same, for a session with a place in a journal.
    """

    __slots__ = ("_encode", "_read", "_redact", "_size", "raw")

    def __init__(
        self,
        read: Callable[[Callable[[str], str]], Read],
        size: int,
        raw: bytes = b"",
    ) -> None:
        self._read = read
        self._size = size
        self.raw = raw
        self._encode, self._redact = hooks.encode, hooks.redact

    def __len__(self) -> int:
        return self._size

    def fill(self, s: Session) -> None:
        """Encode the fields into the session."""
        made = self._read(self._redact)
        sealed, masked = seal(made, self._encode, self._redact)
        s._inputs, s._outputs = sealed.pop("inputs", None), sealed.pop("outputs", None)
        s._spec, s._failure, s._masked, s._extras = made.spec, made.failure, masked or None, sealed


def seal(
    made: Read, encode: Callable[[object, list[str], str], bytes], redact: Callable[[str], str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of a session as its record has them, and the receipt of masking."""
    _, inputs, outputs, _, fields = made
    masked: list[str] = []
    sealed: dict[str, Any] = {}
    for name, value in (*fields.items(), ("inputs", inputs), ("outputs", outputs)):
        if name not in OBJECTS:
            sealed[name] = redact(value)
        elif value or name in fields:
            data = encode(value, masked, name)
            # a mapping that was cut down is a string
            sealed[name] = data if name == "outputs" else as_object(data) or data
    return sealed, masked


_UNREAD = ""
"""The key of `Unread` among a session's extras."""


def _unread(s: Session) -> Unread | None:
    extras = s._extras
    return extras.get(_UNREAD) if extras else None


def raw_of(s: Session) -> bytes:
    """Return what a journal keeps of a session whose fields nobody has read yet; else nothing."""
    unread = _unread(s)
    return b"" if unread is None else unread.raw


def recovered_fields(raw: Any, is_root: bool) -> dict[str, Any]:
    """Return the fields of a session whose journal has `raw`, as a journal keeps fields.

    The mapping of spans stands above, so it is found by name.
    """
    found: dict[str, Any] = import_module("honeytrace.otel._raw").recovered(raw, is_root)
    return found


def complete(s: Session) -> None:
    """Read the fields of an ended session, where `end_unread` left that for later.

    If that fails, the session is recorded without them.
    """
    unread = _unread(s)
    if unread is None:
        return
    try:
        unread.fill(s)
    except Exception as error:
        s._extras = None
        if interrupts(error):
            raise
        internal_error(error)


def began(session: Session) -> int:
    """Return the start of a session or a stand-in by `hooks.clock_ns`."""
    return session.began if isinstance(session, External) else session._start


def begin_external(
    spec: Spec,
    parent: Session | None,
    session_id: str,
    start_ns: int,
    trace: tuple[str, str] | None = None,
    *,
    decided: bool = False,
) -> External:
    """Open a session that began at `start_ns` (nanoseconds since the epoch) inside `parent`.

    decided: its tree is recorded already, so a root is not sampled.

    A session that is not recorded has `discard` as its `_submit`, and so have its children.
    """
    s = External()
    s.began, s.trace = hooks.clock_ns(), trace
    offset = hooks.offset_ns
    prepare(s, spec, session_id, start_ns - offset, offset)
    if not hooks.configured:
        hooks.configure()
    if parent is None:
        if not switch.on:
            s._submit = discard
        elif hooks.rate < 1.0 and not decided:
            s._submit = hooks.sample(None)
    else:
        s._parent = parent
        s._root = parent if parent._root is None else parent._root
        s._submit = parent._submit
        if s._submit is not discard:
            if parent._children is None:
                parent._children = []
            parent._children.append(session_id)
            if parent._sealed:
                hooks.update(parent.session_id, {"children_ids": [session_id]})
    if s._submit is None:
        s._slot = hooks.opened(s)
    return s


def end_external(
    s: Session,
    end_ns: int,
    *,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    failure: Failure | None,
    extras: dict[str, Any],
) -> None:
    """End a session of `begin_external` and hand it over. Raises nothing but an interrupt.

    `extras`: mapping fields, names, project and source. Values that the program set through
    `current_session()` win over all of these.
    """
    s._end = max(end_ns - s._offset, s._start) or 1  # 0 stands for running
    try:
        added = s._extras or {}
        for name, value in added.items():
            known = extras.get(name)
            extras[name] = {**known, **value} if isinstance(known, dict) else value
        if inputs:
            extras["inputs"] = {**inputs, **extras.get("inputs", {})}
        if outputs:
            extras.setdefault("outputs", outputs)
        s._failure = failure
        s._extras = extras
        s._seal()
        if s._slot is not None:
            s._slot[0].closed(s, s._slot)
        (s._submit or hooks.submit)(s)
        s._handed = True
    except Exception as exc:
        if type(exc) is not RecursionError and interrupts(exc):
            raise
        _keep(s, exc)


def end_unread(s: Session, end_ns: int, unread: Unread) -> None:
    """End a session and hand it over, and leave its fields to whoever makes its record.

    For a session to which the program added nothing, and whose failure decides nothing about its
    tree. If it has a place in a journal, `unread.raw` goes there.
    """
    s._end = max(end_ns - s._offset, s._start) or 1
    try:
        s._extras = {_UNREAD: unread}
        if s._slot is not None:
            s._slot[0].closed(s, s._slot)
        (s._submit or hooks.submit)(s)
        s._handed = True
    except Exception as exc:
        if type(exc) is not RecursionError and interrupts(exc):
            raise
        _keep(s, exc)


def _keep(s: Session, error: Exception) -> None:
    """Record a session whose end failed by what is known of it."""
    s._extras = None
    if s._submit is not discard:
        hooks.keep(s)
    internal_error(error)


def abandon(s: Session) -> None:
    """Forget a session of `begin_external` that is not to be recorded after all."""
    if s._slot is not None:
        s._slot[0].release(s._slot)
        s._slot = None
    parent = s._parent
    if parent is not None and s.session_id in (parent._children or ()):
        parent._children.remove(s.session_id)
