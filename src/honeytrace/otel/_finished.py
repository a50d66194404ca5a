"""A finished span of the SDK in the plain shape that the mapping takes.

The fields of a span are read directly where its properties would copy: `attributes`, `events` and
`links` make a copy for every look, which would be half of the bridge's time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, StatusCode

from ._semconv import Span, SpanEvent, SpanLink
from ._spans import KINDS


def finished(span: sdk.ReadableSpan, ids: tuple[str, str]) -> Span:
    """Return a span as the mapping takes it. `ids`: its trace id and span id, hex."""
    up, scope, state = span._parent, span._instrumentation_scope, _context(span).trace_state
    events, links, status = span._events, span._links, span._status
    return Span(
        *ids,
        None if up is None else f"{up.span_id:016x}",
        span._name,
        span._start_time or 0,
        span._end_time or 0,
        raw(span._attributes),
        _resource(span._resource),
        KINDS[span._kind],
        {} if scope is None else _scope(scope),
        [SpanEvent(e.name, e.timestamp, _json_ready(e.attributes)) for e in events]
        if events
        else (),
        [SpanLink(*trace_of(link.context), _json_ready(link.attributes)) for link in links]
        if links
        else (),
        status.status_code is StatusCode.ERROR,
        status.description or "",
        state.to_header() if state else "",
        _dropped(span),
    )


def raw(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the attributes of a span as a dict, not to be changed.

    The SDK's own mapping takes a lock for every look.
    """
    found: Any = getattr(attributes, "_dict", attributes)
    return found or {}


def trace_of(context: SpanContext) -> tuple[str, str]:
    """Return the trace id and the span id, hex."""
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def _dropped(span: sdk.ReadableSpan) -> dict[str, int]:
    """Return the counts of the parts of a span that the SDK's limits left out."""
    lost = span.dropped_attributes, span.dropped_events, span.dropped_links
    if not any(lost):
        return {}
    return {name: n for name, n in zip(("attributes", "events", "links"), lost, strict=True) if n}


class _Last:
    """A function of one object that is nearly always the same one, such as a provider's resource.

    `lru_cache` would hash it, for which the SDK writes a resource as JSON.
    """

    __slots__ = ("_last", "_make")

    def __init__(self, make: Callable[[Any], dict[str, Any]]) -> None:
        self._make = make
        self._last: tuple[Any, dict[str, Any]] = (None, {})

    def __call__(self, of: Any) -> dict[str, Any]:
        known, value = self._last
        if of is not known:
            value = self._make(of)
            self._last = of, value
        return value


def _scope_fields(scope: InstrumentationScope) -> dict[str, Any]:
    attributes = _json_ready(scope.attributes)
    parts = {"name": scope.name, "version": scope.version, "attributes": attributes}
    return {key: value for key, value in parts.items() if value}


_scope = _Last(_scope_fields)
_resource = _Last(lambda resource: _json_ready(resource.attributes))


def _json_ready(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return attributes as OTLP would bring them: the SDK keeps sequences as tuples."""
    known = raw(attributes)
    return {k: list(v) if type(v) is tuple else v for k, v in known.items()}


def _context(span: sdk.ReadableSpan) -> SpanContext:
    context = span._context
    assert context is not None  # of a span that a provider made
    return context
