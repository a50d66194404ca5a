"""Sessions for tests of what keeps and shows them, with only the fields a test is about."""

from __future__ import annotations

from typing import Any

from honeytrace._record.record import Record
from honeytrace._record.wire import from_start_session

START = 1_700_000_000_000.5


def answered(session_id: str, **fields: Any) -> Record:
    """A finished session with this id; `fields` are those of a startSession payload."""
    session = {
        "session_id": session_id,
        "session_name": "answer",
        "project": "support",
        "source": "test",
        "start_time": START,
        "end_time": START + 1.5,
        "duration": 1.5,
        "inputs": {"question": "why?"},
        "outputs": {"result": "because"},
        **fields,
    }
    return from_start_session(session, str)
