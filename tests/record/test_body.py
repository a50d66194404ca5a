"""The bodies of a record: what a server reads is what the record says, in both modes."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from honeytrace._record.body import event_pieces, pieces
from honeytrace._record.record import Record
from samples import records

ENCODED = {
    "children_ids": 13,
    "config": 14,
    "inputs": 15,
    "outputs": 16,
    "metrics": 17,
    "feedback": 18,
    "metadata": 19,
    "user_properties": 20,
}
durations = st.none() | st.floats(0, 1e12) | st.integers(0, 10**15).map(lambda ns: ns / 1e6)
starts = st.floats(0, 1e13) | st.integers(0, 4 * 10**18).map(lambda ns: ns / 1e6)
ends = st.none() | st.integers(-(2**62), 2**63)
ids = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.uuids().map(str)


def whole(found: bytes | tuple[bytes, ...]) -> Any:
    return orjson.loads(found if isinstance(found, bytes) else b"".join(found))


def shared(record: Record) -> dict[str, Any]:
    """Return the members that both layouts have."""
    parts = {name: record[at] for name, at in ENCODED.items() if record[at] is not None}
    known = {"start_time": record.start_time, "end_time": record.end_time, "error": record.error}
    return {
        "project": record.project,
        "source": record.source,
        **{name: orjson.loads(data) for name, data in parts.items()},
        **{name: value for name, value in known.items() if value is not None},
    }


@given(records(), durations, starts, ends, ids, st.none() | st.binary(min_size=600, max_size=1500))
def test_bodies_say_what_the_record_says(
    record: Record, duration: float, start: float, end: int, own: str, long: bytes | None
) -> None:
    """Each layout has the fields of its schema, with the same numbers and nothing that is null."""
    record = record._replace(
        duration=duration, start_time=start, end_time=end, event_id=own, session_id=own
    )
    if long:
        record = record._replace(inputs=orjson.dumps({"x": long.hex()}))
    session = {"session_name": record.event_name, "session_id": own, **shared(record)}
    if duration is not None:
        session["duration"] = duration
    assert whole(pieces(record)) == session
    assert whole(event_pieces(record)) == {
        "config": {},
        "inputs": {},
        "event_name": record.event_name,
        "event_type": record.event_type,
        "event_id": own,
        "session_id": record.root_id,
        "parent_id": record.parent_id,
        "duration": duration or 0,
        **shared(record),
    }


def test_long_parts_are_not_copied() -> None:
    """Inputs and outputs of more than a kilobyte stay the objects that they are."""
    long = b'{"text":"%b"}' % (b"x" * 2_000)
    record = Record(*"abcdefghi", 1e12, 1, 1.0, None, b"[]", None, long, long, *[None] * 4)
    assert sum(piece is long for piece in pieces(record)) == 2


def test_names_are_remembered_within_bounds() -> None:
    """Thousands of names and parents make the bodies that they should, and no leak."""
    record = Record(*"abcdefghi", 1e12, 1, 1.0, None, b"[]", *[None] * 7)
    for number in range(3_000):
        name = f'name "{number}"'
        renamed = record._replace(event_name=name, parent_id=name)
        assert whole(pieces(renamed))["session_name"] == name
        event = whole(event_pieces(renamed))
        assert (event["event_name"], event["parent_id"]) == (name, name)
