# cython: nonecheck=True
# The flush thread drops a session that a defect left incomplete; without the check that would be a
# crash of the process.
"""Conversion of ended sessions into `Record`s, on the flush thread."""

from __future__ import annotations

from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from .._base import cython

from .._record.merge import (
    WRAPPER,
    as_object,
    details_alone,
    is_bare,
    merge_objects,
    with_details,
)
from .._record.record import Record
from .._record.stamp import root_stamp
from .hooks import hooks
from .session import Session

if not cython.compiled:  # otherwise finished.pxd has them in C
    from .._base.primitives import joined, new_tuple, untrack
    from .running import Running, children_json, id_of, let_go

_BRACE = ord("{")


class Alike:
    """The part that the records of one spec's calls in one parent have in common.

    It serves the calls of one batch, which mostly come in runs. It is not kept longer, because it
    refers to sessions and to functions of the program.

    ended, ended_root: the parent and the root reduced to their ids, once both have ended.
    """

    __slots__ = (
        "ended",
        "ended_root",
        "event_type",
        "metadata",
        "name",
        "parent",
        "parent_id",
        "project",
        "root",
        "root_id",
        "source",
        "spec",
    )

    def __init__(self) -> None:
        self.spec = None

    def learn(self, s: Any, project: str, source: str) -> None:
        """Take the part from this session."""
        spec: Any = s._spec
        parent: Any = s._parent
        root: Any = s._root
        self.spec = None
        self.ended = self.ended_root = None
        self.parent, self.root = parent, root
        self.parent_id = None if parent is None else id_of(parent)
        self.root_id = None if root is None else id_of(root)
        self.name = spec.session_name or hooks.session_name
        self.project, self.source = spec.project or project, spec.source or source
        self.event_type = "session" if parent is None else spec.event_type
        stamp = spec.stamp if parent is not None else root_stamp(spec.stamp)
        self.metadata = details_alone(self.parent_id, self.root_id or "", spec.event_type, stamp)
        self.spec = spec


def record_of(s: Any, project: str, source: str, alike: Any = None) -> Record:
    """Return the record of an ended session. Children that start later become updates.

    alike: that of the session before, which becomes that of this one.
    """
    s._sealed = True
    spec: Any = s._spec
    start, end, inputs, outputs = s._start, s._end, s._inputs, s._outputs
    if inputs is not None and inputs[0] != _BRACE:
        inputs = as_object(inputs)
    bare = False
    if outputs is not None:
        if outputs[0] != _BRACE:
            outputs = joined([WRAPPER, outputs, b"}"])  # as `as_object` does
        else:
            bare = is_bare(outputs)
    more = s._extras or spec.fixed
    if more or bare or s._failure is not None or s._masked or s._details or type(s) is not Session:
        return _unusual(s, project, source, inputs, outputs, bare)
    known: Any = Alike() if alike is None else alike
    if known.spec is not spec or known.parent is not s._parent or known.root is not s._root:
        known.learn(s, project, source)
    session_id = id_of(s)
    record = new_tuple(
        Record,
        (  # positional, in the order of the fields: keyword arguments cost one microsecond more
            session_id,
            session_id,
            known.parent_id,
            known.root_id or session_id,
            known.event_type,
            known.name,
            known.project,
            known.source,
            "ok",
            (start + s._offset) / 1e6,
            -(-(end + s._offset) // 1_000_000) if end else None,
            (end - start) / 1e6 if end else None,
            None,
            children_json(s) if s._children else b"[]",
            None,
            inputs,
            outputs,
            None,
            None,
            known.metadata,
            None,
        ),
    )
    untrack(record)  # texts and numbers, which the collector need not scan
    if known.ended is not None:
        s._parent, s._root = known.ended, known.ended_root
    elif s._parent is not None:
        let_go(s)
        if type(s._parent) is Running and type(s._root) is Running:
            known.ended, known.ended_root = s._parent, s._root
    return record  # type: ignore[no-any-return]


def _unusual(s: Any, project: str, source: str, inputs: Any, outputs: Any, bare: bool) -> Record:
    """Return the record of a session with more fields than inputs and outputs, or that failed."""
    spec: Any = s._spec
    parent: Any = s._parent
    root: Any = s._root
    extras = s._extras
    more = extras or spec.fixed
    session_id = id_of(s)
    parent_id = None if parent is None else id_of(parent)
    root_id = session_id if root is None else id_of(root)
    name, own_project, own_source = spec.session_name, spec.project, spec.source
    if extras:
        name = extras.get("session_name") or name
        own_project = extras.get("project") or own_project
        own_source = extras.get("source") or own_source
    stamp = spec.stamp if parent is not None else root_stamp(spec.stamp)
    if bare:
        stamp = stamp + b',"bare":true' if stamp else b'"bare":true'
    event_type = spec.event_type
    if parent is None and (type(s) is Session or event_type == "chain"):
        event_type = "session"  # a span of another tracer stays the model call that it is
    start, end = s._start, s._end
    record = new_tuple(
        Record,
        (
            session_id,
            session_id,
            parent_id,
            root_id,
            event_type,
            name or hooks.session_name,
            own_project or project,
            own_source or source,
            "ok" if s._failure is None else s._failure[0],
            (start + s._offset) / 1e6,
            -(-(end + s._offset) // 1_000_000) if end else None,
            (end - start) / 1e6 if end else None,
            None if s._failure is None else s._failure[1],
            children_json(s) if s._children else b"[]",
            _object(s, "config") if more else None,
            inputs,
            outputs,
            _object(s, "metrics") if more else None,
            _object(s, "feedback") if more else None,
            _metadata(s, parent_id, root_id, stamp),
            _object(s, "user_properties") if more else None,
        ),
    )
    untrack(record)
    if parent is not None:
        let_go(s)
    return record  # type: ignore[no-any-return]


def record_so_far(s: Session, project: str, source: str) -> Record:
    """Return the record of a session as it stands while it runs."""
    twin = type(s)()
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
