"""Records of spans, and their places in the tree."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ..._record.merge import merge_objects
from ..._record.record import OBJECTS, RESERVED, Record
from ...otel._semconv import Fields, Span, event_id
from .._http import bad_request
from .._wire import DEFAULT_PROJECT, EVENT_TYPES, TEXT_LIMIT, encode, event_record, now

__all__ = [
    "Item",
    "at",
    "conversation_id",
    "details_of",
    "earliest",
    "noted",
    "own_ids",
    "parent_elsewhere",
    "record_of",
    "settled",
]

_NS = 1e6
"""Nanoseconds in a millisecond. A float, as in the recorder: a span that arrives both ways must get
the same start, to the last bit."""

_HEX = 64
"""Digits of a trace's or span's id; OpenTelemetry's have 32 and 16."""

_UNPLACED = "unplaced"


class Item(NamedTuple):
    """A span on its way to the store; `record` has the id of the span, but no parent yet."""

    span: Span
    fields: Fields
    record: Record


def record_of(span: Span, fields: Fields) -> Record:
    """Return the record of a span. Raises RefusedError if the span is not valid."""
    if max(map(len, (span.trace_id, span.span_id, span.parent_id or ""))) > _HEX:
        raise bad_request(f"ids have at most {_HEX} hexadecimal digits")
    if len(fields.session_id or "") > TEXT_LIMIT:
        raise bad_request(f"the id of a session has at most {TEXT_LIMIT} characters")
    start, end, duration, odd = _times(span)
    details: dict[str, Any] = {"otel": [span.trace_id, span.span_id, span.parent_id]}
    if fields.own:  # Honeytrace exported its details within the metadata.
        details = dict(fields.metadata.get(RESERVED) or {})
    if fields.traceback is not None:
        details["traceback"] = fields.traceback
    if end is None:
        details["status"] = "interrupted"
    payload: dict[str, Any] = {
        "event_id": event_id(span.trace_id, span.span_id),
        "session_id": _UNPLACED,
        "event_type": fields.event_type if fields.event_type in EVENT_TYPES[1:] else "chain",
        "event_name": _cut(fields.event_name),
        "project": _cut(fields.project or ""),
        "source": _cut(fields.source or ""),
        "start_time": start,
        "end_time": end,
        "duration": duration,
        "error": fields.error,
        **{name: value for name in OBJECTS if (value := getattr(fields, name))},
    }
    payload["metadata"] = {**fields.metadata, **odd, RESERVED: details}
    record = event_record(payload)
    if end is None:
        record = record._replace(end_time=None, duration=None)
    if not fields.source:
        record = record._replace(source="")
    if fields.event_type == "session" and fields.own:
        record = record._replace(event_type="session")
    return _with_own(record, fields.own)


def _times(span: Span) -> tuple[float, int | None, float | None, dict[str, Any]]:
    """Return start, end and duration in milliseconds, and metadata that describes implausible
    times.

    An end of 0 means that the span was exported before it ended. A span without a start gets its
    end as the start.
    """
    start = span.start or span.end or round(now() * _NS)
    if not span.end:
        return start / _NS, None, None, {}
    if span.end < start:  # The clock was set in between, or two clocks were used.
        return start / _NS, round(start / _NS), 0.0, {"end_time_unix_nano": span.end}
    # The end is rounded up, like the end of a session.
    return start / _NS, -(-span.end // 1_000_000), (span.end - start) / _NS, {}


def _cut(text: str) -> str:
    """Return the beginning of a text that is too long for a name, and the number of characters
    cut."""
    if len(text) <= TEXT_LIMIT:
        return text
    mark = f"… (+{len(text) - TEXT_LIMIT + 40} characters)"
    return text[: TEXT_LIMIT - 40] + mark


def _with_own(record: Record, own: Mapping[str, Any]) -> Record:
    """Return the record with the fields that honeytrace's exporter sent."""
    if not own:
        return record
    # a call that had not ended says nothing of its end, whatever its span says
    changes: dict[str, Any] = {"end_time": None, "duration": None}
    for name, kinds in _OWN.items():
        value = own.get(name)
        if type(value) in kinds:
            changes[name] = value
    if type(own.get("children_ids")) is list:
        changes["children_ids"] = encode([str(each) for each in own["children_ids"]])
    return record._replace(**changes)


_OWN: dict[str, tuple[type, ...]] = {
    "event_id": (str,),
    "status": (str,),
    "start_time": (int, float),
    "end_time": (int,),
    "duration": (int, float),
}


def own_ids(fields: Fields) -> tuple[str, str | None] | None:
    """Return root and parent of a span that honeytrace exported; None for any other span."""
    own = fields.own
    if type(own.get("event_id")) is not str or type(own.get("root_id")) is not str:
        return None
    parent_id = own.get("parent_id")
    return own["root_id"], parent_id if type(parent_id) is str else None


def parent_elsewhere(span: Span) -> tuple[str, str | None] | None:
    """Return root and parent of a span whose trace honeytrace began in another process.

    The `tracestate` names the session that passed the trace on (`honeytrace.inject`). That session
    is the parent of the first span alone, whose parent id is the second half of the session's id.
    """
    entries = (entry.strip().partition("=") for entry in span.trace_state.split(","))
    session = next((value for key, _, value in entries if key == "ht"), "")
    try:
        parent, root = uuid.UUID(session), uuid.UUID(span.trace_id)
    except ValueError:
        return None
    return str(root), str(parent) if parent.hex[16:] == span.parent_id else None


def conversation_id(conversation: str) -> str:
    """Return the id of the session that groups the traces of a conversation."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"conversation/{conversation}"))


def details_of(record: Record) -> dict[str, Any]:
    """Return the details that honeytrace keeps in a record's metadata."""
    if record.metadata is None:
        return {}
    details = orjson.loads(record.metadata).get(RESERVED)
    return details if type(details) is dict else {}


def noted(record: Record, **details: Any) -> Record:
    """Return the record with these details in its metadata."""
    more = encode({RESERVED: details})
    return record._replace(metadata=merge_objects(record.metadata, more))


def at(record: Record, session_id: str, root_id: str, parent_id: str | None) -> Record:
    """Return the record with this root and parent. A span inside itself is placed at the top."""
    if parent_id == record.event_id:
        parent_id = None
    return record._replace(session_id=session_id, root_id=root_id, parent_id=parent_id)


def settled(record: Record, home: Record | None) -> Record:
    """Return the record, with the project and source of its session if it names none."""
    return record._replace(
        project=record.project or (home.project if home else "") or DEFAULT_PROJECT,
        source=record.source or (home.source if home else "") or "unknown",
    )


def earliest(items: Sequence[Item]) -> Item:
    """Return the item that started first."""
    return min(items, key=lambda item: (item.record.start_time, item.record.event_id))
