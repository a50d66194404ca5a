"""OTLP in protobuf: traces and logs as plain spans, each read separately.

Source: opentelemetry-proto 1.x, trace/v1, logs/v1 and common/v1. A protobuf parser refuses a whole
message because of one text that is not UTF-8. The message is then split by its frames, so that only
the span with that text is refused.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from ...otel._semconv import Span, SpanEvent, SpanLink
from .._http import RefusedError, bad_request
from .log_event import KINDS, LogEvent, dropped_counts

__all__ = ["log_events", "spans"]

_DEPTH = 50
_ERROR = 2
_LIMITS = {
    "Attributes": "dropped_attributes_count",
    "Events": "dropped_events_count",
    "Links": "dropped_links_count",
}


def spans(body: bytes) -> Iterator[Span | RefusedError]:
    """Yield the spans of an ExportTraceServiceRequest; for an invalid span, yield the reason.

    Raises RefusedError if the body is not such a request.
    """
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        yield from _one_by_one(body)
        return
    for group in request.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            scope = _scope(scoped.scope)
            for span in scoped.spans:
                yield _span(span, resource, scope)


def log_events(body: bytes) -> Iterator[LogEvent | RefusedError]:
    """Yield the records of an ExportLogsServiceRequest. Raises RefusedError."""
    request = ExportLogsServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        raise bad_request("the body is not an OTLP ExportLogsServiceRequest") from None
    for group in request.resource_logs:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_logs:
            for record in scoped.log_records:
                yield _log_event(record, resource)


def _one_by_one(body: bytes) -> Iterator[Span | RefusedError]:
    """Yield the spans of a request that does not parse as a whole."""
    try:
        groups = [_frames(group) for group in _fields(_frames(body), 1)]
        scopes = [
            (_fields(group, 1), _frames(scoped)) for group in groups for scoped in _fields(group, 2)
        ]
        found = [
            (resources, _fields(scoped, 1), span)
            for resources, scoped in scopes
            for span in _fields(scoped, 2)
        ]
    except ValueError:
        raise bad_request("the body is not an OTLP ExportTraceServiceRequest") from None
    if not found:
        raise bad_request("the body is not an OTLP ExportTraceServiceRequest")
    for resources, scopes_of_span, data in found:
        try:
            span = SpanMessage.FromString(data)
        except DecodeError:
            yield bad_request("the span is not valid protobuf: a text may be no UTF-8")
            continue
        resource = _readable(Resource, resources)
        scope = _readable(InstrumentationScope, scopes_of_span)
        yield _span(
            span,
            {} if resource is None else _attributes(resource.attributes),
            {} if scope is None else _scope(scope),
        )


def _readable(kind: Any, frames: list[bytes]) -> Any:
    """Return the message in the last of these frames; None if none of them parses."""
    try:
        return kind.FromString(frames[-1]) if frames else None
    except DecodeError:
        return None


def _fields(frames: list[tuple[int, bytes]], number: int) -> list[bytes]:
    return [data for field, data in frames if field == number]


def _frames(message: bytes) -> list[tuple[int, bytes]]:
    """Return the length-delimited fields of a message, by number. Raises ValueError."""
    found, at, end = [], 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        wire_type = key & 7
        if wire_type == 0:
            _, at = _varint(message, at)
            continue
        size, at = _varint(message, at) if wire_type == 2 else ({1: 8, 5: 4}.get(wire_type, -1), at)
        if size < 0 or at + size > end:
            raise ValueError("a field goes beyond the end")
        if wire_type == 2:
            found.append((key >> 3, message[at : at + size]))
        at += size
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number does not end")


def _span(span: SpanMessage, resource: dict[str, Any], scope: dict[str, Any]) -> Span:
    return Span(
        trace_id=_hex(span.trace_id),
        span_id=_hex(span.span_id),
        parent_id=_hex(span.parent_span_id) or None,
        name=span.name,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        resource=resource,
        kind=KINDS.get(int(span.kind), ""),
        scope=scope,
        events=[
            SpanEvent(event.name, event.time_unix_nano, _attributes(event.attributes))
            for event in span.events
        ],
        links=[
            SpanLink(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes))
            for link in span.links
        ],
        failed=span.status.code == _ERROR,
        message=span.status.message,
        trace_state=span.trace_state,
        dropped=dropped_counts(lambda name: getattr(span, _LIMITS[name]), "{}"),
    )


def _log_event(record: LogRecord, resource: dict[str, Any]) -> LogEvent:
    attributes = _attributes(record.attributes)
    body = _value(record.body)
    if type(body) is dict:
        attributes = {**body, **attributes}
    name = record.event_name or str(attributes.pop("event.name", ""))
    event = SpanEvent(name, record.time_unix_nano, attributes)
    return LogEvent(_hex(record.trace_id), _hex(record.span_id), event, resource)


def _scope(scope: InstrumentationScope) -> dict[str, Any]:
    found = {
        "name": scope.name,
        "version": scope.version,
        "attributes": _attributes(scope.attributes),
    }
    return {name: value for name, value in found.items() if value}


def _hex(data: bytes) -> str:
    """Return an id in hex; empty if it is absent or all zeros, which means the same."""
    return data.hex() if any(data) else ""


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue, depth: int = 0) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if depth > _DEPTH:
        return f"<deeper than {_DEPTH} levels>"
    if kind == "array_value":
        return [_value(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value" and not math.isfinite(value.double_value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value.double_value, "NaN")
    return getattr(value, kind)
