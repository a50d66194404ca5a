"""A span processor: spans that run in this process become sessions, with journal and redaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk

from .._base.interrupts import interrupts
from .._capture.call import internal_error
from .._capture.context import OwnThread, current
from .._capture.external import External, Unread, abandon, end_external, end_unread
from .._capture.hooks import discard, hooks, switch
from .._capture.remote import Foreign
from .._runtime import public
from .._runtime.runtime import settings
from ..errors import ConfigurationError
from ._finished import finished, journalled, raw, weight
from ._raw import read_raw
from ._reading import named, read
from ._semconv import is_infrastructure
from ._semconv.event_type import OPERATION, SPAN_KIND
from ._spans import HELD, SPANS, Running, adopt, nanoseconds

Keep = Literal["llm", "all"] | Callable[[sdk.ReadableSpan], bool]


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
            running = current.get()
            if not switch.on or (running is not None and running.off):
                return
            if hooks.adopt is not adopt:  # whoever uses calls that nest, later or in a test
                hooks.adopt = adopt
            attributes = raw(span._attributes)
            if attributes.get("logfire.span_type") == "pending_span":
                return  # a placeholder that logfire exports while the span itself runs
            kept = self._keep == "all" or self._keeps(span, attributes)
            if not kept and isinstance(threading.current_thread(), OwnThread):
                return  # the delivery of recorded sessions
            SPANS.open(span, attributes, running, kept=kept, held=span.kind in HELD)
        except Exception as error:
            if interrupts(error):
                raise
            hooks.unrecorded += 1
            internal_error(error)

    def on_end(self, span: sdk.ReadableSpan) -> None:
        """Fill the session of a span and hand it over. Never raises into the program."""
        try:
            context = span.get_span_context()
            found = None if context is None else SPANS.close(context)
            if found is not None:
                self._end(span, found)
        except Exception as error:
            if interrupts(error):
                raise
            hooks.unrecorded += 1
            internal_error(error)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver the recorded sessions; True when all of them were delivered."""
        return bool(public.flush(timeout_millis / 1e3))

    def shutdown(self) -> None:
        """Nothing to do: recording ends with the process, or with `honeytrace.shutdown`."""

    def _keeps(self, span: sdk.ReadableSpan, attributes: Mapping[str, Any]) -> bool:
        keep = self._keep
        if keep == "llm":
            if OPERATION in attributes or SPAN_KIND in attributes:
                return True  # the usual span of a model: the next look takes longer
            scope = span.instrumentation_scope
            name = None if scope is None else scope.name
            return not is_infrastructure(attributes, name, kind=span.kind._name_)
        try:
            return keep == "all" or bool(keep(span))
        except Exception as error:
            if interrupts(error):
                raise
            internal_error(error)
            return True  # a filter that fails filters nothing

    def _end(self, span: sdk.ReadableSpan, found: Running) -> None:
        session = found.session
        if not found.own:
            attributes = raw(span._attributes)
            if self._keep != "llm" or not self._keeps(span, attributes):
                public.count_left_out()
                return
            # it turned out to be a model's after it had started like traffic
            session = SPANS.begin(span, attributes, session)
        assert isinstance(session, External)
        if not found.kept and found.own and not session._children:
            abandon(session)
            public.count_left_out()
            return
        foreign, end = type(session._parent) is Foreign, nanoseconds(span._end_time)
        unread = _unread(span, session)
        if unread is not None:
            end_unread(session, end, unread)
        else:
            _end_read(span, session, end)
        if foreign:
            SPANS.stand_in(session)


def _end_read(span: sdk.ReadableSpan, session: External, end: int) -> None:
    """End a session with the fields of its span."""
    assert session.trace is not None
    plain, is_root = finished(span, session.trace), session._parent is None
    made = read(plain, named(settings()), is_root, hooks.redact)
    session._spec = made.spec
    end_external(
        session,
        end,
        inputs=made.inputs,
        outputs=made.outputs,
        failure=made.failure,
        extras=made.extras,
    )


def _unread(span: sdk.ReadableSpan, session: External) -> Unread | None:
    """Return the fields of a session, to be read when its record is made; None if somebody, or its
    journal, needs them before."""
    if session._extras is not None or not (session._submit is None or session._submit is discard):
        return None
    assert session.trace is not None
    config, is_root = settings(), session._parent is None
    if session._slot is None:
        plain = finished(span, session.trace)
        return Unread(partial(read, plain, named(config), is_root), weight(plain))
    text = journalled(span, session.trace, config)
    return None if text is None else Unread(partial(read_raw, text, is_root), len(text), text)
