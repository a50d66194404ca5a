"""The wire: startSession and event bodies of a record, and a record of a payload.

The only owner of wire names. Encoded parts are spliced in as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._compiled import native
from .._lazy import orjson
from .record import OBJECTS, RESERVED, Record


def start_session_body(record: Record) -> bytes:
    """The body of `POST /session/start`: `{"session": {…}}`, spliced from the encoded parts."""
    encoded = pieces(record)
    inside = encoded if isinstance(encoded, bytes) else b"".join(encoded)
    return b'{"session":' + inside + b"}"


_SPLICED = 1_000
"""Bytes of inputs and outputs that are handed on as they are rather than copied."""


def pieces(record: Record) -> bytes | tuple[bytes, ...]:
    """The object under `"session"` in a startSession payload, in pieces
    for a join where it is long.

    Source: HoneyHive OpenAPI 1.0.21, SessionStartRequest: `error` is absent rather than null,
    `end_time` is an integer, the objects are never null.
    """
    return _spliced(_session_head(record), record)


def event_pieces(record: Record) -> bytes | tuple[bytes, ...]:
    """A nested record as a `CreateEventRequest`, which wants `config`, `inputs` and `duration`."""
    return _spliced(_event_head(record), record)


def _session_head(record: Record) -> dict[str, Any]:
    """The fields that are not encoded yet."""
    head: dict[str, Any] = {
        "project": record.project,
        "session_name": record.event_name,
        "source": record.source,
        "session_id": record.event_id,
        "start_time": record.start_time,
    }
    if record.duration is not None:
        head["duration"] = record.duration
    return _with_end(head, record)


def _event_head(record: Record) -> dict[str, Any]:
    head: dict[str, Any] = {
        "project": record.project,
        "source": record.source,
        "event_name": record.event_name,
        "event_type": record.event_type,
        "event_id": record.event_id,
        "session_id": record.root_id,
        "parent_id": record.parent_id,
        "start_time": record.start_time,
        "duration": record.duration or 0,
    }
    if record.config is None:
        head["config"] = {}
    if record.inputs is None:
        head["inputs"] = {}
    return _with_end(head, record)


def _with_end(head: dict[str, Any], record: Record) -> dict[str, Any]:
    if record.end_time is not None:
        head["end_time"] = record.end_time
    if record.error is not None:
        head["error"] = record.error
    return head


def _spliced(head: dict[str, Any], record: Record) -> bytes | tuple[bytes, ...]:
    """`head` and what both layouts say alike: encoded parts go in as they are, uncopied if long."""
    children, config, inputs, outputs, metrics, feedback, metadata, user = record[13:]
    head["children_ids"] = [] if children == b"[]" else orjson.Fragment(children)
    if config is not None:
        head["config"] = orjson.Fragment(config)
    if metadata is not None:
        head["metadata"] = orjson.Fragment(metadata)
    if metrics or feedback or user:
        for name in ("metrics", "feedback", "user_properties"):
            if data := getattr(record, name):
                head[name] = orjson.Fragment(data)
    large: list[bytes] = []
    for name, data in (("inputs", inputs), ("outputs", outputs)):
        if data is not None and len(data) > _SPLICED:
            large += (b',"%s":' % name.encode(), data)
        elif data is not None:
            head[name] = orjson.Fragment(data)
    if large:
        return (orjson.dumps(head)[:-1], *large, b"}")
    return b"%b" % orjson.dumps(head)  # a copy: orjson's results keep a kilobyte, however short


if native is not None:
    native.use_record(_session_head, _event_head)
    pieces, event_pieces = native.pieces, native.event_pieces


def from_start_session(session: Mapping[str, Any], new_id: Callable[[], str]) -> Record:
    """A `Record` from a decoded startSession payload (the object under `"session"`).

    Shapes are the caller's to check; `new_id` mints an id where the payload brings none.
    """
    metadata = session.get("metadata") or {}
    own = metadata.get(RESERVED)
    own = own if isinstance(own, dict) else {}
    event_id = session.get("session_id") or new_id()
    error, start, end = (session.get(name) for name in ("error", "start_time", "end_time"))
    duration = session.get("duration")
    if duration is None and start is not None and end is not None:
        duration = max(0.0, end - start)
    return Record(
        event_id=event_id,
        session_id=event_id,
        parent_id=own.get("parent_id"),
        root_id=own.get("root_id") or event_id,
        event_type=own.get("event_type") or ("chain" if own.get("parent_id") else "session"),
        event_name=session.get("session_name") or "unknown",
        project=session.get("project") or "",
        source=session.get("source") or "unknown",
        status=own.get("status") or ("error" if error else "ok"),
        start_time=start or 0.0,
        end_time=None if end is None else round(end),
        duration=duration,
        error=error,
        children_ids=orjson.dumps(session.get("children_ids") or []),
        **{name: _encode(session.get(name)) for name in OBJECTS},
    )


def _encode(value: Any) -> bytes | None:
    return None if value is None else orjson.dumps(value)


def decode(record: Record) -> dict[str, Any]:
    """The fields of a `RecordedSession`, by name, from this record."""
    objects = {
        name: orjson.loads(data) if (data := getattr(record, name)) else {} for name in OBJECTS
    }
    return {
        "session_id": record.event_id,
        "session_name": record.event_name,
        **{
            name: getattr(record, name)
            for name in Record._fields
            if name not in OBJECTS and name not in ("event_id", "event_name", "session_id")
        },
        **objects,
        "children_ids": orjson.loads(record.children_ids),
        "details": objects["metadata"].pop(RESERVED, {}),
    }
