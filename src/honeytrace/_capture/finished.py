"""Conversion of ended sessions into `Record`s, on the flush thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._base.lazy import orjson
from .._record.merge import as_object, is_bare, merge_objects, with_details
from .._record.record import Record
from .._record.stamp import root_stamp
from .hooks import hooks
from .running import Running, id_of, let_go
from .session import Session

_new_record: Callable[[type[Record], tuple[Any, ...]], Record] = tuple.__new__
_BRACE = ord("{")
_OK: tuple[str, str | None, dict[str, Any]] = ("ok", None, {})


def record_of(s: Session, project: str, source: str) -> Record:
    """Return the record of an ended session. Children that start later become updates."""
    s._sealed = True
    spec, extras, parent, root = s._spec, s._extras or {}, s._parent, s._root
    more = extras or spec.fixed
    session_id = s._text or id_of(s)
    parent_id = None if parent is None else parent._text or id_of(parent)
    root_id = session_id if root is None else root._text or id_of(root)
    status, error, _ = s._failure or _OK
    start, end, inputs = s._start, s._end, s._inputs
    if inputs is not None and inputs[0] != _BRACE:
        inputs = as_object(inputs)
    outputs = s._outputs
    stamp = spec.stamp if parent_id else root_stamp(spec.stamp)
    details = more or parent_id or s._failure or s._masked or s._details or stamp
    if is_bare(outputs):
        details = stamp = stamp + b',"bare":true' if stamp else b'"bare":true'
    record = _new_record(
        Record,
        (  # positional, in the order of the fields: keyword arguments cost one microsecond more
            session_id,
            session_id,
            parent_id,
            root_id,
            "session" if parent is None else spec.event_type,
            extras.get("session_name") or spec.session_name or hooks.session_name,
            extras.get("project") or spec.project or project,
            extras.get("source") or spec.source or source,
            status,
            (start + s._offset) / 1e6,
            -(-(end + s._offset) // 1_000_000) if end else None,
            (end - start) / 1e6 if end else None,
            error,
            b"%b" % orjson.dumps(s.children_ids) if s._children else b"[]",
            _object(s, "config") if more else None,
            inputs,
            as_object(outputs),
            _object(s, "metrics") if more else None,
            _object(s, "feedback") if more else None,
            _metadata(s, parent_id, root_id, stamp) if details else None,
            _object(s, "user_properties") if more else None,
        ),
    )
    if parent is not None:
        let_go(s)
    return record


def record_so_far(s: Session, project: str, source: str) -> Record:
    """Return the record of a session as it stands while it runs."""
    twin = Session()
    for name in Running.__slots__:
        if name != "__weakref__":
            setattr(twin, name, getattr(s, name))
    twin._extras = dict(s._extras or {})
    twin._seal()
    return record_of(twin, project, source)._replace(status="running")


def _object(s: Session, name: str) -> bytes | None:
    """Return a mapping field as JSON: the values of the spec, then those the program added."""
    added = s._extras.get(name) if s._extras else None
    fixed = s._spec.fixed.get(name) if s._spec.fixed else None
    return added if fixed is None else merge_objects(s._encode(name, fixed), added)


def _metadata(s: Session, parent_id: str | None, root_id: str, stamp: bytes) -> bytes | None:
    own = _object(s, "metadata") if s._extras or s._spec.fixed else None
    return with_details(
        own, parent_id, root_id, s._spec.event_type, s._failure, s._masked, s._details, stamp
    )
