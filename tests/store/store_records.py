"""Records for the store's tests, with only the fields a test is about."""

from __future__ import annotations

from typing import Any

from answered import START, answered
from honeytrace._record.record import Record


def record(event_id: str, **fields: Any) -> Record:
    """A finished session called `event_id`; `fields` replace what is given here."""
    return answered(event_id, metadata={"honeytrace": {}})._replace(**fields)


def numbered(count: int, prefix: str = "s") -> list[Record]:
    """`count` records, a second apart, the oldest first."""
    return [
        record(f"{prefix}{number:05}", start_time=START + number * 1000) for number in range(count)
    ]
