"""Messages: every provider's and framework's are read as the same few types."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from honeytrace._display.messages import Message, conversation, messages
from honeytrace._display.pieces import (
    Data,
    Image,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    call_text,
    is_pixels,
    piece,
)

HI = Message("user", [Text("hi")])
YES = Message("assistant", [Text("yes")])
CALL = Message("assistant", [ToolCall("add", {"a": 1}, "c1")])
ANSWER = Message("tool", [ToolResult({"sum": 2}, "c1")])
PNG = "data:image/png;base64,AAAA"
FUNCTION = {"name": "add", "arguments": '{"a": 1}'}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # OpenAI, chat completions
        ([{"role": "user", "content": "hi"}], [HI]),
        ({"role": "assistant", "content": "yes"}, [YES]),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a"}, "b"]}],
            [Message("user", [Text("a"), Text("b")])],
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}],
            [Message("user", [Image(PNG)])],
        ),
        (
            [{"role": "assistant", "content": None,
              "tool_calls": [{"id": "c1", "type": "function", "function": FUNCTION}]}],
            [CALL],
        ),
        (
            [{"role": "tool", "tool_call_id": "c1", "content": '{"sum": 2}'}],
            [ANSWER],
        ),
        (
            [{"index": 0, "finish_reason": "stop",
              "message": {"role": "assistant", "content": "yes"}}],
            [YES],
        ),
        (
            [{"role": "developer", "content": "Be brief."}],
            [Message("system", [Text("Be brief.")])],
        ),
        # OpenAI, streamed
        (
            [{"object": "chat.completion.chunk", "choices": [{"delta": {"content": text}}]}
             for text in ("y", "es")],
            [YES],
        ),
        (
            [{"choices": [{"delta": {"tool_calls": [each]}}]} for each in (
                {"index": 0, "id": "c1", "function": {"name": "add", "arguments": '{"a"'}},
                {"index": 0, "function": {"arguments": ": 1}"}},
            )],
            [CALL],
        ),
        # OpenAI, Responses
        (
            [{"type": "message", "role": "assistant",
              "content": [{"type": "output_text", "text": "yes", "annotations": []}]}],
            [YES],
        ),
        ([{"type": "function_call", "call_id": "c1", **FUNCTION}], [CALL]),
        ([{"type": "function_call_output", "call_id": "c1", "output": '{"sum": 2}'}], [ANSWER]),
        (
            [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}],
            [Message("assistant", [Thought("hm")])],
        ),
        (
            [{"role": "user", "content": [{"type": "input_image", "image_url": PNG}]}],
            [Message("user", [Image(PNG)])],
        ),
        (
            [{"type": "response.output_text.delta", "delta": text} for text in ("y", "es")],
            [YES],
        ),
        # Anthropic
        (
            [{"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "…"},
                {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}}]}],
            [Message("assistant", [Thought("hm"), *CALL.pieces])],
        ),
        (
            [{"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1",
                 "content": [{"type": "text", "text": '{"sum": 2}'}]}]}],
            [Message("user", ANSWER.pieces)],
        ),
        (
            [{"role": "user", "content": [{"type": "image", "source": {
                "type": "base64", "media_type": "image/png", "data": "AAAA"}}]}],
            [Message("user", [Image(PNG)])],
        ),
        (
            [{"type": "content_block_start", "index": 0, "content_block": {
                "type": "tool_use", "id": "c1", "name": "add", "input": {}}},
             {"type": "content_block_delta", "index": 0, "delta": {
                 "type": "input_json_delta", "partial_json": '{"a": 1}'}}],
            [CALL],
        ),
        # Gemini
        ([{"role": "model", "parts": [{"text": "yes"}]}], [YES]),
        (
            [{"content": {"role": "model", "parts": [{"text": "yes"}]}, "finish_reason": "STOP"}],
            [YES],
        ),
        (
            [{"role": "model", "parts": [{"function_call": {"name": "add", "args": {"a": 1}}}]}],
            [Message("assistant", [ToolCall("add", {"a": 1})])],
        ),
        (
            [{"role": "user", "parts": [
                {"functionResponse": {"name": "add", "response": {"sum": 2}}},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}],
            [Message("user", [ToolResult({"sum": 2}, name="add"), Image(PNG)])],
        ),
        # Bedrock Converse
        (
            [{"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "c1", "name": "add", "input": {"a": 1}}}]}],
            [CALL],
        ),
        (
            [{"role": "user", "content": [
                {"toolResult": {"toolUseId": "c1", "content": [{"json": {"sum": 2}}]}}]}],
            [Message("user", ANSWER.pieces)],
        ),
        # OpenTelemetry
        ([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}], [HI]),
        (
            [{"role": "assistant", "parts": [
                {"type": "tool_call", "id": "c1", "name": "add", "arguments": {"a": 1}}]}],
            [CALL],
        ),
        (
            [{"role": "tool", "parts": [
                {"type": "tool_call_response", "id": "c1", "result": {"sum": 2}}]}],
            [ANSWER],
        ),
        (
            [{"role": "user", "parts": [
                {"type": "blob", "modality": "image", "mime_type": "image/png",
                 "content": "AAAA"}]}],
            [Message("user", [Image(PNG)])],
        ),
        # LangChain
        ([{"type": "human", "content": "hi"}], [HI]),
        ([[{"type": "human", "content": "hi"}]], [HI]),
        ([{"type": "human", "data": {"content": "hi"}}], [HI]),
        (
            [{"lc": 1, "type": "constructor",
              "id": ["langchain", "schema", "messages", "HumanMessage"],
              "kwargs": {"content": "hi"}}],
            [HI],
        ),
        ([{"__type__": "HumanMessage", "content": "hi"}], [HI]),
        (
            [{"type": "ai", "content": "", "id": None,
              "tool_calls": [{"name": "add", "args": {"a": 1}, "id": "c1"}]}],
            [CALL],
        ),
        (
            [[{"text": "yes", "message": {"type": "ai", "content": "yes"}}]],
            [YES],
        ),
        (
            [{"type": "tool", "tool_call_id": "c1", "content": '{"sum": 2}'}],
            [ANSWER],
        ),
        # LlamaIndex
        ([{"role": "user", "blocks": [{"block_type": "text", "text": "hi"}]}], [HI]),
        (
            {"message": {"role": "assistant", "blocks": [{"block_type": "text", "text": "yes"}]},
             "raw": {"id": 1}},
            [YES],
        ),
        # pydantic-ai
        (
            [{"kind": "request", "parts": [
                {"part_kind": "system-prompt", "content": "Be brief."},
                {"part_kind": "user-prompt", "content": "hi"}]}],
            [Message("system", [Text("Be brief.")]), HI],
        ),
        (
            [{"kind": "response", "parts": [
                {"part_kind": "tool-call", "tool_name": "add", "args": '{"a": 1}',
                 "tool_call_id": "c1"}]}],
            [CALL],
        ),
        (
            [{"kind": "request", "parts": [
                {"part_kind": "tool-return", "tool_name": "add", "content": {"sum": 2},
                 "tool_call_id": "c1"}]}],
            [Message("tool", [ToolResult({"sum": 2}, "c1", "add")])],
        ),
    ],
)  # fmt: skip
def test_messages_of_every_house(value: Any, expected: list[Message]) -> None:
    """The forms of all providers and frameworks are read as the same messages."""
    found = messages(value)
    assert [(each.role, list(each.pieces)) for each in found] == [
        (each.role, list(each.pieces)) for each in expected
    ]


@pytest.mark.parametrize(
    ("value", "roles", "rest"),
    [
        (
            {"model": "m", "system": [{"type": "text", "text": "Be brief."}],
             "messages": [{"role": "user", "content": "hi"}]},
            ["system", "user"], {"model": "m"},
        ),
        (
            {"contents": [{"role": "user", "parts": [{"text": "hi"}]}],
             "system_instruction": {"parts": [{"text": "Be brief."}]}},
            ["system", "user"], {},
        ),
        ({"model": "m", "input": "hi", "instructions": "Be brief."},
         ["system", "user"], {"model": "m"}),
        ({"object": "response", "output": [{"type": "function_call", **FUNCTION}]},
         ["assistant"], {"object": "response"}),
    ],
)  # fmt: skip
def test_a_request_keeps_what_stands_beside_its_messages(
    value: dict[str, Any], roles: list[str], rest: dict[str, Any]
) -> None:
    """The system prompt comes first, and the settings are left over."""
    found = conversation(value)
    assert found is not None
    assert [message.role for message in found.messages] == roles
    assert found.rest == rest


@pytest.mark.parametrize(
    "value", [{"system": "only"}, {"input": "text"}, {"messages": []}, {"output": [1]}, {}]
)
def test_a_value_without_messages_is_no_conversation(value: dict[str, Any]) -> None:
    """A system prompt or a text alone says nothing of a conversation."""
    assert conversation(value) is None


def test_unknown_content_is_kept() -> None:
    """A block that nobody knows stays as it is, beside the text."""
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA"}}
    (message,) = messages([{"role": "user", "content": ["hi", audio]}])
    assert list(message.pieces) == [Text("hi"), Data(audio)]
    assert message.text == "hi"
    assert message.others == [Data(audio)]


def test_a_call_reads_like_code() -> None:
    """Arguments stand in the line as far as they fit."""
    assert call_text(ToolCall("f", {"a": "x", "b": [1]})) == 'f(a="x", b=[1])'
    assert call_text(ToolCall("f", '{"a": "x')) == 'f("{\\"a\\": \\"x")'
    long = call_text(ToolCall("f", {"a": "x" * 500}))
    assert len(long) <= 160
    assert long.endswith("…)")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (PNG, True),
        ("data:image/svg+xml;base64,AAAA", False),
        ("data:text/html;base64,AAAA", False),
        ("https://example.com/a.png", False),
        ("data:image/png;base64,AA…[cut 90 characters]", False),
        ('data:image/png;base64,AA" onerror="x', False),
    ],
)
def test_only_pixels_are_shown(source: str, shown: bool) -> None:
    """An image that would make a request, run a script or is not whole is not put into a page."""
    assert is_pixels(source) is shown


names = st.sampled_from(
    ["role", "type", "content", "parts", "text", "tool_calls", "function", "name", "arguments",
     "kind", "part_kind", "message", "choices", "delta", "index", "image_url", "source", "id"]
)  # fmt: skip
said = st.sampled_from(
    ["user", "text", "tool_use", "tool_result", "request", "human", "image", "reasoning",
     "message_start", "response.x", "chat.completion.chunk", "data:image/png;base64,AA", ""]
)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | said,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=15,
)


@settings(max_examples=400)
@given(anything)
def test_reading_never_fails(value: Any) -> None:
    """Whatever JSON there is, it is read as messages or not; every piece is one of the known."""
    for message in messages(value):
        assert isinstance(message.role, str)
        assert isinstance(message.text, str)
    if isinstance(value, dict):
        conversation(value)
    assert piece(value) is not None
