"""Spans whose parent nobody records: of another provider, dropped by a sampler, elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from destinations import isolated
from honeytrace._capture.hooks import hooks
from honeytrace.testing import CapturedSessions, capture

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from honeytrace._record.span_ids import session_id
from honeytrace.otel import SpanProcessor
from honeytrace.otel._spans import SPANS

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 3} | {
    "gen_ai.usage.output_tokens": 4
}


class Drops(Sampler):
    """Drops the spans that are named so."""

    def should_sample(
        self, parent_context: Any, trace_id: int, name: str, *rest: Any, **more: Any
    ) -> Any:
        return SamplingResult(Decision.DROP if name == "dropped" else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "drops"


@pytest.fixture
def recorded() -> Iterator[CapturedSessions]:
    """What is recorded, in order of its end; no bridge is left behind."""
    with capture() as sessions:
        yield sessions
    hooks.adopt = None
    SPANS.forget()


def tracer(**options: Any) -> trace.Tracer:
    """A tracer whose spans become sessions."""
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(SpanProcessor())
    return provider.get_tracer("app")


def parents(sessions: CapturedSessions) -> dict[str, str | None]:
    """Name → name of the parent, which must have been recorded, and the same for the root."""
    names = {each.session_id: each.session_name for each in sessions}
    assert {each.root_id for each in sessions} <= names.keys()
    return {s.session_name: None if s.parent_id is None else names[s.parent_id] for s in sessions}


def test_a_call_below_a_span_of_another_provider_is_a_run_of_its_own(
    recorded: CapturedSessions,
) -> None:
    """A web framework's spans may go elsewhere; the model calls in them are listed all the same,
    and two at once are not inside each other."""
    others, ours = TracerProvider(shutdown_on_exit=False).get_tracer("web"), tracer()
    with others.start_as_current_span("GET /ask"):
        first, second = ours.start_span("first"), ours.start_span("second")
        with trace.use_span(second), honeytrace.session("inside"):
            pass
        first.end()
        second.end()
    assert parents(recorded) == {"first": None, "second": None, "inside": "second"}
    assert [s.session_name for s in recorded if s.event_type == "session"] == ["first", "second"]


def test_a_session_around_it_is_the_parent(recorded: CapturedSessions) -> None:
    """The span of another provider between a session and a span counts as nothing."""
    others, ours = TracerProvider(shutdown_on_exit=False).get_tracer("web"), tracer()
    with (
        honeytrace.session("run"),
        others.start_as_current_span("step"),
        ours.start_as_current_span("call"),
    ):
        pass
    assert parents(recorded) == {"call": "run", "run": None}


def test_inside_a_dropped_span_the_root_of_the_trace_is_the_parent(
    recorded: CapturedSessions,
) -> None:
    """A sampler that drops single spans tears no tree."""
    spans = tracer(sampler=Drops())
    with (
        spans.start_as_current_span("run"),
        spans.start_as_current_span("dropped"),
        spans.start_as_current_span("call"),
        honeytrace.session("inside"),
    ):
        pass
    with spans.start_as_current_span("dropped"), spans.start_as_current_span("alone"):
        pass
    assert parents(recorded) == {"run": None, "call": "run", "inside": "call", "alone": None}


def test_a_processor_made_in_one_test_nests_sessions_in_the_next() -> None:
    """`capture` gives the process back as it was; a span that starts brings the nesting along."""
    with capture():
        spans = tracer()
    try:
        with (
            capture() as recorded,
            spans.start_as_current_span("call"),
            honeytrace.session("inside"),
        ):
            pass
        assert parents(recorded) == {"call": None, "inside": "call"}
    finally:
        hooks.adopt = None
        SPANS.forget()


def elsewhere(trace_id: int, span_id: int) -> Any:
    """The context of a request whose caller sent only a `traceparent`."""
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(1))
    return trace.set_span_in_context(NonRecordingSpan(context))


def shown(run: Any) -> list[str]:
    """The lines of a tree without durations."""
    return [line.rpartition("  ")[0].rstrip() for line in str(run.tree()).splitlines()]


@pytest.mark.parametrize("journal", [None, ":none:"])
def test_a_run_whose_caller_is_recorded_nowhere_is_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, journal: str | None
) -> None:
    """Behind a gateway that sends a `traceparent`, a request is one row with everything in it."""
    with isolated(monkeypatch, tmp_path):
        honeytrace.configure(journal=journal)
        spans = tracer()
        request = spans.start_as_current_span(
            "GET /ask", context=elsewhere(10, 11), kind=SpanKind.SERVER, attributes={"http.m": "G"}
        )
        with request, spans.start_as_current_span("call", attributes=CHAT):
            pass
        assert honeytrace.flush(30)
        (run,) = honeytrace.list_sessions(roots_only=True)
        assert run.session_id == session_id(f"{10:032x}")
        assert (run.session_name, run.usage.total_tokens) == ("GET /ask", 7)
        assert shown(run) == ["GET /ask", "└─ GET /ask", "   └─ call"]
    hooks.adopt = None
    SPANS.forget()


def test_the_root_of_a_trace_takes_the_place_of_its_stand_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A caller that is recorded, too, is the run, and what it called is inside."""
    with isolated(monkeypatch, tmp_path):
        spans = tracer()
        with spans.start_as_current_span("caller") as caller:
            pass
        SPANS.forget()  # another process
        context = caller.get_span_context()
        around = elsewhere(context.trace_id, context.span_id)
        with spans.start_as_current_span("called", context=around, attributes=CHAT):
            pass
        assert honeytrace.flush(30)
        (run,) = honeytrace.list_sessions(roots_only=True)
        assert (run.session_name, run.usage.total_tokens) == ("caller", 7)
        assert shown(run) == ["caller", "└─ called"]
    hooks.adopt = None
    SPANS.forget()
