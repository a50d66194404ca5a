"""A session while it runs: what the ContextVar holds and what the program may add to.

Inputs and outputs are JSON text from the moment they are captured; what the program adds is kept
as it is and encoded when the session ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

from .._compiled import native, prefer
from .._interrupts import interrupts
from .._lazy import orjson
from .._record.merge import as_object, merge_objects, with_details
from .._record.record import MERGED, OBJECTS, OVERHEAD, Record
from .context import format_id, hot, innermost
from .exceptions import describe, error_text

_new_record: Callable[[type[Record], tuple[Any, ...]], Record] = tuple.__new__
_BRACE = ord("{")
_OK: tuple[str, str | None, dict[str, Any]] = ("ok", None, {})


class SpecFields:
    """Where the fields of a `Spec` are."""

    __slots__ = (
        "capture_inputs",
        "capture_outputs",
        "event_type",
        "fixed",
        "project",
        "reduce",
        "sample_rate",
        "session_name",
        "source",
    )


class SessionFields:
    """Where the fields of a `Session` are."""

    __slots__ = (
        "__weakref__",
        "_children",
        "_end",
        "_extras",
        "_failure",
        "_id",
        "_inputs",
        "_masked",
        "_offset",
        "_outputs",
        "_parent",
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


_FIELDS = SessionFields.__slots__[1:]

if native is not None:
    SpecFields, SessionFields = native.SpecFields, native.SessionFields  # type: ignore[misc]


class Spec(SpecFields):
    """What is fixed about a traced function or a block, computed once."""

    __slots__ = ()

    def __init__(
        self,
        session_name: str,
        *,
        project: str | None = None,
        source: str | None = None,
        event_type: str = "chain",
        capture_inputs: bool | frozenset[str] = True,
        capture_outputs: bool | frozenset[str] = True,
        sample_rate: float | None = None,
        reduce: Any = None,
        fixed: Mapping[str, Any] | None = None,
    ) -> None:
        self.session_name = as_text(session_name)
        self.project = as_text(project) if project else None
        self.source = as_text(source) if source else None
        self.event_type = str.__str__(event_type)  # of an enumeration, too
        self.capture_inputs = capture_inputs
        self.capture_outputs = capture_outputs
        self.sample_rate = sample_rate
        self.reduce = reduce
        self.fixed = {name: dict(value) for name, value in (fixed or {}).items() if value}
        """`config`, `metadata`, … that every session of this spec starts with."""

    def __copy__(self) -> Spec:
        return self

    def __deepcopy__(self, memo: Any) -> Spec:
        return self


class _MappingField:
    """A field that reads as a dict to be changed in place."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, session: None, owner: type) -> _MappingField: ...
    @overload
    def __get__(self, session: Session, owner: type) -> dict[str, Any]: ...
    def __get__(self, session: Session | None, owner: type) -> Any:
        return self if session is None else session._mapping(self.name)

    def __set__(self, session: Session, value: Mapping[str, Any]) -> None:
        session._set(self.name, value)


class _ValueField(_MappingField):
    """A field that is replaced as a whole."""

    @overload
    def __get__(self, session: None, owner: type) -> _MappingField: ...
    @overload
    def __get__(self, session: Session, owner: type) -> Any: ...
    def __get__(self, session: Session | None, owner: type) -> Any:
        return self if session is None else session._get(self.name)

    def __set__(self, session: Session, value: Any) -> None:
        session._set(self.name, value)


class Session(SessionFields):
    """One running call or block. Get it from `with session(...) as s` or `current_session()`.

    The mapping fields (`inputs, config, metrics, feedback, metadata, user_properties`) read as
    dicts that may be changed in place; `outputs`, `error` and the names may be set. Everything is
    snapshotted when the session ends: what is read from then on are copies of that snapshot, and
    what is set or passed to `update` goes the way of `update_session`.
    """

    __slots__ = ()
    off = False
    away = False
    """Whether it stands in for a session of another process."""

    _spec: Spec
    _start: int
    _offset: int
    _tick: int
    _submit: Callable[[Session], None] | None
    _slot: Any
    """Its place in the journal, until the flush thread takes it over; None where it has none."""
    _parent: Session | None
    _root: Session | None
    _children: list[Any]
    _extras: dict[str, Any] | None
    _failure: tuple[str, str | None, dict[str, Any]] | None
    _raised: tuple[int, str] | None
    """The exception that came out of a session inside, by identity, and that session's id."""
    _inputs: bytes | None
    _outputs: bytes | None
    _masked: list[str] | None
    _id: str | None
    """The id that was chosen for it."""
    _text: str | None
    """Its id, once somebody has asked for it."""
    _end: int
    _sealed: bool

    inputs = _MappingField()
    config = _MappingField()
    metrics = _MappingField()
    feedback = _MappingField()
    metadata = _MappingField()
    user_properties = _MappingField()
    outputs = _ValueField()
    error = _ValueField()
    session_name = _ValueField()
    project = _ValueField()
    source = _ValueField()

    def __copy__(self) -> Session:
        return self

    def __deepcopy__(self, memo: Any) -> Session:
        """A program that copies what it holds has one more name for this call."""
        return self

    @property
    def session_id(self) -> str:
        """The id, UUIDv7 text unless it was chosen; known from the start."""
        text = self._text
        if text is None:
            text = self._text = self._id or format_id(self._start + self._offset, self._tick)
        return text

    @property
    def parent_id(self) -> str | None:
        return None if self._parent is None else self._parent.session_id

    @property
    def children_ids(self) -> list[str]:
        """Ids of what ran directly inside so far, in order of start."""
        return [c if isinstance(c, str) else format_id(*c) for c in list(self._children)]

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

    def update(
        self,
        *,
        inputs: Mapping[str, Any] | None = None,
        outputs: Any = None,
        error: str | BaseException | None = None,
        config: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        feedback: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        user_properties: Mapping[str, Any] | None = None,
        session_name: str | None = None,
        project: str | None = None,
        source: str | None = None,
        children_ids: Iterable[str] | None = None,
    ) -> None:
        """Add what is known now. Mapping fields merge, `children_ids` appends, the rest replaces.

        None leaves a field alone. On a session that has ended this is `update_session`.
        """
        given = {k: v for k, v in locals().items() if k != "self" and v is not None}
        if self._end:
            hot.update(self.session_id, {k: as_given(k, v) for k, v in given.items()})
            return
        for name, value in given.items():
            if name in MERGED:
                self._mapping(name).update(as_mapping(value))
            elif name == "children_ids":
                self._children.extend(as_ids(value))
            else:
                setattr(self, name, value)

    def _mapping(self, name: str) -> dict[str, Any]:
        if self._end:
            return self._ended(name) or {}
        extras = self._extras
        if extras is None:
            extras = self._extras = {}
        value = extras.get(name)
        if value is None:
            start: dict[str, Any] = {}
            if name == "inputs" and self._inputs is not None:
                start = orjson.loads(as_object(self._inputs) or b"{}")
                self._inputs = None
            value = extras.setdefault(name, start)
        return value  # type: ignore[no-any-return]

    def _set(self, name: str, value: Any) -> None:
        if self._end:
            hot.update(self.session_id, {name: as_given(name, value)})
            return
        if name == "inputs":
            self._inputs = None
        if self._extras is None:
            self._extras = {}
        self._extras[name] = as_mapping(value) if name in MERGED else value

    def _get(self, name: str) -> Any:
        if self._end and name in ("outputs", "error"):
            return self._ended(name)
        extras = self._extras or {}
        if name in extras or name in ("outputs", "error"):
            return extras.get(name)
        return getattr(self._spec, name) or (hot.session_name if name == "session_name" else None)

    def _ended(self, name: str) -> Any:
        """A field of an ended session, from its snapshot."""
        if name == "error":
            return self._failure and self._failure[1]
        if name in ("inputs", "outputs"):
            value: Any = as_object(self._inputs) if name == "inputs" else self._outputs
        else:
            value = (self._extras or {}).get(name)
        return orjson.loads(value) if isinstance(value, bytes) else value

    def _encode(self, name: str, value: Any) -> bytes:
        masked: list[str] = []
        data = hot.encode(value, masked, name)
        if masked:
            self._masked = (self._masked or []) + masked
        return data if name == "outputs" else as_object(data) or data  # cut down, it is a string

    def _seal(self) -> None:
        """Snapshot what the program added; called once, when the session ends."""
        extras, self._extras = self._extras or {}, {}
        for name, value in list(extras.items()):  # another thread may be adding
            if name == "inputs":
                self._inputs = self._encode(name, value)
            elif name == "outputs":
                self._outputs = self._encode(name, value)
            elif name == "error":
                self._failure = (
                    describe(value, hot.redact, None)
                    if isinstance(value, BaseException)
                    else ("error", as_text(hot.redact(as_text(value))), {})
                )
            elif name in OBJECTS:
                self._extras[name] = self._encode(name, value)
            else:
                self._extras[name] = as_text(value)

    def _object(self, name: str) -> bytes | None:
        """A mapping field as JSON: what the spec fixes, then what the program added."""
        added = self._extras.get(name) if self._extras else None
        fixed = self._spec.fixed.get(name) if self._spec.fixed else None
        return added if fixed is None else merge_objects(self._encode(name, fixed), added)

    def _metadata(self, parent_id: str | None, root_id: str) -> bytes | None:
        own = self._object("metadata") if self._extras or self._spec.fixed else None
        event_type = self._spec.event_type
        return with_details(own, parent_id, root_id, event_type, self._failure, self._masked)

    def _to_record(self, project: str, source: str) -> Record:
        """The record of this ended session. Children that start later are told as updates."""
        self._sealed = True
        spec, extras, parent, root = self._spec, self._extras or {}, self._parent, self._root
        more = extras or spec.fixed
        session_id = self._text or self.session_id
        parent_id = None if parent is None else parent._text or parent.session_id
        root_id = session_id if root is None else root._text or root.session_id
        status, error, _ = self._failure or _OK
        start, end, inputs = self._start, self._end, self._inputs
        if inputs is not None and inputs[0] != _BRACE:
            inputs = as_object(inputs)
        details = more or parent_id or self._failure or self._masked
        return _new_record(
            Record,
            (  # positional, in the order of its fields: by name it takes a microsecond more
                session_id,
                session_id,
                parent_id,
                root_id,
                "session" if parent is None else spec.event_type,
                extras.get("session_name") or spec.session_name or hot.session_name,
                extras.get("project") or spec.project or project,
                extras.get("source") or spec.source or source,
                status,
                (start + self._offset) / 1e6,
                -(-(end + self._offset) // 1_000_000) if end else None,
                (end - start) / 1e6 if end else None,
                error,
                b"%b" % orjson.dumps(self.children_ids) if self._children else b"[]",
                self._object("config") if more else None,
                inputs,
                as_object(self._outputs),
                self._object("metrics") if more else None,
                self._object("feedback") if more else None,
                self._metadata(parent_id, root_id) if details else None,
                self._object("user_properties") if more else None,
            ),
        )

    def _size(self) -> int:
        """About how many bytes this ended session takes in memory."""
        size = OVERHEAD + len(self._inputs or b"") + len(self._outputs or b"")
        if self._extras or self._failure or self._children:
            size += self._extra_size()
        return size

    def _extra_size(self) -> int:
        """About how many bytes what only some sessions have takes in memory."""
        size = 150 * len(self._children)
        for data in (self._extras or {}).values():
            size += 200 + len(data)
        for detail in (self._failure or ("", None, {}))[2].values():
            size += 200 + sum(map(len, detail)) if isinstance(detail, list) else 200 + len(detail)
        return size

    def _so_far(self, project: str, source: str) -> Record:
        """The record of this session as it stands while it runs."""
        twin = Session()
        for name in _FIELDS:
            if hasattr(self, name):
                setattr(twin, name, getattr(self, name))
        twin._extras = dict(self._extras or {})
        twin._seal()
        return twin._to_record(project, source)._replace(status="running")


class _NoSession(Session):
    """What `current_session()` gives outside of any session: false, and deaf."""

    __slots__ = ()

    def __init__(self) -> None:
        self._children = []
        self._text = ""
        self._parent = None
        self._start = self._offset = self._end = 0

    def __bool__(self) -> bool:
        return False

    def update(self, **fields: Any) -> None:
        pass

    def _mapping(self, name: str) -> dict[str, Any]:
        return {}

    def _set(self, name: str, value: Any) -> None:
        pass

    def _get(self, name: str) -> Any:
        return None


prefer(Session, "children_ids")
NO_SESSION = _NoSession()


def current_session() -> Session:
    """The session that runs here; outside of any, a false object that ignores what it is told."""
    session = innermost()
    return session if isinstance(session, Session) and not session.away else NO_SESSION


def as_text(value: Any) -> str:
    """A name or an id as text that UTF-8 has bytes for: lone surrogates are written out."""
    try:
        return str(value).encode("utf-8", "backslashreplace").decode()
    except BaseException as error:  # the value's own __str__ may do anything
        if interrupts(error):
            raise
        return f"<{type(value).__name__}: its __str__ raised>"


def as_mapping(value: Any) -> dict[Any, Any]:
    """A mapping field takes a mapping; anything else is kept under `"value"`, as HoneyHive asks."""
    try:
        return dict(value) if isinstance(value, Mapping) else {"value": value}
    except BaseException as error:  # the mapping's own code may do anything
        if interrupts(error):
            raise
        return {"value": value}


def as_ids(value: Any) -> list[str]:
    """`children_ids` takes ids; one alone is a list of one."""
    try:
        return [as_text(value)] if isinstance(value, str) else [as_text(child) for child in value]
    except BaseException as error:  # no iterable, or one whose own code failed
        if interrupts(error):
            raise
        return [as_text(value)]


def as_given(name: str, value: Any) -> Any:
    """A field of an update in the shape that its name asks for."""
    if name in MERGED:
        return as_mapping(value)
    if name == "children_ids":
        return as_ids(value)
    if name == "error" and isinstance(value, BaseException):
        return error_text(value)
    return value if name == "outputs" else as_text(value)
