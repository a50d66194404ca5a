"""Records for the store's tests, with only the fields a test is about."""

from __future__ import annotations

from typing import Any

from honeytrace._record import Record, from_start_session

START = 1_700_000_000_000.5


def record(event_id: str, **fields: Any) -> Record:
    """A finished session called `event_id`; `fields` replace what is given here."""
    session = {
        "session_id": event_id,
        "session_name": "answer",
        "project": "support",
        "source": "test",
        "start_time": START,
        "end_time": START + 1.5,
        "duration": 1.5,
        "inputs": {"question": "why?"},
        "outputs": {"result": "because"},
        "metadata": {"honeytrace": {}},
    }
    return from_start_session(session, str)._replace(**fields)


def numbered(count: int, prefix: str = "s") -> list[Record]:
    """`count` records, a second apart, the oldest first."""
    return [
        record(f"{prefix}{number:05}", start_time=START + number * 1000) for number in range(count)
    ]
