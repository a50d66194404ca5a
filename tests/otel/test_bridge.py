"""Spans of this process as sessions: nesting, filters, threads, forks, sampling, redaction."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

import honeytrace
from honeytrace._capture.hooks import hooks
from honeytrace.testing import CapturedSessions, capture

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

import honeytrace.otel
from honeytrace.errors import ConfigurationError
from honeytrace.otel import SpanProcessor, _langchain
from honeytrace.otel._semconv import event_id, session_id
from honeytrace.otel._spans import SPANS

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "bee-1",
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"ho"}]}]',
    "gen_ai.usage.input_tokens": 3,
    "gen_ai.usage.output_tokens": 4,
}


@pytest.fixture(autouse=True)
def bridge() -> Iterator[None]:
    """The process without a bridge, before and after."""
    yield
    hooks.adopt = None
    SPANS.forget()


@pytest.fixture
def recorded() -> Iterator[CapturedSessions]:
    """What is recorded, in order of its end."""
    with capture() as sessions:
        yield sessions


def tracer(keep: Any = "llm", **options: Any) -> trace.Tracer:
    """A tracer whose spans become sessions."""
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(SpanProcessor(keep=keep))
    return provider.get_tracer("app", "1.0")


def tree(sessions: CapturedSessions) -> dict[str, str | None]:
    """Name → name of the parent; an unknown parent is its id."""
    names = {each.session_id: each.session_name for each in sessions}
    return {
        each.session_name: each.parent_id and names.get(each.parent_id, each.parent_id)
        for each in sessions
    }


def test_a_span_is_a_session_with_its_fields(recorded: CapturedSessions) -> None:
    """Messages, model, tokens, error, links and ids of a span are those of its session."""
    spans = tracer()
    with spans.start_as_current_span("agent") as agent:
        with spans.start_as_current_span(
            "chat", attributes=CHAT, links=[Link(agent.get_span_context())]
        ):
            pass
        with pytest.raises(ValueError), spans.start_as_current_span("fails"):
            raise ValueError("no bees")
    chat, fails, root = recorded
    assert chat.inputs == {"chat_history": [{"role": "user", "content": "hi"}]}
    assert chat.outputs == {"role": "assistant", "content": "ho"}
    assert (chat.event_type, chat.config, chat.usage.total_tokens) == (
        "model",
        {"model": "bee-1"},
        7,
    )
    assert chat.metadata["scope"] == {"name": "app", "version": "1.0"}
    assert chat.metadata["links"]
    assert (fails.status, fails.error) == ("error", "ValueError: no bees")
    assert "ValueError: no bees" in (fails.traceback or "")
    assert (root.event_type, root.parent_id) == ("session", None)
    context = agent.get_span_context()
    trace_id = f"{context.trace_id:032x}"
    assert root.session_id == session_id(trace_id)
    _, span_id, up = chat.details["otel"]
    assert chat.session_id == event_id(trace_id, span_id)
    assert up == f"{context.span_id:016x}"
    assert chat.duration is not None


def test_sessions_and_spans_nest_in_each_other(recorded: CapturedSessions) -> None:
    """In whatever order they alternate, each is the child of the one right around it."""
    spans = tracer()

    @honeytrace.trace_session
    def traced() -> None:
        with spans.start_as_current_span("span 2"), honeytrace.session("session 3"):
            pass

    with honeytrace.session("session 1"):
        with spans.start_as_current_span("span 1"):
            traced()
        with honeytrace.session("session 2"):
            pass
    found = tree(recorded)
    (traced_name,) = found.keys() - {"session 1", "session 2", "session 3", "span 1", "span 2"}
    assert found == {
        "session 3": "span 2",
        "span 2": traced_name,
        traced_name: "span 1",
        "span 1": "session 1",
        "session 2": "session 1",
        "session 1": None,
    }
    assert {each.root_id for each in recorded} == {recorded[-1].session_id}
    for each in recorded:
        if each.parent_id is not None:
            (parent,) = [other for other in recorded if other.session_id == each.parent_id]
            assert each.session_id in parent.children_ids


def test_a_session_inside_a_span_is_its_child(recorded: CapturedSessions) -> None:
    """A traced call below a span that is the outermost is not a root."""
    spans = tracer()
    with spans.start_as_current_span("outer"), honeytrace.session("inner"):
        honeytrace.current_session().update(metadata={"seen": True})
    inner, outer = recorded
    assert (inner.parent_id, inner.metadata) == (outer.session_id, {"seen": True})


def test_the_current_session_inside_a_span_is_the_spans(recorded: CapturedSessions) -> None:
    """`current_session().update` adds to the span, and wins over its attributes."""
    spans = tracer()
    with spans.start_as_current_span("chat", attributes=CHAT) as span:
        span.set_attribute("user.id", "u1")
        honeytrace.current_session().update(metrics={"score": 1}, config={"model": "mine"})
    (chat,) = recorded
    assert (chat.metrics, chat.config, chat.user_properties) == (
        {"score": 1},
        {"model": "mine"},
        {"user_id": "u1"},
    )


def test_a_span_that_runs_can_be_looked_up(recorded: CapturedSessions) -> None:
    """Inside a span, its session is found as far as it has got, with the type it will have."""
    with tracer().start_as_current_span("chat", attributes=CHAT):
        running = honeytrace.current_session()
        running.metadata["seen"] = True
        found = honeytrace.get_session(running.session_id)
    assert (found.status, found.event_type, found.metadata["seen"]) == ("running", "model", True)


def test_http_spans_are_left_out_and_their_children_move_up(recorded: CapturedSessions) -> None:
    """Traffic is counted, not recorded; what is inside belongs to the nearest recorded span."""
    spans = tracer()
    before = honeytrace.stats().left_out
    http = {"http.request.method": "GET", "url.full": "http://127.0.0.1/"}
    with (
        spans.start_as_current_span("agent"),
        spans.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=http),
        spans.start_as_current_span("SELECT", attributes={"db.system": "x"}, kind=SpanKind.CLIENT),
    ):
        with spans.start_as_current_span("chat", attributes=CHAT):
            pass
        with honeytrace.session("call"):
            pass
    assert tree(recorded) == {"chat": "agent", "call": "agent", "agent": None}
    honeytrace.configure(store=":memory:")
    assert honeytrace.stats().left_out == before + 2
    honeytrace.configure(store=None)


def test_a_request_is_recorded_for_what_ran_inside_it(recorded: CapturedSessions) -> None:
    """A server's span alone is left out; with a call inside it is that run's outermost session."""
    spans = tracer()
    http = {"http.request.method": "POST"}
    with spans.start_as_current_span("GET /health", kind=SpanKind.SERVER, attributes=http):
        pass
    with spans.start_as_current_span("POST /chat", kind=SpanKind.SERVER, attributes=http):
        with spans.start_as_current_span("chat", attributes=CHAT):
            pass
        with spans.start_as_current_span("chat again", attributes=CHAT):
            pass
    assert tree(recorded) == {"chat": "POST /chat", "chat again": "POST /chat", "POST /chat": None}


def test_keep_all_and_keep_by_function(recorded: CapturedSessions) -> None:
    """`keep` records everything, or what a function chooses."""
    everything, chosen = tracer("all"), tracer(lambda span: span.name != "b")
    for spans in (everything, chosen):
        with (
            spans.start_as_current_span("a"),
            spans.start_as_current_span("b", attributes={"http.request.method": "GET"}),
            spans.start_as_current_span("c"),
        ):
            pass
    assert [each.session_name for each in recorded] == ["c", "b", "a", "c", "a"]
    assert recorded[3].parent_id == recorded[4].session_id


def test_keep_that_is_none_is_refused() -> None:
    """A mistake is found when the processor is made."""
    with pytest.raises(ConfigurationError, match="keep is"):
        SpanProcessor(keep="everything")  # type: ignore[arg-type]


def test_a_span_that_turns_out_to_be_a_models_is_kept(recorded: CapturedSessions) -> None:
    """An instrumentor that names the model late does not lose the span."""
    spans = tracer()
    with spans.start_as_current_span(
        "POST", kind=SpanKind.CLIENT, attributes={"http.method": "POST"}
    ) as span:
        span.set_attributes(CHAT)
    assert [each.event_type for each in recorded] == ["model"]
    assert recorded[0].config == {"model": "bee-1"}


def test_children_that_begin_after_the_end_of_their_span(recorded: CapturedSessions) -> None:
    """A span started below one that has ended still names it as its parent."""
    spans = tracer()
    parent = spans.start_span("parent")
    around = trace.set_span_in_context(parent)
    parent.end()
    spans.start_span("late", context=around).end()
    assert tree(recorded) == {"parent": None, "late": "parent"}


def test_threads_inside_a_span(recorded: CapturedSessions) -> None:
    """A thread started inside a span records below it."""
    spans = tracer()

    def work() -> None:
        with honeytrace.session("in thread"):
            pass

    with honeytrace.session("outer"), spans.start_as_current_span("span"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert tree(recorded) == {"in thread": "span", "span": "outer", "outer": None}


def test_paused_and_disabled_record_no_spans(recorded: CapturedSessions) -> None:
    """`paused` holds for spans, too."""
    spans = tracer()
    with honeytrace.paused(), spans.start_as_current_span("a"), honeytrace.session("b"):
        pass
    assert recorded == []


def test_a_tree_that_is_sampled_out_has_no_spans() -> None:
    """Sampling is decided at the outermost span, for sessions and spans inside alike."""
    with capture(sample_rate=0.0) as sessions:
        spans = tracer()
        with (
            spans.start_as_current_span("root"),
            honeytrace.session("call"),
            spans.start_as_current_span("leaf"),
        ):
            pass
    assert sessions == []


def test_secrets_in_attributes_are_masked(recorded: CapturedSessions) -> None:
    """Redaction is the same as for captured values."""
    spans = tracer()
    with spans.start_as_current_span(
        "s", attributes={"api_key": "sk-123", "gen_ai.tool.call.arguments": '{"password":"x"}'}
    ) as span:
        span.set_status(
            Status(StatusCode.ERROR, "token sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD")
        )
    (found,) = recorded
    assert found.metadata["api_key"] == "[redacted]"
    assert found.inputs == {"password": "[redacted]"}
    assert "abcdefghijklmnopqrstuvwxyz" not in str(found.error)


def test_two_processors_record_a_span_once(recorded: CapturedSessions) -> None:
    """A provider that has the processor twice gives one session per span."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor())
    provider.add_span_processor(SpanProcessor())
    provider.get_tracer("app").start_span("once").end()
    assert len(recorded) == 1


def test_logfires_pending_spans_are_ignored(recorded: CapturedSessions) -> None:
    """A placeholder is not a second record of its span."""
    tracer().start_span("x", attributes={"logfire.span_type": "pending_span"}).end()
    assert recorded == []


def test_the_global_provider_is_left_alone(recorded: CapturedSessions) -> None:
    """Neither the processor nor `instrument` sets the program's provider."""
    before = trace.get_tracer_provider()
    with honeytrace.otel.instrument() as running:
        assert trace.get_tracer_provider() is before
        assert running.provider is not before
        with running.provider.get_tracer("x").start_as_current_span("span"):
            pass
    assert [each.session_name for each in recorded] == ["span"]


def test_an_instrumentor_that_is_not_installed_is_named() -> None:
    """A name that is nothing raises, and the message says what to install."""
    with pytest.raises(
        ConfigurationError, match="pip install openinference-instrumentation-no-such"
    ):
        honeytrace.otel.instrument("no_such")


def test_nothing_of_the_bridge_raises_into_the_program(
    recorded: CapturedSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect in the mapping costs a log line, never the program's call nor an attribute."""
    spans = tracer()
    monkeypatch.setattr("honeytrace.otel._reading.event_fields", lambda span: 1 / 0)
    with spans.start_as_current_span("s", attributes={"a": 1}):
        pass
    (found,) = recorded
    assert (found.session_name, found.metadata["a"]) == ("s", 1)


def test_a_library_that_fails_when_it_is_asked_costs_no_span(
    recorded: CapturedSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LangChain's instrumentor may not know its own context; the span is recorded all the same."""
    broken: Any = type(os)(_langchain.SCOPE)
    broken.get_current_span = lambda: 1 / 0
    monkeypatch.setitem(sys.modules, _langchain.SCOPE, broken)
    config: ContextVar[Any] = ContextVar("config", default=True)
    monkeypatch.setattr(_langchain, "_config", config)
    tracer().start_span("s").end()
    with honeytrace.session("x"):
        pass
    assert len(recorded) == 2


def test_the_context_of_another_library_is_untouched(recorded: CapturedSessions) -> None:
    """OpenTelemetry's context is the same before and after a traced call."""
    spans = tracer()
    before = otel_context.get_current()
    with spans.start_as_current_span("s"), honeytrace.session("x"):
        pass
    assert otel_context.get_current() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")
def test_a_forked_child_does_not_end_its_parents_spans(alone: None, tmp_path: Any) -> None:
    """A span that runs at a fork is recorded once, and what the child records is below it."""
    store = str(tmp_path / "sessions.db")
    honeytrace.configure(store=store, journal=":none:")
    try:
        spans = tracer()
        with spans.start_as_current_span("span"):
            child = os.fork()
            if child == 0:
                with honeytrace.session("in child"):
                    pass
                trace.get_current_span().end()
                honeytrace.flush(10)
                os._exit(0)
            os.waitpid(child, 0)
        honeytrace.flush(10)
        found = {each.session_name: each for each in honeytrace.list_sessions()}
        assert sorted(found) == ["in child", "span"]
        assert found["in child"].parent_id == found["span"].session_id
    finally:
        honeytrace.configure(store=None, journal=None)
