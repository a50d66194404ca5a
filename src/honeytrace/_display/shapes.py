"""Recognise the shapes of recorded values: a conversation, documents, text, or JSON.

`parts(session.inputs)` gives one `Part` for each thing worth drawing by itself; the notebook and
the viewer draw the same parts. Detection never fails: an unknown shape is JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from .messages import Conversation, Message, conversation, listed, messages

__all__ = ["Document", "Message", "Part", "parts", "table_columns"]

_COLUMNS = 8
"""Fields of a record that still fit a table side by side."""

_TEXT = ("page_content", "text", "content", "document", "chunk", "passage", "snippet", "body")
_TITLE = ("title", "source", "topic", "name", "file", "filename", "path", "url", "id")
_SCORE = ("score", "relevance_score", "relevance", "similarity", "distance")
_LONG = 40
"""Characters from which on a list of strings is rather documents than values."""


class Document(NamedTuple):
    """One retrieved document or passage. `rest` has its other fields, such as metadata."""

    text: str
    title: str
    score: float | None
    rest: Mapping[str, Any]


class Part(NamedTuple):
    """One value under its path (`question`, `request.messages`), and how to draw it.

    `value` is always the value itself. For `text` it is a string, for `image` the address of an
    image, for `table` a list of objects that have the same plain fields.
    """

    key: str
    kind: Literal["chat", "documents", "table", "text", "image", "json"]
    value: Any
    messages: Sequence[Message] = ()
    """For `chat`."""
    documents: Sequence[Document] = ()
    """For `documents`."""
    columns: Sequence[str] = ()
    """For `table`: the names of the fields, in the order in which they first occur."""


def parts(fields: Mapping[str, Any]) -> list[Part]:
    """The parts of `inputs`, `outputs` or another object, in order.

    A conversation is also found one level down (`{"model": …, "messages": […]}`, the `choices` of
    a completion), and where the object itself is a message or a request; its other fields
    follow.
    """
    if said := messages(fields) if "role" in fields else []:
        return [Part("message", "chat", fields, messages=said)]
    whole = conversation(fields)
    if whole is None or not whole.joined:
        return [part for key, value in fields.items() for part in _parts(key, value)]
    # there is a system prompt beside the messages, which belongs in front of them
    rest = [part for key, value in whole.rest.items() for part in _parts(key, value)]
    return [_chat("", fields, whole), *rest]


def _parts(key: str, value: Any) -> Iterator[Part]:
    if isinstance(value, str):
        yield Part(key, "image" if value.startswith("data:image/") else "text", value)
    elif said := messages(value):
        yield Part(key, "chat", value, messages=said)
    elif documents := _documents(value):
        yield Part(key, "documents", value, documents=documents)
    elif columns := table_columns(value):
        yield Part(key, "table", value, columns=columns)
    elif isinstance(value, dict) and (found := conversation(value)) is not None:
        yield _chat(key, value, found)
        if found.rest:
            yield Part(key, "json", dict(found.rest))
    else:
        yield Part(key, "json", value)


def _chat(key: str, value: Mapping[str, Any], found: Conversation) -> Part:
    path = ",".join(found.names)
    told = [value[name] for name in found.names]
    return Part(f"{key}.{path}" if key else path, "chat", told, messages=found.messages)


def table_columns(value: Any) -> list[str]:
    """The columns of a list of uniform records; empty where a table would not show the list well.

    Uniform means: two objects or more, at most eight fields in all, each of them a plain value and
    in most of the objects.
    """
    items = listed(value)
    if len(items) < 2 or not all(isinstance(item, dict) for item in items):
        return []
    names: dict[str, int] = {}
    for item in items:
        for name, inner in item.items():
            if isinstance(inner, (dict, list)) or (isinstance(inner, str) and len(inner) > 200):
                return []
            names[name] = names.get(name, 0) + 1
    names.pop("__type__", None)
    usual = sum(names.values()) * 4 >= len(items) * len(names) * 3
    return list(names) if 0 < len(names) <= _COLUMNS and usual else []


def _documents(value: Any) -> list[Document]:
    items = listed(value)
    if items and all(isinstance(item, str) for item in items):
        long = sum(map(len, items)) >= _LONG * len(items)
        return [Document(item, "", None, {}) for item in items] if long else []
    documents = [_document(item) for item in items]
    return [d for d in documents if d is not None] if all(documents) else []


def _document(item: Any) -> Document | None:
    score = None
    if isinstance(item, list) and len(item) == 2 and _is_number(item[1]):
        item, score = item
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("node"), dict):  # LlamaIndex: NodeWithScore
        item = {**item["node"], **{key: value for key, value in item.items() if key != "node"}}
    text = next((key for key in _TEXT if isinstance(item.get(key), str)), None)
    if text is None:
        return None
    rest = {key: value for key, value in item.items() if key not in (text, "__type__")}
    metadata = rest.get("metadata")
    for name in _TITLE:
        found = rest.get(name) or (metadata.get(name) if isinstance(metadata, dict) else None)
        if isinstance(found, (str, int)):
            rest.pop(name, None)
            break
    else:
        found = ""
    measured = next((key for key in _SCORE if _is_number(rest.get(key))), None)
    if score is None and measured is not None:
        score = rest.pop(measured)
    return Document(item[text], str(found), score, rest)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
