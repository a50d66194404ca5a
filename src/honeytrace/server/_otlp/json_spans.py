"""OTLP in JSON: traces and logs as plain spans, each read separately.

Source: the OTLP specification, "JSON Protobuf Encoding": ids are hex, 64-bit integers may be
strings, and proto3 leaves out zeros. Some clients deviate slightly (ids in base64, floats for
integers); a value is accepted as long as its meaning is clear.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from ...otel._semconv import Span, SpanEvent, SpanLink
from .._http import RefusedError, bad_request
from .log_event import KINDS, LogEvent, dropped_counts

__all__ = ["log_events", "spans"]

T = TypeVar("T")

_ERROR = (2, "2", "STATUS_CODE_ERROR")
_DEPTH = 50
"""Levels of an attribute's value that are kept; deeper levels are replaced by a text that says
so."""

_DIGITS = 20
"""Most characters of a 64-bit integer; a longer text is not parsed."""


def spans(body: Mapping[str, Any]) -> Iterator[Span | RefusedError]:
    """Yield the spans of an ExportTraceServiceRequest; for an invalid span, yield the reason."""
    for found, resource, scope in _scoped(body, "resourceSpans", "scopeSpans", "spans"):
        yield found if isinstance(found, RefusedError) else _tried(_span, found, resource, scope)


def log_events(body: Mapping[str, Any]) -> Iterator[LogEvent | RefusedError]:
    """Yield the records of an ExportLogsServiceRequest; for an invalid record, yield the reason."""
    for found, resource, _ in _scoped(body, "resourceLogs", "scopeLogs", "logRecords"):
        yield found if isinstance(found, RefusedError) else _tried(_log_event, found, resource)


def _scoped(
    body: Mapping[str, Any], outer: str, inner: str, name: str
) -> Iterator[tuple[Any, dict[str, Any], dict[str, Any]]]:
    """Yield each item with the attributes of its resource and scope; for an invalid item or group,
    yield a RefusedError."""
    for group in _members(body, outer):
        if isinstance(group, RefusedError):
            yield group, {}, {}
            continue
        resource = _attributes_of(group, "resource")
        for scoped in _members(group, inner):
            if isinstance(scoped, RefusedError):
                yield scoped, {}, {}
                continue
            scope = _scope(scoped.get("scope"))
            for item in _members(scoped, name):
                yield item, resource, scope


def _members(holder: Mapping[str, Any], name: str) -> Iterator[dict[str, Any] | RefusedError]:
    """Yield the objects of a list; for an item that is not an object, yield the reason."""
    items = holder.get(name)
    if items is not None and type(items) is not list:
        yield bad_request(f"{name} must be a list")
        return
    for item in items or ():
        yield item if type(item) is dict else bad_request(f"{name} must be a list of objects")


def _tried(read: Callable[..., T], *parts: Any) -> T | RefusedError:
    try:
        return read(*parts)
    except RefusedError as refusal:
        return refusal


def _span(span: Any, resource: dict[str, Any], scope: dict[str, Any]) -> Span:
    status = span.get("status")
    status = status if type(status) is dict else {}
    kind = span.get("kind")
    return Span(
        trace_id=_hex(span, "traceId", 16),
        span_id=_hex(span, "spanId", 8),
        parent_id=_hex(span, "parentSpanId", 8) or None,
        name=_text(span, "name"),
        start=_nanoseconds(span, "startTimeUnixNano"),
        end=_nanoseconds(span, "endTimeUnixNano"),
        attributes=_attributes(span.get("attributes")),
        resource=resource,
        kind=KINDS.get(kind, "") if type(kind) in (int, str) else "",
        scope=scope,
        events=[_event(each) for each in _list(span.get("events"))],
        links=[_link(each) for each in _list(span.get("links"))],
        failed=type(status.get("code")) in (int, str) and status.get("code") in _ERROR,
        message=_text(status, "message"),
        trace_state=_text(span, "traceState"),
        dropped=dropped_counts(span.get, "dropped{}Count"),
    )


def _event(event: Any) -> SpanEvent:
    _need_object(event, "an event of a span")
    time = _nanoseconds(event, "timeUnixNano")
    return SpanEvent(_text(event, "name"), time, _attributes(event.get("attributes")))


def _link(link: Any) -> SpanLink:
    _need_object(link, "a link of a span")
    attributes = _attributes(link.get("attributes"))
    return SpanLink(_hex(link, "traceId", 16), _hex(link, "spanId", 8), attributes)


def _log_event(record: Any, resource: dict[str, Any]) -> LogEvent:
    attributes = _attributes(record.get("attributes"))
    body = _value(record.get("body"))
    if type(body) is dict:
        attributes = {**body, **attributes}
    name = _text(record, "eventName") or str(attributes.pop("event.name", ""))
    return LogEvent(
        trace_id=_hex(record, "traceId", 16),
        span_id=_hex(record, "spanId", 8),
        event=SpanEvent(name, _nanoseconds(record, "timeUnixNano"), attributes),
        resource=resource,
    )


def _scope(scope: Any) -> dict[str, Any]:
    if type(scope) is not dict:
        return {}
    found = {name: scope[name] for name in ("name", "version") if type(scope.get(name)) is str}
    attributes = _attributes(scope.get("attributes"))
    return {name: value for name, value in {**found, "attributes": attributes}.items() if value}


def _attributes_of(group: Mapping[str, Any], name: str) -> dict[str, Any]:
    holder = group.get(name)
    return _attributes(holder.get("attributes")) if type(holder) is dict else {}


def _attributes(pairs: Any) -> dict[str, Any]:
    """Return attributes as a mapping. An object instead of the list of pairs is returned
    unchanged."""
    if type(pairs) is dict:
        return dict(pairs)
    found: dict[str, Any] = {}
    for pair in _list(pairs):
        if type(pair) is dict:
            found[str(pair.get("key", ""))] = _value(pair.get("value"))
    return found


def _value(value: Any, depth: int = 0) -> Any:
    """Return the value of an AnyValue; a value of an unknown kind is returned as it was sent."""
    if depth > _DEPTH:
        return f"<deeper than {_DEPTH} levels>"
    if type(value) is not dict:
        return value
    for kind, content in value.items():
        if kind == "arrayValue":
            items = content.get("values") if type(content) is dict else content
            return [_value(item, depth + 1) for item in _list(items)]
        if kind == "kvlistValue":
            items = content.get("values") if type(content) is dict else content
            return {
                str(pair.get("key", "")): _value(pair.get("value"), depth + 1)
                for pair in _list(items)
                if type(pair) is dict
            }
        if kind == "intValue":
            number = _integer(content)
            return content if number is None else number
        if kind in ("stringValue", "boolValue", "doubleValue", "bytesValue"):
            return content
    return value or None


def _integer(value: Any) -> int | None:
    """Return a 64-bit integer from any of its spellings; None if the value is not an integer."""
    if type(value) is str and len(value) <= _DIGITS:
        try:
            value = int(value)
        except ValueError:
            return None
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and -(2**63) <= value < 2**64 else None


def _nanoseconds(holder: Mapping[str, Any], name: str) -> int:
    value = holder.get(name)
    moment = 0 if value is None or value == "" else _integer(value)
    if moment is None or moment < 0:
        raise bad_request(f"{name} must be nanoseconds since the epoch, of at most 64 bits")
    return moment


def _hex(holder: Mapping[str, Any], name: str, size: int) -> str:
    """Return an id in lower-case hex; empty if it is absent or all zeros, which means the same."""
    text = _text(holder, name).lower()
    if not set(text) <= set("0123456789abcdef"):
        try:  # Protobuf's own JSON writes bytes in base64.
            decoded = base64.b64decode(holder[name], validate=True)
        except (binascii.Error, ValueError):
            decoded = b""
        if len(decoded) != size:
            raise bad_request(f"{name} must be hexadecimal")
        text = decoded.hex()
    return text if text.strip("0") else ""


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    if type(value) not in (str, type(None)):
        raise bad_request(f"{name} must be a string")
    return value or ""


def _list(value: Any) -> list[Any]:
    return value if type(value) is list else []


def _need_object(value: Any, what: str) -> None:
    if type(value) is not dict:
        raise bad_request(f"{what} must be an object")
