"""`Record` and `Update`: a finished session on its way, and later knowledge about one.

A `Record` travels from the queue to the sinks. Its JSON parts stay encoded, so the bytes
that the snapshot made reach the store and the socket without being parsed again; `wire.decode`
parses them for a reader.

HoneyHive's startSession schema has no `parent_id`. Whatever the schema has no field for travels in
`metadata`, under the one reserved key `"honeytrace"`.
"""

# no `from __future__ import annotations` here: `NamedTuple` would compile each text at import

from typing import NamedTuple

RESERVED = "honeytrace"
"""The key in `metadata` that carries parent, root, status, traceback and redaction receipt."""

MERGED = ("config", "inputs", "metrics", "feedback", "metadata", "user_properties")
"""Mapping fields: an update merges into them, key by key; it replaces every other field."""

OBJECTS = (*MERGED, "outputs")
"""Fields that are JSON objects on the wire."""


class Record(NamedTuple):
    """One session (or event), encoded. Times are milliseconds since the epoch, UTC.

    The fields from `children_ids` on are JSON text: a list of ids, then objects; None is absent.
    """

    event_id: str
    session_id: str
    """The root's id where the record is an event of a session, else equal to `event_id`."""
    parent_id: str | None
    root_id: str
    event_type: str
    """`"session"` for a root; `"chain"`, `"model"` or `"tool"` for a call inside one."""
    event_name: str
    project: str
    source: str
    status: str
    """`"ok"`, `"error"`, or how else it ended: `"cancelled"`, `"interrupted"`, `"closed"`, …"""
    start_time: float
    end_time: int | None
    """Integral, because the wire's is; None while the call runs."""
    duration: float | None
    error: str | None
    children_ids: bytes
    config: bytes | None
    inputs: bytes | None
    outputs: bytes | None
    metrics: bytes | None
    feedback: bytes | None
    metadata: bytes | None
    """Includes the reserved key."""
    user_properties: bytes | None


class Update(NamedTuple):
    """Later knowledge about a session: `fields` maps field names to JSON text.

    `MERGED` fields merge, `"children_ids"` appends what is missing, everything else replaces.
    """

    event_id: str
    fields: dict[str, bytes]


Item = Record | Update

OVERHEAD = 450
"""Bytes that an item takes beside its encoded parts. Measured with tracemalloc: 400, and slack."""


def size_of(item: Item) -> int:
    """Return about how many bytes an item takes in memory."""
    parts = item.fields.values() if isinstance(item, Update) else item
    return OVERHEAD + sum(len(part) for part in parts if isinstance(part, bytes))
