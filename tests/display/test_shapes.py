"""Shapes: what people would call a conversation or documents is found, and all else stays JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from honeytrace._display.shapes import Document, Part, parts

LONG = "A sentence that is longer than a mere value would be."


def one(value: Any) -> Part:
    (part,) = parts({"x": value})
    assert (part.key, part.value) == ("x", value)
    return part


def test_conversation_inside_a_request() -> None:
    """Messages beside a model's settings are found, the system prompt first, and the rest kept."""
    request = {
        "model": "small",
        "messages": [{"role": "user", "content": "hi"}],
        "system": "Be brief.",
    }
    chat, rest = parts({"request": request})
    assert (chat.key, chat.kind) == ("request.messages", "chat")
    assert [(m.role, m.text) for m in chat.messages] == [("system", "Be brief."), ("user", "hi")]
    assert (rest.key, rest.kind, rest.value) == ("request", "json", {"model": "small"})


@pytest.mark.parametrize(
    ("value", "document"),
    [
        ([{"text": "t", "title": "T", "score": 0.5}], Document("t", "T", 0.5, {})),
        (
            [{"page_content": "t", "metadata": {"source": "a.md", "page": 3}}],
            Document("t", "a.md", None, {"metadata": {"source": "a.md", "page": 3}}),
        ),
        (
            [[{"page_content": "t", "metadata": {}}, 0.25]],
            Document("t", "", 0.25, {"metadata": {}}),
        ),
        ([{"topic": "exceptions", "text": "t"}], Document("t", "exceptions", None, {})),
        ([{"id": 7, "content": "t", "lang": "en"}], Document("t", "7", None, {"lang": "en"})),
        ([LONG], Document(LONG, "", None, {})),
    ],
)
def test_documents_of_every_retriever(value: Any, document: Document) -> None:
    """A text under one of its usual names, what it is called, how well it fits, and the rest."""
    part = one(value)
    assert part.kind == "documents"
    assert list(part.documents) == [document]


def test_the_marker_of_a_cut_list_is_no_document() -> None:
    """What the snapshot left out is not taken for a document or a message."""
    cut = "…[cut 90 items]"
    assert len(one([{"text": "a"}, cut]).documents) == 1
    assert len(one([{"role": "user", "content": "a"}, cut]).messages) == 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        True,
        [],
        {},
        [1, 2],
        ["a", "b"],
        [{"a": 1}],
        [{"text": 1}],
        [{"text": "a"}, 1],
        [{"role": "user"}],
        [{"role": "user", "content": "a"}, {"b": 1}],
        {"type": "object", "content": {}},
        {"text": "alone"},
        [{"a": 1, "b": {"c": 2}}, {"a": 2, "b": {}}],
        {"system": "only"},
        {"messages": []},
    ],
)
def test_everything_else_is_json(value: Any) -> None:
    """A list is a conversation or documents as a whole or not at all."""
    assert one(value).kind == "json"


def test_uniform_records_are_a_table() -> None:
    """Objects that mostly have the same plain fields become the rows of one."""
    part = one([{"a": 1, "b": "x"}, {"a": 2, "c": None, "b": "y"}, {"a": 3, "b": "z", "c": 1}])
    assert part.kind == "table"
    assert part.columns == ["a", "b", "c"]
    assert one([{"a": 1}, {"z": 2}, {"q": 3}]).kind == "json"


def test_an_address_with_its_content_is_an_image() -> None:
    """A `data:` URL of an image is told apart from text."""
    assert one("data:image/png;base64,AAAA").kind == "image"


def test_an_object_that_is_a_message_is_one_message() -> None:
    """A call that returns `{"role", "content"}` has said something, not returned two fields."""
    (part,) = parts({"role": "assistant", "content": "Paris."})
    assert (part.kind, part.messages[0].text) == ("chat", "Paris.")


def test_the_system_prompt_beside_the_messages_comes_first() -> None:
    """Anthropic's and Gemini's requests have it in a field of its own."""
    asked = {"messages": [{"role": "user", "content": "hi"}], "system": "Be brief.", "model": "m"}
    chat, rest = parts(asked)
    assert [message.role for message in chat.messages] == ["system", "user"]
    assert (rest.key, rest.value) == ("model", "m")


def test_text_is_text() -> None:
    """A string is text, however short."""
    assert one("").kind == one(LONG).kind == "text"


keys = st.sampled_from(
    [
        "role",
        "type",
        "content",
        "parts",
        "text",
        "messages",
        "choices",
        "system",
        "metadata",
        "score",
    ]
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(0, 1)
    | st.sampled_from(["human", "user", LONG, "…[cut "]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from("ab"), anything, max_size=2))
def test_detection_never_fails(fields: dict[str, Any]) -> None:
    """Whatever JSON there is gets a part for each key, in order, filled as its kind says."""
    found = parts(fields)
    assert list(dict.fromkeys(part.key[0] for part in found)) == list(fields)
    for part in found:
        assert bool(part.columns) == (part.kind == "table")
        assert bool(part.messages) == (part.kind == "chat")
        assert bool(part.documents) == (part.kind == "documents")
        assert isinstance(part.value, str) == (part.kind == "text")


def said(value: dict[str, Any]) -> list[tuple[str, str]]:
    """Role and text of each message of a value."""
    return [(m.role, m.text) for part in parts(value) for m in part.messages]


@pytest.mark.parametrize(
    "request_",
    [
        {"model": "gpt-4.1", "instructions": "Plan.", "input": "A flight?"},
        {"model": "gemini", "config": {"system_instruction": "Plan."}, "contents": "A flight?"},
        {"model": "gemini", "config": {"system_instruction": {"parts": [{"text": "Plan."}]}},
         "contents": [{"role": "user", "parts": [{"text": "A flight?"}]}]},
        {"gen_ai.system_instructions": [{"type": "text", "content": "Plan."}],
         "gen_ai.input.messages": [
             {"role": "user", "parts": [{"type": "text", "content": "A flight?"}]}]},
    ],
)  # fmt: skip
def test_a_system_prompt_beside_the_messages(request_: dict[str, Any]) -> None:
    """It comes first, wherever a provider keeps it, also where the user's message is plain text."""
    assert said(request_) == [("system", "Plan."), ("user", "A flight?")]


def test_a_text_is_a_message_only_beside_a_model() -> None:
    """Any function may have an argument of that name."""
    assert said({"input": "x", "model": "m"}) == [("user", "x")]
    assert said({"input": "x"}) == []
    assert said({"contents": "x", "model": None}) == []
