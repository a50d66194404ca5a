"""Spans recorded from real instrumentors: what they become, and that nothing of them is lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from honeytrace.otel._semconv import Fields, Span, SpanEvent, event_fields

RECORDED = Path(__file__).parent / "recorded"
CONVENTIONS = sorted(path.stem for path in RECORDED.glob("*.json"))

START = 1_790_000_000_000_000_000
PART_TYPES = {"text", "tool_call", "tool_call_response"}
"""The tags of GenAI's typed parts: a message in OpenAI's shape does without them."""


def spans(convention: str) -> list[Span]:
    """The recorded spans of one instrumentor, in the order in which they ended."""
    return [
        Span(
            "a" * 32,
            f"{number:016x}",
            None,
            item["name"],
            START,
            START + 2_000_000_000,
            item["attributes"],
            {"service.name": "bot", "deployment.environment.name": "staging"},
            item["kind"],
            dict(zip(("name", "version"), item["scope"], strict=True)),
            [
                SpanEvent(event["name"], START + 50_000_000, event["attributes"])
                for event in item["events"]
            ],
        )
        for number, item in enumerate(orjson.loads((RECORDED / f"{convention}.json").read_bytes()))
    ]


def leaves(value: Any) -> Iterator[Any]:
    """The scalars inside a value, also inside JSON that is kept as text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            yield value
            return
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    elif value is not None:
        yield value


def fields_of(convention: str, name: str) -> Fields:
    """The fields of the first recorded span of a name."""
    return next(event_fields(span) for span in spans(convention) if span.name == name)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_no_value_of_an_attribute_is_lost(convention: str) -> None:
    """Every value that an instrumentor sent is somewhere in the fields."""
    for span in spans(convention):
        kept = set(leaves(dataclasses.asdict(event_fields(span))))
        for name, value in span.attributes.items():
            if name == "gen_ai.response.time_to_first_chunk":
                value = value * 1e3
            missing = set(leaves(value)) - kept - PART_TYPES
            assert not missing, f"{span.name}: {name}"


RECORDED_NAMES = sorted(
    {name for each in CONVENTIONS for span in spans(each) for name in span.attributes}
)
RECORDED_PAIRS = [
    (name, value)
    for each in CONVENTIONS
    for span in spans(each)
    for name, value in span.attributes.items()
]
texts = st.integers(0, 10**6).map(lambda number: f"text {number}")
mixed = st.lists(
    st.sampled_from(RECORDED_PAIRS)
    | st.tuples(st.sampled_from(RECORDED_NAMES) | st.text(max_size=8), texts),
    max_size=30,
).map(dict)


@given(mixed)
def test_no_value_is_lost_where_conventions_mix(attributes: dict[str, Any]) -> None:
    """Two instrumentors of one call, half-written spans, odd values under known names."""
    span = Span("a" * 32, "b" * 16, None, "s", START, START, attributes)
    kept = set(leaves(dataclasses.asdict(event_fields(span))))
    kept |= {each / 1e3 for each in kept if type(each) is float}  # seconds became milliseconds
    for name, value in attributes.items():
        missing = set(leaves(value)) - kept - PART_TYPES
        assert not missing, f"{name}: {missing}"


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_mapping_leaves_the_span_as_it_is(convention: str) -> None:
    """A span's attributes are read, never changed."""
    for span in spans(convention):
        before = orjson.dumps(span.attributes)
        first, second = event_fields(span), event_fields(span)
        assert orjson.dumps(span.attributes) == before
        assert first == second


@pytest.mark.parametrize(
    ("convention", "name"),
    [
        ("genai", "chat gpt-4o-mini"),
        ("openllmetry", "openai.chat"),
        ("openinference", "ChatCompletion"),
        ("logfire", "Chat Completion with {request_data[model]!r}"),
    ],
)
def test_a_chat_looks_the_same_in_every_convention(convention: str, name: str) -> None:
    """Four instrumentors of one call give the same messages, model, parameters and tokens."""
    fields = fields_of(convention, name)
    assert fields.event_type == "model"
    assert fields.inputs == {
        "chat_history": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What do bees see?"},
        ]
    }
    assert fields.outputs["role"] == "assistant"
    assert fields.outputs["content"] == "Bees see ultraviolet."
    assert (fields.config["model"], fields.config["provider"]) == ("gpt-4o-mini", "openai")
    assert fields.config["hyperparameters"]["temperature"] == 0.2
    counts = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens")
    assert [fields.metadata[name] for name in counts] == [21, 7, 28, 4]
    assert (fields.project, fields.source) == ("bot", "staging")


@pytest.mark.parametrize("convention", ["genai", "openllmetry", "openinference", "pydantic_ai"])
def test_a_tool_call_has_openais_shape(convention: str) -> None:
    """The call that a model asks for is a `tool_calls` entry with its arguments in JSON."""
    outputs = next(
        fields.outputs
        for fields in map(event_fields, spans(convention))
        if "tool_calls" in fields.outputs
    )
    (call,) = outputs["tool_calls"]
    assert call["id"] == "call_1"
    assert call["function"]["name"] == "weather"
    assert orjson.loads(call["function"]["arguments"]) == {"city": "bees"}


@pytest.mark.parametrize("convention", ["genai", "openllmetry", "openinference"])
def test_a_streamed_answer_has_its_first_token(convention: str) -> None:
    """Of a stream, the time to the first token is a metric in milliseconds."""
    timed = [f for f in map(event_fields, spans(convention)) if "time_to_first_token" in f.metrics]
    (fields,) = timed
    assert 40 < fields.metrics["time_to_first_token"] < 60
    assert fields.outputs["content"] == "Bees see ultraviolet."


def test_an_agent_run_is_a_chain_with_a_conversation() -> None:
    """pydantic-ai's run shows the messages before the answer, and the answer as its output."""
    fields = fields_of("pydantic_ai", "invoke_agent bee")
    assert fields.event_type == "chain"
    assert [m["role"] for m in fields.inputs["chat_history"]] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    assert fields.outputs["content"] == "Bees see ultraviolet."
    assert fields.conversation == fields.metadata["gen_ai.conversation.id"]
    assert "prompt_tokens" not in fields.metadata  # the sum of the calls inside is theirs


def test_a_langchain_prompt_and_chain_are_chains() -> None:
    """OpenInference's PROMPT and CHAIN spans keep their values as inputs and outputs."""
    chain = fields_of("openinference", "RunnableSequence")
    assert (chain.event_type, chain.inputs) == ("chain", {"value": "bees?"})
    assert chain.outputs["data"]["content"] == "Bees see ultraviolet."


def test_embeddings_have_their_texts_and_vectors() -> None:
    """OpenInference's flattened embeddings become lists."""
    fields = fields_of("openinference", "CreateEmbeddings")
    assert fields.inputs == {"input": ["a", "b"]}
    assert [len(vector) for vector in fields.outputs["embeddings"]] == [8, 8]


def test_honeyhives_buckets() -> None:
    """The attributes of HoneyHive's tracers fill the fields they are named after."""
    (fields,) = map(event_fields, spans("honeyhive"))
    assert (fields.event_type, fields.event_name) == ("model", "summarise")
    assert (fields.project, fields.source) == ("bees", "dev")
    assert fields.session_id == "6a1b7c1e-3f0b-4f43-8f33-5f8f4a1d2c3b"
    assert fields.inputs == {"question": "What do bees see?", "docs": ["first", "second"]}
    assert fields.outputs == {"result": {"text": "ultraviolet"}}
    assert fields.metrics == {"score": 0.5}
    assert fields.user_properties == {"user_id": "u1"}
    assert fields.feedback == {"rating": 5}
    assert fields.metadata["tier"] == "gold"
