"""The fields of a body that a record does not hold as JSON yet, by wire name."""

from __future__ import annotations

from typing import Any

from .record import Record


def session_head(record: Record) -> dict[str, Any]:
    """Return the fields of a startSession payload."""
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


def event_head(record: Record) -> dict[str, Any]:
    """Return the fields of a CreateEventRequest."""
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
