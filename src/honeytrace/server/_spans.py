"""OTLP spans, from protobuf or JSON, in one plain shape.

Source: opentelemetry-proto 1.x, trace/v1 and common/v1; in JSON, ids are hex and 64-bit integers
may be strings (the OTLP specification, "JSON Protobuf Encoding").
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from ._http import RefusedError, bad_request

_DEPTH = 50
"""Levels of an attribute's value; deeper ones are cut off."""

_ERROR = 2
_ERROR_NAMES = (2, "STATUS_CODE_ERROR")


class Span(NamedTuple):
    """A finished span; ids are lower-case hex, times nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start: int
    end: int
    attributes: dict[str, Any]
    resource: dict[str, Any]
    failed: bool
    message: str
    """Of the status; often empty."""
    exception: dict[str, Any]
    """The attributes of its last `exception` event."""


def from_protobuf(body: bytes) -> Iterator[Span]:
    """The spans of an ExportTraceServiceRequest. Raises RefusedError."""
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        raise bad_request("the body is not an OTLP ExportTraceServiceRequest") from None
    for group in request.resource_spans:
        resource = {pair.key: _value(pair.value) for pair in group.resource.attributes}
        for scope in group.scope_spans:
            for span in scope.spans:
                exceptions = [event for event in span.events if event.name == "exception"]
                last = exceptions[-1].attributes if exceptions else ()
                yield Span(
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex() or None,
                    span.name,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    {pair.key: _value(pair.value) for pair in span.attributes},
                    resource,
                    span.status.code == _ERROR,
                    span.status.message,
                    {pair.key: _value(pair.value) for pair in last},
                )


def _value(value: AnyValue, depth: int = 0) -> Any:
    kind = value.WhichOneof("value")
    if kind is None or depth > _DEPTH:
        return None
    if kind == "array_value":
        return [_value(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind)


def from_json(body: Mapping[str, Any]) -> Iterator[Span]:
    """The spans of an ExportTraceServiceRequest in JSON. Raises RefusedError."""
    for group in _objects(body, "resourceSpans"):
        resource = _attributes(_object(group, "resource"))
        for scope in _objects(group, "scopeSpans"):
            for span in _objects(scope, "spans"):
                yield _json_span(span, resource)


def _json_span(span: Mapping[str, Any], resource: dict[str, Any]) -> Span:
    exceptions = [event for event in _objects(span, "events") if event.get("name") == "exception"]
    status = _object(span, "status")
    code = status.get("code")
    return Span(
        _hex(span, "traceId"),
        _hex(span, "spanId"),
        _hex(span, "parentSpanId") or None,
        _text(span, "name"),
        _nanoseconds(span, "startTimeUnixNano"),
        _nanoseconds(span, "endTimeUnixNano"),
        _attributes(span),
        resource,
        type(code) in (int, str) and code in _ERROR_NAMES,
        _text(status, "message"),
        _attributes(exceptions[-1]) if exceptions else {},
    )


def _attributes(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {_text(p, "key"): _json_value(p.get("value")) for p in _objects(holder, "attributes")}


def _json_value(value: Any, depth: int = 0) -> Any:
    """The value of an AnyValue; of a kind not known here, None, as proto3's JSON has it."""
    if value is None or depth > _DEPTH:
        return None
    if len(_required(value)) > 1:
        raise bad_request("the value of an attribute has one key, its type")
    for kind, content in value.items():
        if kind == "arrayValue":
            items = _list(_required(content), "values")
            return [_json_value(item, depth + 1) for item in items]
        if kind == "kvlistValue":
            pairs = _objects(_required(content), "values")
            return {_text(pair, "key"): _json_value(pair.get("value"), depth + 1) for pair in pairs}
        if kind == "intValue":
            return _integer(content)
        if kind in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
            return content
    return None


def _integer(value: Any) -> int:
    try:
        number = int(value) if type(value) in (int, str) else None
    except ValueError:
        number = None
    if number is None or not -(2**63) <= number < 2**63:
        raise bad_request("an integer must have at most 64 bits")
    return number


def _nanoseconds(span: Mapping[str, Any], name: str) -> int:
    moment = _integer(span.get(name))
    if moment < 0:
        raise bad_request(f"{name} must not be negative")
    return moment


def _hex(span: Mapping[str, Any], name: str) -> str:
    text = _text(span, name).lower()
    if set(text) - set("0123456789abcdef"):
        raise bad_request(f"{name} must be hexadecimal")
    return text


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    if type(value) not in (str, type(None)):
        raise bad_request(f"{name} must be a string")
    return value or ""


def _object(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = holder.get(name)
    return {} if value is None else _required(value)


def _required(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise _misshapen()
    return value


def _list(holder: Mapping[str, Any], name: str) -> list[Any]:
    value = holder.get(name)
    if value is None:
        return []
    if type(value) is not list:
        raise _misshapen()
    return value


def _objects(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [_required(item) for item in _list(holder, name)]


def _misshapen() -> RefusedError:
    return bad_request("the body is not an OTLP ExportTraceServiceRequest in JSON")
