"""Conversion between JSON objects of the API (HoneyHive's OpenAPI 1.0.21) and records.

Requests are read leniently: unknown fields are ignored, null means absent, and an integral float is
an integer. A wrong type is refused. Replies satisfy the strictest official client: no nulls, an
integral `end_time`, and the five ids.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson

from .._capture.hooks import new_id
from .._record.record import OBJECTS, RESERVED, Record, Update
from .._record.wire import from_start_session
from ._http import RefusedError, bad_request

EVENT_TYPES = ("session", "model", "tool", "chain")

DEFAULT_PROJECT = "default"
"""The project of a session that names none; newer clients leave the project to the API key."""

TEXT_LIMIT = 10_000
"""Most characters of an id or a name; longer texts belong in the objects."""

SAFE = 2**53
"""The largest integer that is exact in a double; it also fits the store's integers."""

_TEXT = (str, type(None))
_NUMBER = (int, float, type(None))
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("session_id", "event_id", "parent_id", "event_type"), _TEXT),
    **dict.fromkeys(("session_name", "event_name", "project", "source", "error"), _TEXT),
    **dict.fromkeys(("start_time", "end_time", "duration"), _NUMBER),
    **dict.fromkeys(OBJECTS, (dict, type(None))),
    "children_ids": (list, type(None)),
    "status": _TEXT,
}
_RESERVED_KINDS = dict.fromkeys(("parent_id", "root_id", "event_type", "status"), _TEXT)
_LONG = frozenset(("error",))
_SAID = {_TEXT: "a string", _NUMBER: "a number", (dict, type(None)): "an object"}

_UPDATABLE = (
    *OBJECTS,
    *("duration", "end_time", "error", "project", "session_name", "source", "status"),
)
"""HoneyHive's own update ignores `inputs`, `error`, `status` and the names."""


def session_record(payload: Any) -> Record:
    """Return the record of a startSession payload; a session without a start time starts now.

    Raises RefusedError for an invalid payload.
    """
    check(payload, "session")
    if payload.get("start_time") is None:
        payload["start_time"] = now()
    if not payload.get("session_name"):
        payload["session_name"] = payload.get("event_name")
    if not payload.get("project"):
        payload["project"] = DEFAULT_PROJECT
    return _record(payload)


def event_record(payload: Any, session_id: str | None = None) -> Record:
    """Return the record of an event, by default directly under its session, which may arrive later.

    `session_id` overrides the event's own; without either, the event gets a session of its own. A
    missing start, end or duration follows from the others. Raises RefusedError.
    """
    check(payload, "event")
    event_type = payload.get("event_type")
    if event_type not in EVENT_TYPES:
        raise bad_request(f"event_type must be one of {', '.join(EVENT_TYPES)}")
    if event_type == "session":
        session_id = session_id or payload.get("session_id") or payload.get("event_id") or new_id()
        event_id, parent_id = session_id, payload.get("parent_id")
    else:
        session_id = session_id or payload.get("session_id") or new_id()
        event_id = payload.get("event_id") or new_id()
        parent_id = payload.get("parent_id") or session_id
    record = _record(
        {
            **payload,
            **_times(payload),
            "session_name": payload.get("event_name"),
            "session_id": event_id,
        }
    )
    if record.status == "interrupted" and payload.get("end_time") is None:
        # Honeytrace sends a duration of 0 because the hosted API requires one.
        record = record._replace(end_time=None, duration=None)
    return record._replace(
        session_id=session_id,
        parent_id=None if parent_id == event_id else parent_id,
        root_id=session_id,
        event_type=event_type,
    )


def update_item(payload: Any) -> Update:
    """Return the update of a `PUT /events` body. Raises RefusedError."""
    check(payload, "update")
    event_id = payload.get("event_id")
    if not event_id:
        raise bad_request("event_id is required: the id of the event or session to update")
    fields = {name: encode(payload[name]) for name in _UPDATABLE if payload.get(name) is not None}
    if "end_time" in fields:
        fields["end_time"] = encode(round(payload["end_time"]))
    if payload.get("children_ids"):
        fields["children_ids"] = encode(payload["children_ids"])
    return Update(event_id, fields)


def check(payload: Any, what: str) -> None:
    """Raise RefusedError unless `payload` is an object whose known fields have the right types."""
    if type(payload) is not dict:
        raise bad_request(f"{what} must be an object")
    for name, value in payload.items():
        kinds = _KINDS.get(name)
        if kinds is None:
            continue
        if type(value) not in kinds:
            raise bad_request(f"{what}.{name} must be {_SAID.get(kinds, 'a list of strings')}")
        if kinds is _TEXT:
            if value is not None and len(value) > TEXT_LIMIT and name not in _LONG:
                raise bad_request(f"{what}.{name} must have at most {TEXT_LIMIT} characters")
        elif kinds is _NUMBER:
            if value is not None and abs(value) > SAFE:
                raise bad_request(f"{what}.{name} must be milliseconds, within 2**53")
        elif name == "children_ids" and value and set(map(type, value)) != {str}:
            raise bad_request(f"{what}.children_ids must be a list of strings")
    metadata = payload.get("metadata")
    if metadata and RESERVED in metadata:
        _check_reserved(metadata[RESERVED], what)


def _check_reserved(own: Any, what: str) -> None:
    """Check the details that honeytrace keeps in `metadata` and that become fields of the
    record."""
    if type(own) is not dict:
        return
    for name, kinds in _RESERVED_KINDS.items():
        value = own.get(name)
        if type(value) not in kinds or (value is not None and len(value) > TEXT_LIMIT):
            raise bad_request(f"{what}.metadata.{RESERVED}.{name} must be a short string")
    if own.get("event_type") not in (None, *EVENT_TYPES):
        raise bad_request(f"{what}.metadata.{RESERVED}.event_type is not known")


def encode(value: Any) -> bytes:
    """Return a value as JSON. Raises RefusedError beyond 254 levels, the limit of the encoder."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise _too_deep() from error


def now() -> float:
    """Return the current time in milliseconds since the epoch."""
    return time.time_ns() / 1e6


def _record(session: Mapping[str, Any]) -> Record:
    try:
        record = from_start_session(session, new_id)
    except TypeError as error:
        raise _too_deep() from error
    # Walking a tree would never end at a session that is inside itself.
    if record.parent_id in ("", record.event_id):
        record = record._replace(parent_id=None)
    return record


def _too_deep() -> RefusedError:
    return bad_request("inputs, outputs and the other objects may be nested 250 levels deep")


def _times(payload: Mapping[str, Any]) -> dict[str, float | None]:
    start, end, duration = (payload.get(name) for name in ("start_time", "end_time", "duration"))
    if start is None:
        start = _safe(now() - (duration or 0) if end is None else end - (duration or 0))
    if end is None and duration is not None:
        end = _safe(start + duration)
    if duration is None and end is not None:
        duration = _safe(end - start)
    return {"start_time": start, "end_time": end, "duration": duration}


def _safe(number: float) -> float:
    """Return the number, clamped to the limits of times; the sum of two valid times may exceed
    them."""
    return max(-SAFE, min(SAFE, number))


_JSON_KEYS = tuple((name, f',"{name}":'.encode()) for name in ("children_ids", *OBJECTS))


def event_json(record: Record) -> bytes:
    """Return the record as an Event. JSON parts are copied verbatim, at any depth."""
    head: dict[str, Any] = {
        "event_id": record.event_id,
        "session_id": record.session_id,
        "org_id": "local",
        "workspace_id": "local",
        "project_id": record.project,
        "project": record.project,
        "source": record.source,
        "event_name": record.event_name,
        "event_type": record.event_type,
        "start_time": _plain(record.start_time),
    }
    for name in ("parent_id", "end_time", "duration", "error"):
        value = getattr(record, name)
        if value is not None:
            head[name] = value
    parts = [orjson.dumps(head)[:-1]]
    for name, key in _JSON_KEYS:
        data = getattr(record, name)
        if data is not None:
            parts += (key, data)
    parts.append(b"}")
    return b"".join(parts)


def _plain(number: float) -> float:
    """Return whole numbers as integers: 1712025501605, not 1712025501605.0."""
    return int(number) if number == int(number) else number
