"""The wire: startSession and event bodies of a record (`body`), and a record of a payload.

The only owner of wire names. Encoded parts are spliced in as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._base.lazy import orjson
from .body import event_pieces as event_pieces
from .body import pieces as pieces
from .record import OBJECTS, RESERVED, Record


def start_session_body(record: Record) -> bytes:
    """The body of `POST /session/start`: `{"session": {…}}`, spliced from the encoded parts."""
    encoded = pieces(record)
    inside = encoded if isinstance(encoded, bytes) else b"".join(encoded)
    return b'{"session":' + inside + b"}"


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
