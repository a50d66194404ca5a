"""Reads the lines of an import."""

from __future__ import annotations

import uuid

from .._record.record import OBJECTS, RESERVED, Record
from .._record.surrogates import loads
from .._record.wire import from_start_session

__all__ = ["read_session"]

_APART = ("status", "parent_id", "root_id", "event_type")

_TEXT, _NUMBER = (str, type(None)), (int, float, type(None))
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("session_id", "session_name", "project", "source", "error", "status"), _TEXT),
    **dict.fromkeys(("parent_id", "root_id", "event_type", "event_of"), _TEXT),
    **dict.fromkeys(("event_id", "event_name"), _TEXT),
    **dict.fromkeys(("start_time", "end_time", "duration"), _NUMBER),
    **dict.fromkeys(OBJECTS, (dict, type(None))),
    "children_ids": (list, type(None)),
}


def read_session(line: bytes) -> Record:
    """Return the record of a line: one that `session_json` wrote, a startSession payload, in its
    `{"session": …}` or bare, or an event as the API tells it.

    One without an id gets one made of its bytes, so that it is the same each time; one without
    start_time has started its duration before its end. Raises ValueError with the reason for an
    invalid line.
    """
    session = loads(line)
    if isinstance(session, dict) and isinstance(session.get("session"), dict):
        session = session["session"]
    if not isinstance(session, dict):
        raise ValueError("it is not a JSON object")
    for name, kinds in _KINDS.items():
        if type(session.get(name)) not in kinds:
            raise ValueError(f"{name} is of the wrong type")
    if not all(isinstance(child, str) for child in session.get("children_ids") or ()):
        raise ValueError("children_ids is of the wrong type")
    if session.get("start_time") is None:
        if session.get("end_time") is None:
            raise ValueError("it has no start_time: add one, in milliseconds since 1970")
        session["start_time"] = session["end_time"] - (session.get("duration") or 0)
    own = (session.get("metadata") or {}).get(RESERVED)
    if isinstance(own, dict) and not all(type(own.get(n)) in _TEXT for n in _APART):
        raise ValueError(f"metadata.{RESERVED} is not as honeytrace writes it")
    if session.get("event_name") and not session.get("session_name"):
        from ..api import Event
        from ..api._wire import read
        from ..lookup.remote import as_record  # httpx

        return as_record(read(Event, session))
    record = from_start_session(
        session, lambda: str(uuid.uuid5(uuid.NAMESPACE_OID, line.decode(errors="replace").strip()))
    )
    apart = {name: session[name] for name in _APART if session.get(name)}
    return record._replace(**apart, session_id=session.get("event_of") or record.session_id)
