"""`Session`, the program's view of a running session, and `current_session`.

Inputs and outputs are JSON from the moment they are captured. Values that the program adds are kept
as objects and encoded when the session ends.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, overload

from .._base.lazy import orjson
from .._record.merge import as_object
from .._record.record import MERGED, OBJECTS
from ..errors import HoneytraceError
from .coerce import as_id, as_ids, as_mapping, as_text
from .context import innermost
from .exceptions import describe, error_text
from .hooks import hooks
from .running import Running


class _MappingField:
    """A field that is a dict and may be changed in place."""

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


class Session(Running):
    """One running call or block. Get it from `with session(...) as s` or `current_session()`.

    The mapping fields (`inputs, config, metrics, feedback, metadata, user_properties`) read as
    dicts that may be changed in place; `outputs`, `error` and the names may be set. Everything is
    snapshotted when the session ends. After that, reading returns copies of the snapshot, and
    setting a field or calling `update` works like `update_session`.
    """

    __slots__ = ()
    off = False
    away = False
    """True for a stand-in for a session of another process."""

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
        """Return the session itself: a copy would be one more name for the same call."""
        return self

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
        """Update fields. Mapping fields merge, `children_ids` appends, all others are replaced.

        None leaves a field alone. On a session that has ended this is `update_session`.
        """
        given = {k: v for k, v in locals().items() if k != "self" and v is not None}
        if self is NO_SESSION:
            return  # a misspelt field is a TypeError in every state
        if self._end:
            hooks.update(self.session_id, {k: as_given(k, v) for k, v in given.items()})
            return
        for name, value in given.items():
            if name in MERGED:
                self._mapping(name).update(as_mapping(value))
            elif name == "children_ids":
                if self._children is None:
                    self._children = []
                self._children.extend(as_id(child, hooks.redact) for child in as_ids(value))
            else:
                setattr(self, name, value)

    def _repr_html_(self) -> str | None:
        """Return the session as a notebook shows it, as far as it has got; None if it is not
        recorded."""
        # The package is found by name, because lookup stands above capture.
        try:
            found = sys.modules["honeytrace"].get_session(self.session_id)
        except HoneytraceError:
            return None
        drawn: str = found._repr_html_()
        return drawn

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
            hooks.update(self.session_id, {name: as_given(name, value)})
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
        return getattr(self._spec, name) or (hooks.session_name if name == "session_name" else None)

    def _ended(self, name: str) -> Any:
        """Return a field of an ended session, from its snapshot."""
        if name == "error":
            return self._failure and self._failure[1]
        if name in ("inputs", "outputs"):
            value: Any = as_object(self._inputs) if name == "inputs" else self._outputs
        else:
            value = (self._extras or {}).get(name)
        return orjson.loads(value) if isinstance(value, bytes) else value

    def _encode(self, name: str, value: Any) -> bytes:
        masked: list[str] = []
        data = hooks.encode(value, masked, name)
        if masked:
            self._masked = (self._masked or []) + masked
        return (
            data if name == "outputs" else as_object(data) or data
        )  # a mapping that was cut down is a string

    def _seal(self) -> None:
        """Snapshot the fields that the program added; called once, when the session ends."""
        extras, self._extras = self._extras or {}, {}
        assigned = [name for name in ("inputs", "outputs") if name in extras]
        if assigned and self._spec.stamp:  # the record is not what the function took or returned
            self._details = {**(self._details or {}), "set": assigned}
        for name, value in list(extras.items()):  # another thread may be adding
            if name == "inputs":
                self._inputs = self._encode(name, value)
            elif name == "outputs":
                self._outputs = self._encode(name, value)
            elif name == "error":
                self._failure = (
                    describe(value, hooks.redact, None)
                    if isinstance(value, BaseException)
                    else ("error", as_text(hooks.redact(as_text(value))), {})
                )
            elif name in OBJECTS:
                self._extras[name] = self._encode(name, value)
            else:
                self._extras[name] = hooks.redact(as_text(value))


class _NoSession(Session):
    """The result of `current_session()` outside of any session: false, and it ignores calls."""

    __slots__ = ()

    def __init__(self) -> None:
        self._children = self._parent = self._submit = None
        self._text = ""
        self._start = self._offset = self._end = 0

    def __bool__(self) -> bool:
        return False

    def _mapping(self, name: str) -> dict[str, Any]:
        return {}

    def _set(self, name: str, value: Any) -> None:
        pass

    def _get(self, name: str) -> Any:
        return None


NO_SESSION = _NoSession()


def current_session() -> Session:
    """Return the session that runs here; without one, an object that is false and ignores calls."""
    session = innermost()
    return session if isinstance(session, Session) and not session.away else NO_SESSION


def as_given(name: str, value: Any) -> Any:
    """Return a field of an update in the shape that its name needs."""
    if name in MERGED:
        return as_mapping(value)
    if name == "children_ids":
        return [as_id(child, hooks.redact) for child in as_ids(value)]
    if name == "error" and isinstance(value, BaseException):
        return error_text(value)
    return value if name == "outputs" else as_text(value)


for _public in (Session, current_session):
    _public.__module__ = "honeytrace"  # where users find them
