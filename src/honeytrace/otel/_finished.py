"""A finished span of the SDK in the plain shape that the mapping takes.

The fields of a span are read directly where its properties would copy: `attributes`, `events` and
`links` make a copy for every look, which would be half of the bridge's time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from sys import getsizeof
from typing import Any

from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, StatusCode

from .._config import Config
from ._raw import written
from ._semconv import Span, SpanEvent, SpanLink
from ._semconv.remembered import Last
from ._spans import trace_of

_new = tuple.__new__
"""A named tuple's own constructor takes twice as long."""


def finished(span: sdk.ReadableSpan, ids: tuple[str, str]) -> Span:
    """Return a span as the mapping takes it. `ids`: its trace id and span id, hex."""
    context, up, scope, status = (
        span._context,
        span._parent,
        span._instrumentation_scope,
        span._status,
    )
    attributes, events, links = span._attributes, span._events, span._links
    state = None if context is None else context.trace_state
    return _new(
        Span,
        (
            ids[0],
            ids[1],
            None if up is None else f"{up.span_id:016x}",
            span._name,
            span._start_time or 0,
            span._end_time or 0,
            dict(raw(attributes)),
            _resource(span._resource),
            span._kind._name_,
            {} if scope is None else _scope(scope),
            [_event(each) for each in events] if events else (),
            [_link(each) for each in links] if links else (),
            status.status_code is StatusCode.ERROR,
            status.description or "",
            state.to_header() if state else "",
            _lost(attributes, events, links),
        ),
    )


def journalled(span: sdk.ReadableSpan, ids: tuple[str, str], config: Config) -> bytes | None:
    """Return a span as its journal keeps it, to be read by `read_raw`; None for a span that needs
    more: a failure, events, links, and all that `written` refuses."""
    status, name = span._status, span._name
    if span._events or span._links or type(name) is not str:
        return None
    if status.description or status.status_code is StatusCode.ERROR:
        return None
    context, up, attributes = span._context, span._parent, span._attributes
    events, links = span._events, span._links
    state = None if context is None else context.trace_state
    own = (
        *ids,
        None if up is None else f"{up.span_id:016x}",
        name,
        span._kind._name_,
        state.to_header() if state else "",
        _lost(attributes, events, links),
    )
    around = span._resource, span._instrumentation_scope, config
    return written(own, raw(attributes), around, _surroundings)


def _surroundings(resource: Resource, scope: InstrumentationScope | None) -> tuple[Any, Any]:
    return _resource(resource), {} if scope is None else _scope(scope)


def _lost(attributes: Any, events: Any, links: Any) -> dict[str, int]:
    """Return the numbers of attributes, events and links that the SDK's limits left out."""
    try:
        if not (attributes.dropped or events.dropped or links.dropped):
            return {}
    except AttributeError:  # these are the program's own
        pass
    lost = {}
    for name, part in (("attributes", attributes), ("events", events), ("links", links)):
        count = getattr(part, "dropped", 0)
        if count:
            lost[name] = count
    return lost


def _event(event: Event) -> SpanEvent:
    return SpanEvent(event.name, event.timestamp, _json_ready(event.attributes))


def _link(link: Link) -> SpanLink:
    return SpanLink(*trace_of(link.context), _json_ready(link.attributes))


def raw(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the attributes of a span as a dict, not to be changed.

    The SDK's own mapping takes a lock for every look.
    """
    found: Any = getattr(attributes, "_dict", attributes)
    return found or {}


def weight(span: Span) -> int:
    """Return the approximate bytes that a finished span takes in memory."""
    size = _SPAN + _inside(span.attributes.values())
    for event in span.events:
        size += _PART + _inside(event.attributes.values())
    for link in span.links:
        size += _PART + _inside(link.attributes.values())
    return size


_SPAN, _PART = 1_500, 400
"""Bytes of a span with twenty attributes, and of an event or a link, without any values."""
_FLAT = frozenset((str, bool, int, float, bytes, type(None)))
"""Types whose values have nothing inside."""


def _inside(values: Collection[Any]) -> int:
    """Return the bytes of values. The SDK makes copies of sequences and mappings."""
    size = sum(map(getsizeof, values))
    if not _FLAT.issuperset(map(type, values)):
        for value in values:
            if isinstance(value, dict):
                size += _inside(value.values())
            elif isinstance(value, tuple | list):
                size += _inside(value)
    return size


def _scope_fields(scope: InstrumentationScope) -> dict[str, Any]:
    attributes = _json_ready(scope.attributes)
    parts = {"name": scope.name, "version": scope.version, "attributes": attributes}
    return {key: value for key, value in parts.items() if value}


_scope = Last(_scope_fields)


def _resource_fields(resource: Resource) -> dict[str, Any]:
    return _json_ready(resource.attributes)


_resource = Last(_resource_fields)


def _json_ready(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return attributes as OTLP would bring them: the SDK keeps sequences as tuples."""
    known = raw(attributes)
    return {k: list(v) if type(v) is tuple else v for k, v in known.items()}
