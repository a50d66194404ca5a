"""A finished span of the SDK in the plain shape that the mapping takes.

The fields of a span are read directly where its properties would copy: `attributes`, `events` and
`links` make a copy for every look, which would be half of the bridge's time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, StatusCode

from ._semconv import Span, SpanEvent, SpanLink
from ._spans import KINDS


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
    lost = _lost(attributes), _lost(events), _lost(links)
    return Span(
        ids[0],
        ids[1],
        None if up is None else f"{up.span_id:016x}",
        span._name,
        span._start_time or 0,
        span._end_time or 0,
        raw(attributes),
        _resource(span._resource),
        KINDS[span._kind],
        {} if scope is None else _scope(scope),
        [_event(each) for each in events] if events else (),
        [_link(each) for each in links] if links else (),
        status.status_code is StatusCode.ERROR,
        status.description or "",
        state.to_header() if state else "",
        _by_name(lost) if any(lost) else {},
    )


def _lost(part: Any) -> int:
    """Return the number of attributes, events or links that the SDK's limits left out."""
    return getattr(part, "dropped", 0)


def _by_name(lost: tuple[int, int, int]) -> dict[str, int]:
    return {name: n for name, n in zip(("attributes", "events", "links"), lost, strict=True) if n}


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


def trace_of(context: SpanContext) -> tuple[str, str]:
    """Return the trace id and the span id, hex."""
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


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
