"""A span processor: spans that run in this process become sessions, with journal and redaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal

from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, StatusCode

from .._base.interrupts import interrupts
from .._capture.call import internal_error
from .._capture.context import OwnThread
from .._capture.external import External, abandon, end_external
from .._capture.hooks import hooks
from .._config import SETTINGS
from .._record.record import RESERVED
from .._runtime import public
from .._runtime.runtime import settings
from ..errors import ConfigurationError
from ._semconv import Fields, Span, SpanEvent, SpanLink, event_fields, is_infrastructure
from ._spans import HELD, KINDS, SPANS, Running, adopt, is_off, spec

Keep = Literal["llm", "all"] | Callable[[sdk.ReadableSpan], bool]

_BUCKETS = ("config", "metrics", "feedback", "metadata", "user_properties")
DEFAULTS = {name: SETTINGS[name].default for name in ("project", "source")}


class SpanProcessor(sdk.SpanProcessor):
    """Records the spans of an OpenTelemetry provider as sessions.

    `provider.add_span_processor(honeytrace.otel.SpanProcessor())`. Spans and sessions nest in each
    other. Models, messages, tokens and errors go where `_semconv` maps them.

    keep: "llm" leaves out HTTP, database, RPC and messaging spans; "all" records every span; a
    function of a span that starts (with the attributes it starts with) records those for which it
    is true. What is inside a span that is left out moves up to the nearest one that is not, and the
    span of a request (kind SERVER or CONSUMER) that is the outermost is recorded when something
    inside it was. `honeytrace.stats().left_out` counts the spans left out.
    Raises ConfigurationError for any other `keep`.
    """

    def __init__(self, *, keep: Keep = "llm") -> None:
        if keep not in ("llm", "all") and not callable(keep):
            raise ConfigurationError(f'keep is "llm", "all" or a function of a span, not {keep!r}')
        self._keep = keep
        hooks.adopt = adopt

    def on_start(self, span: sdk.Span, parent_context: Context | None = None) -> None:
        """Open the session of a span. Never raises into the program."""
        try:
            if is_off() or SPANS.knows(span):
                return
            attributes = raw(span._attributes)
            if attributes.get("logfire.span_type") == "pending_span":
                return  # a placeholder that logfire exports while the span itself runs
            kept = self._keeps(span, attributes)
            if not kept and isinstance(threading.current_thread(), OwnThread):
                return  # the delivery of recorded sessions
            SPANS.open(span, attributes, kept=kept, held=span.kind in HELD)
        except Exception as error:
            if interrupts(error):
                raise
            internal_error(error)

    def on_end(self, span: sdk.ReadableSpan) -> None:
        """Fill the session of a span and hand it over. Never raises into the program."""
        try:
            found = SPANS.close(_context(span))
            if found is not None:
                self._end(span, found)
        except Exception as error:
            if interrupts(error):
                raise
            internal_error(error)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver the recorded sessions; True when all of them were delivered."""
        return bool(public.flush(timeout_millis / 1e3))

    def shutdown(self) -> None:
        """Nothing to do: recording ends with the process, or with `honeytrace.shutdown`."""

    def _keeps(self, span: sdk.ReadableSpan, attributes: Mapping[str, Any]) -> bool:
        keep = self._keep
        if keep == "all":
            return True
        if keep == "llm":
            scope = span.instrumentation_scope
            name = None if scope is None else scope.name
            return not is_infrastructure(attributes, name, kind=KINDS[span.kind])
        return bool(keep(span))

    def _end(self, span: sdk.ReadableSpan, found: Running) -> None:
        session = found.session
        if not isinstance(session, External) or session.trace != _trace(span):
            attributes = raw(span._attributes)
            if self._keep != "llm" or not self._keeps(span, attributes):
                public.count_left_out()
                return
            # it turned out to be a model's after it had started like traffic
            session = SPANS.begin(span, attributes, session)
        elif not found.kept and not session._children:
            abandon(session)
            public.count_left_out()
            return
        fields = event_fields(plain(span))
        session._spec = spec(fields.event_name, fields.event_type)
        end_external(
            session,
            span.end_time or 0,
            inputs=fields.inputs,
            outputs=fields.outputs,
            failure=_failure(fields),
            extras=_extras(span, fields),
        )


def plain(span: sdk.ReadableSpan) -> Span:
    """A span of the SDK in the shape that the mapping takes."""
    context, up, scope = _context(span), span.parent, span.instrumentation_scope
    return Span(
        *_ids(context),
        None if up is None else f"{up.span_id:016x}",
        span.name,
        span.start_time or 0,
        span.end_time or 0,
        raw(span._attributes),
        _resource(span.resource),
        KINDS[span.kind],
        {} if scope is None else _scope(scope),
        [SpanEvent(e.name, e.timestamp, _json_ready(e.attributes)) for e in span._events],
        [SpanLink(*_ids(link.context), _json_ready(link.attributes)) for link in span._links],
        span.status.status_code is StatusCode.ERROR,
        span.status.description or "",
        context.trace_state.to_header() if context.trace_state else "",
        _dropped(span),
    )


def _dropped(span: sdk.ReadableSpan) -> dict[str, int]:
    """The parts of a span that the SDK's limits left out."""
    counts = {
        "attributes": span.dropped_attributes,
        "events": span.dropped_events,
        "links": span.dropped_links,
    }
    return {name: count for name, count in counts.items() if count}


def _extras(span: sdk.ReadableSpan, fields: Fields) -> dict[str, Any]:
    """The fields of a session besides inputs, outputs and error."""
    extras: dict[str, Any] = {}
    for name in _BUCKETS:
        value = getattr(fields, name)
        if value:
            extras[name] = value
    up = span.parent
    parent_id = None if up is None else f"{up.span_id:016x}"
    metadata = extras.setdefault("metadata", {})
    metadata[RESERVED] = {"otel": [*_trace(span), parent_id]}
    config = settings()
    # settings hold for spans too; the resource's names stand in for the defaults
    if fields.project and config.project == DEFAULTS["project"]:
        extras["project"] = fields.project
    if fields.source and config.source == DEFAULTS["source"]:
        extras["source"] = fields.source
    return extras


def _failure(fields: Fields) -> tuple[str, str | None, dict[str, Any]] | None:
    if fields.error is None:
        return None
    details = {} if fields.traceback is None else {"traceback": hooks.redact(fields.traceback)}
    return "error", hooks.redact(fields.error), details


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


def raw(attributes: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The attributes of a span as a dict, not to be changed.

    The SDK's own mapping takes a lock for every look, which would be half of the bridge's time.
    """
    found: Any = getattr(attributes, "_dict", attributes)
    return found or {}


def _json_ready(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Attributes as OTLP would bring them: the SDK keeps sequences as tuples."""
    known = raw(attributes)
    return {k: list(v) if type(v) is tuple else v for k, v in known.items()}


def _context(span: sdk.ReadableSpan) -> SpanContext:
    context = span.get_span_context()
    assert context is not None  # of a span that a provider made
    return context


def _ids(context: SpanContext) -> tuple[str, str]:
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def _trace(span: sdk.ReadableSpan) -> tuple[str, str]:
    return _ids(_context(span))
