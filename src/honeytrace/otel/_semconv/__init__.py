"""One mapping from OpenTelemetry spans to events, for the server and for the in-process bridge.

Pure functions and tables; nothing here imports an OpenTelemetry package.

mapping.py     event_fields: a span -> the fields of an event
tables.py      attribute name -> field, one table per convention
event_type.py  model, tool or chain; which spans are HTTP and database traffic
messages.py    messages and their parts -> chat_history and outputs
content.py     where a span keeps its messages, documents, arguments and results
openinference.py  OpenInference's flattened messages, documents and tools
shape.py       what follows from the names of a span's attributes
remembered.py  facts that spans have in common, found once
nesting.py     flattened names (`a.0.b`) -> nested values; JSON inside strings
honeyhive.py   the attributes of HoneyHive's tracers and of honeytrace's own exporter
span_events.py evaluations, exceptions, streaming marks, content in events
shape.py       names of attributes, read once for all spans that have the same names
span.py        Span, SpanEvent, SpanLink, Fields
"""

from __future__ import annotations

from ..._record.span_ids import event_id, session_id
from .event_type import event_type, is_infrastructure, is_pending
from .mapping import event_fields
from .span import Fields, Span, SpanEvent, SpanLink

__all__ = [
    "Fields",
    "Span",
    "SpanEvent",
    "SpanLink",
    "event_fields",
    "event_id",
    "event_type",
    "is_infrastructure",
    "is_pending",
    "session_id",
]
