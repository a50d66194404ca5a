"""The attribute mapping, convention by convention and case by case."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from honeytrace.otel._semconv import (
    Fields,
    Span,
    SpanEvent,
    SpanLink,
    event_fields,
    event_type,
    is_infrastructure,
)

START = 1_790_000_000_000_000_000


def fields(name: str = "span", **more: Any) -> Fields:
    """The fields of a span with these attributes; `__` in a name is a dot."""
    attributes = {
        key.replace("__", "."): value for key, value in more.pop("attributes", {}).items()
    }
    return event_fields(
        Span("a" * 32, "b" * 16, None, name, START, START + 10**9, attributes, **more)
    )


@pytest.mark.parametrize(
    ("attributes", "kind", "expected"),
    [
        ({"gen_ai.operation.name": "chat"}, "CLIENT", "model"),
        ({"gen_ai.operation.name": "text_completion"}, "", "model"),
        ({"gen_ai.operation.name": "generate_content"}, "", "model"),
        ({"gen_ai.operation.name": "embeddings"}, "", "model"),
        ({"gen_ai.operation.name": "execute_tool"}, "", "tool"),
        ({"gen_ai.operation.name": "retrieval"}, "CLIENT", "tool"),
        ({"gen_ai.operation.name": "search_memory"}, "", "tool"),
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "m"}, "", "chain"),
        ({"gen_ai.operation.name": "invoke_workflow"}, "CLIENT", "chain"),
        ({"gen_ai.operation.name": "of tomorrow", "gen_ai.request.model": "m"}, "", "model"),
        ({"openinference.span.kind": "LLM"}, "", "model"),
        ({"openinference.span.kind": "RETRIEVER"}, "", "tool"),
        ({"openinference.span.kind": "RERANKER"}, "", "tool"),
        ({"openinference.span.kind": "AGENT", "llm.model_name": "m"}, "", "chain"),
        ({"openinference.span.kind": "GUARDRAIL"}, "", "chain"),
        ({"traceloop.span.kind": "tool"}, "", "tool"),
        ({"traceloop.span.kind": "workflow", "gen_ai.request.model": "m"}, "", "chain"),
        ({"llm.request.type": "chat"}, "CLIENT", "model"),
        ({"langfuse.observation.type": "generation"}, "", "model"),
        ({"honeyhive_event_type": "tool", "gen_ai.operation.name": "chat"}, "", "tool"),
        ({"honeyhive_event_type": "nonsense", "gen_ai.operation.name": "chat"}, "", "model"),
        ({"http.request.method": "GET"}, "CLIENT", "tool"),
        ({"my.attribute": 1}, "INTERNAL", "chain"),
    ],
)
def test_event_type(attributes: dict[str, Any], kind: str, expected: str) -> None:
    """The type comes from the operation or the span's kind, HoneyHive's own word first."""
    assert event_type(attributes, kind) == expected


@pytest.mark.parametrize(
    ("attributes", "scope", "expected"),
    [
        ({"http.request.method": "GET"}, "opentelemetry.instrumentation.httpx", True),
        ({}, "opentelemetry.instrumentation.sqlalchemy", True),
        ({"db.system": "postgresql"}, "my.driver", True),
        ({"rpc.system": "grpc"}, None, True),
        ({"url.full": "https://x", "gen_ai.request.model": "m"}, None, False),
        ({"server.address": "x"}, "opentelemetry.instrumentation.openai.v1", False),
        ({}, "opentelemetry.instrumentation.openai", False),
        ({"step": 1}, "app", False),
        ({"openinference.span.kind": "LLM", "http.url": "x"}, None, False),
    ],
)
def test_infrastructure(attributes: dict[str, Any], scope: str | None, expected: bool) -> None:
    """HTTP, database and RPC spans are infrastructure; an application's and a model's are not."""
    assert is_infrastructure(attributes, scope) is expected


def test_structured_messages_are_read_like_their_json() -> None:
    """SDKs that send messages as values and those that send JSON give the same fields."""
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {}}],
        },
        {
            "role": "tool",
            "parts": [
                {"type": "tool_call_response", "id": "1", "result": "a"},
                {"type": "tool_call_response", "id": "2", "response": {"b": 1}},
            ],
        },
    ]
    as_values = fields(attributes={"gen_ai.input.messages": messages})
    as_json = fields(attributes={"gen_ai.input.messages": orjson.dumps(messages).decode()})
    assert as_values == as_json
    assert as_json.inputs["chat_history"] == [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "a"},
        {"role": "tool", "tool_call_id": "2", "content": {"b": 1}},
    ]


def test_parts_that_are_no_text_stay_parts() -> None:
    """A message with an image or with reasoning keeps all its parts, in order."""
    parts = [
        {"type": "text", "content": "look"},
        {"type": "uri", "modality": "image", "uri": "https://x/bee.png"},
        {"type": "reasoning", "content": "hmm"},
    ]
    made = fields(attributes={"gen_ai.input.messages": [{"role": "user", "parts": parts}]})
    assert made.inputs["chat_history"] == [
        {"role": "user", "content": [{"type": "text", "text": "look"}, *parts[1:]]}
    ]


def test_several_answers_are_choices() -> None:
    """A call with `n=2` has both answers."""
    messages = [
        {"role": "assistant", "parts": [{"type": "text", "content": word}]} for word in ("a", "b")
    ]
    made = fields(attributes={"gen_ai.output.messages": messages})
    assert [choice["content"] for choice in made.outputs["choices"]] == ["a", "b"]


def test_older_openllmetry() -> None:
    """Flattened prompts, completions and functions, in whatever order they were set."""
    made = fields(
        attributes={
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.prompt.1.content": "hi",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief.",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.finish_reason": "tool_calls",
            "gen_ai.completion.0.tool_calls.0.id": "c1",
            "gen_ai.completion.0.tool_calls.0.name": "f",
            "gen_ai.completion.0.tool_calls.0.arguments": '{"a":1}',
            "llm.request.functions.0.name": "f",
            "llm.request.functions.0.parameters": '{"type":"object"}',
            "llm.usage.total_tokens": 9,
            "gen_ai.usage.prompt_tokens": 6,
            "gen_ai.usage.completion_tokens": 3,
            "gen_ai.request.model": "m",
            "gen_ai.request.top_p": 0.9,
        }
    )
    assert made.inputs["chat_history"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    assert made.outputs["tool_calls"] == [call]
    assert made.config["hyperparameters"] == {"top_p": 0.9}
    assert made.config["tools"][0]["function"]["parameters"] == {"type": "object"}
    tokens = {"prompt_tokens": 6, "completion_tokens": 3, "total_tokens": 9}
    assert made.metadata == {**tokens, "llm.request.type": "chat"}


def test_a_task_of_openllmetry() -> None:
    """The entity's input and output are the inputs and outputs; a scalar is wrapped."""
    made = fields(
        attributes={
            "traceloop.span.kind": "task",
            "traceloop.entity.input": '{"q": "hi"}',
            "traceloop.entity.output": '"hello"',
            "traceloop.association.properties.user_id": "u7",
        }
    )
    assert (made.inputs, made.outputs) == ({"q": "hi"}, {"result": '"hello"'})
    assert made.user_properties == {"user_id": "u7"}


def test_retrieval_and_reranking() -> None:
    """Documents found are outputs, documents to be ranked are inputs."""
    made = fields(
        attributes={
            "openinference.span.kind": "RERANKER",
            "reranker.query": "bees",
            "reranker.input_documents.0.document.content": "x",
            "reranker.output_documents.0.document.content": "x",
            "reranker.output_documents.0.document.score": 0.7,
        }
    )
    assert made.inputs == {"documents": [{"content": "x"}], "query": "bees"}
    assert made.outputs == {"documents": [{"content": "x", "score": 0.7}]}


def test_a_second_value_for_a_field_stays_in_metadata() -> None:
    """Two conventions that disagree are both recorded; two that agree are recorded once."""
    made = fields(
        attributes={
            "gen_ai.request.model": "a",
            "llm.model_name": "b",
            "gen_ai.usage.input_tokens": 3,
            "llm.token_count.prompt": 3,
        }
    )
    assert made.config["model"] == "a"
    assert made.metadata == {"prompt_tokens": 3, "llm.model_name": "b"}


def test_an_attribute_named_like_a_field_of_ours_is_kept() -> None:
    """Kind, scope and resource of a span do not hide attributes of the same names."""
    made = fields(attributes={"kind": "mine", "resource": 1}, kind="CLIENT", resource={"a": 1})
    assert made.metadata["kind"] == "mine"
    assert made.metadata["otel.kind"] == "CLIENT"
    assert (made.metadata["resource"], made.metadata["otel.resource"]) == (1, {"a": 1})


def test_evaluations_are_metrics() -> None:
    """An evaluation event is a metric by its name, with label and explanation beside it."""
    event = SpanEvent(
        "gen_ai.evaluation.result",
        START,
        {
            "gen_ai.evaluation.name": "relevance",
            "gen_ai.evaluation.score.value": 0.8,
            "gen_ai.evaluation.score.label": "good",
            "gen_ai.evaluation.explanation": "to the point",
        },
    )
    assert fields(events=[event]).metrics == {
        "relevance": 0.8,
        "relevance_label": "good",
        "relevance_explanation": "to the point",
    }


def test_content_in_events() -> None:
    """Prompts and answers that travel in span events are read like attributes."""
    details = SpanEvent(
        "gen_ai.client.inference.operation.details",
        START,
        {"gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'},
    )
    assert fields(events=[details]).inputs["chat_history"] == [{"role": "user", "content": "hi"}]
    old = [
        SpanEvent("gen_ai.content.prompt", START, {"gen_ai.prompt": "THE PROMPT"}),
        SpanEvent("gen_ai.content.completion", START, {"gen_ai.completion": "THE ANSWER"}),
    ]
    made = fields(events=old)
    assert made.inputs["chat_history"][0]["content"] == "THE PROMPT"
    assert made.outputs["content"] == "THE ANSWER"


def test_one_event_per_message() -> None:
    """The events of GenAI before 1.37: a message each, and the choices."""
    events = [
        SpanEvent("gen_ai.system.message", START, {"content": "Be brief."}),
        SpanEvent("gen_ai.user.message", START, {"content": "hi", "gen_ai.system": "openai"}),
        SpanEvent(
            "gen_ai.choice",
            START,
            {"index": 0, "finish_reason": "stop", "message": '{"content":"hello"}'},
        ),
    ]
    made = fields(events=events)
    assert [m["role"] for m in made.inputs["chat_history"]] == ["system", "user"]
    assert made.outputs["content"] == "hello"
    assert made.outputs["finish_reason"] == "stop"


def test_events_links_scope_and_kind_are_kept() -> None:
    """Whatever has no field of its own is metadata."""
    made = fields(
        kind="CLIENT",
        scope={"name": "my.instrumentor", "version": "1"},
        links=[SpanLink("d" * 32, "2" * 16, {"why": "retry"})],
        events=[SpanEvent("cache.miss", START, {"key": "k"})],
        trace_state="vendor=1",
        dropped={"attributes": 2},
    )
    assert made.metadata == {
        "kind": "CLIENT",
        "scope": {"name": "my.instrumentor", "version": "1"},
        "links": [{"trace_id": "d" * 32, "span_id": "2" * 16, "attributes": {"why": "retry"}}],
        "events": [{"name": "cache.miss", "time": START / 1e6, "attributes": {"key": "k"}}],
        "trace_state": "vendor=1",
        "dropped": {"attributes": 2},
    }


def test_an_exception_is_the_error() -> None:
    """Type, message and traceback come from the exception event; its other attributes stay."""
    event = SpanEvent(
        "exception",
        START,
        {
            "exception.type": "ValueError",
            "exception.message": "no bees",
            "exception.stacktrace": "Traceback …",
            "exception.escaped": "False",
        },
    )
    made = fields(events=[event], failed=True, message="ValueError: no bees")
    assert (made.error, made.traceback) == ("ValueError: no bees", "Traceback …")
    assert made.metadata["events"] == [
        {"name": "exception", "attributes": {"exception.escaped": "False"}}
    ]
    assert fields(failed=True, attributes={"error.type": "timeout"}).error == "timeout"
    assert fields(failed=False, message="fine").error is None


def test_a_service_without_a_name_is_no_project() -> None:
    """The SDK's placeholder for a missing service name is not used."""
    assert fields(resource={"service.name": "unknown_service:python"}).project is None
    made = fields(resource={"service.name": "bot", "deployment.environment": "prod"})
    assert (made.project, made.source) == ("bot", "prod")


def test_record_fields_of_honeytraces_own_exporter() -> None:
    """A span that honeytrace exported names the record it stands for."""
    made = fields(
        attributes={
            "honeytrace.event_id": "run-1",
            "honeytrace.event_type": "session",
            "honeytrace.children_ids": '["a"]',
            "honeytrace.duration": 1.5,
            "honeyhive_inputs": '{"q": 1}',
        }
    )
    assert made.event_type == "session"
    assert made.own == {"event_id": "run-1", "children_ids": ["a"], "duration": 1.5}
    assert made.inputs == {"q": 1}


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
json_values = values.map(lambda value: orjson.dumps(value).decode())
known = [
    *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"),
    *("gen_ai.tool.call.arguments", "gen_ai.tool.definitions", "gen_ai.operation.name"),
    *("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "llm.invocation_parameters"),
    *("gen_ai.prompt.0.role", "gen_ai.prompt.0", "gen_ai.prompt.x.content", "gen_ai.prompt"),
    *("llm.input_messages.0.message.content", "llm.input_messages.0", "llm.tools.0.tool"),
    *("llm.output_messages.1.message.tool_calls.0.tool_call", "retrieval.documents.0"),
    *("embedding.embeddings.0.embedding.text", "embedding.embeddings.0", "metadata", "input.value"),
    *("output.value", "traceloop.entity.input", "traceloop.span.kind", "openinference.span.kind"),
    *("llm.request.functions.0", "pydantic_ai.all_messages", "final_result", "events"),
    *(
        "request_data",
        "response_data",
        "honeyhive_inputs",
        "honeyhive_inputs.a.b",
        "honeyhive_error",
    ),
    *("honeyhive_outputs.a", "honeyhive.session_id", "honeytrace.status", "session.id", "user.id"),
]


@given(
    st.dictionaries(st.sampled_from(known) | st.text(max_size=12), values | json_values, max_size=8)
)
def test_no_content_of_a_span_raises(attributes: dict[str, Any]) -> None:
    """Any value under any known name gives objects that are valid JSON."""
    made = event_fields(Span("a" * 32, "b" * 16, None, "s", START, START, attributes))
    orjson.dumps(dataclasses.asdict(made), option=orjson.OPT_NON_STR_KEYS)
    for bucket in (made.inputs, made.outputs, made.config, made.metadata, made.metrics):
        assert type(bucket) is dict
