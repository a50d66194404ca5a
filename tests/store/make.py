"""Records for the tests, with only the fields a test is about."""

from __future__ import annotations

from typing import Any

from honeytrace._record import Record


def record(event_id: str, **fields: Any) -> Record:
    """A finished session called `event_id`; `fields` replace what is given here."""
    whole: dict[str, Any] = {
        "event_id": event_id,
        "session_id": event_id,
        "parent_id": None,
        "root_id": event_id,
        "event_type": "session",
        "event_name": "answer",
        "project": "support",
        "source": "test",
        "status": "ok",
        "start_time": 1_700_000_000_000.5,
        "end_time": 1_700_000_000_002,
        "duration": 1.5,
        "error": None,
        "children_ids": b"[]",
        "config": None,
        "inputs": b'{"question":"why?"}',
        "outputs": b'{"result":"because"}',
        "metrics": None,
        "feedback": None,
        "metadata": b'{"honeytrace":{}}',
        "user_properties": None,
    }
    return Record(**{**whole, **fields})
