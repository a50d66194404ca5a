"""Spans as no tracer should make them: each that ends is one record, and none costs another."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import honeytrace
from honeytrace._capture.hooks import hooks
from honeytrace.testing import CapturedSessions, capture

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode

from honeytrace.otel import SpanProcessor, _spans
from honeytrace.otel._spans import SPANS


@pytest.fixture(autouse=True)
def bridge(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The process without a bridge, before and after; the SDK complains of odd attributes."""
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    yield
    hooks.adopt = None
    SPANS.forget()


def tracer(keep: Any = "llm") -> trace.Tracer:
    """A tracer whose spans become sessions."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor(keep=keep))
    return provider.get_tracer("app")


times = st.none() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
hostile = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.binary(max_size=8)
    | st.text(st.characters(), max_size=8)  # lone surrogates, too
    | st.just("x" * 100_000),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.sampled_from(
    (
        *("gen_ai.operation.name", "gen_ai.input.messages", "gen_ai.usage.input_tokens", "a", ""),
        *("llm.input_messages.0.message.content", "openinference.span.kind", "session.id"),
        *("honeyhive_inputs.a.b", "traceloop.span.kind", "logfire.msg", "metadata", "events"),
    )
)


@given(
    st.text(st.characters(), max_size=8),
    st.dictionaries(names, hostile, max_size=4),
    *(times, times),
    st.sampled_from(list(SpanKind)),
    st.text(st.characters(), max_size=8),
)
def test_every_span_that_ends_is_one_record(
    name: str, attributes: dict[str, Any], start: Any, end: Any, kind: SpanKind, message: str
) -> None:
    """Any name, any attribute, any time: the year 1900, the year 30,000, an end before a start."""
    with capture() as recorded:
        span = tracer("all").start_span(
            name or "s", kind=kind, attributes=attributes, start_time=start
        )
        span.add_event("event", attributes, timestamp=start)
        span.set_status(Status(StatusCode.ERROR, message))
        span.end(end)
    SPANS.forget()
    (found,) = recorded
    assert found.status == "error"
    assert found.duration is not None
    assert found.duration >= 0
    assert found.metadata["kind"] == kind.name


def test_a_span_that_nobody_can_end_any_more_is_interrupted() -> None:
    """Its session does not stay open, and what ran inside it is where it belongs."""
    with capture() as recorded:
        span = tracer().start_span("never ends")
        with trace.use_span(span), honeytrace.session("inside"):
            pass
        del span
        gc.collect()
    assert [(each.session_name, each.status) for each in recorded] == [
        ("inside", "ok"),
        ("never ends", "interrupted"),
    ]
    assert recorded[0].parent_id == recorded[1].session_id


def test_more_spans_than_are_remembered_are_all_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ones are recorded as interrupted, and their late ends change nothing."""
    monkeypatch.setattr(_spans, "MOST_RUNNING", 10)
    spans = tracer()
    with capture() as recorded:
        running = [spans.start_span(str(number)) for number in range(25)]
        for span in running:
            span.end()
    status = {each.session_name: each.status for each in recorded}
    assert status == {str(n): "interrupted" if n < 15 else "ok" for n in range(25)}


def test_children_find_parents_that_ended_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """At least `MOST` spans are remembered after their end."""
    monkeypatch.setattr(_spans, "MOST", 10)
    spans = tracer()
    with capture() as recorded:
        parent = spans.start_span("parent")
        around = trace.set_span_in_context(parent)
        parent.end()
        for number in range(10):
            spans.start_span(str(number)).end()
        spans.start_span("late", context=around).end()
    found = {each.session_name: each for each in recorded}
    assert found["late"].parent_id == found["parent"].session_id


def test_a_filter_that_fails_filters_nothing(recorded_spans: CapturedSessions) -> None:
    """Its defect costs a log line, and no span."""
    with tracer(lambda span: 1 / 0).start_as_current_span("s"):
        pass
    assert [each.session_name for each in recorded_spans] == ["s"]


@pytest.fixture
def recorded_spans() -> Iterator[CapturedSessions]:
    """What is recorded, in order of its end."""
    with capture() as sessions:
        yield sessions
