"""What recorded values look like to people: a conversation, retrieved documents, text, or JSON.

`parts(session.inputs)` gives one `Part` for each thing worth drawing by itself; the notebook and
the viewer draw the same parts. Detection never fails: what it does not know is JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Document", "Message", "Part", "parts"]

_ROLES = {"human": "user", "ai": "assistant", "model": "assistant"}
_TEXT = ("page_content", "text", "content", "document", "chunk", "passage", "snippet", "body")
_TITLE = ("title", "source", "topic", "name", "file", "filename", "path", "url", "id")
_SCORE = ("score", "relevance_score", "relevance", "similarity", "distance")
_LONG = 40
"""Characters from which on a list of strings is rather documents than values."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation. `rest` is what else it has: tool calls, a name, usage."""

    role: str
    text: str
    rest: Mapping[str, Any]


@dataclass(frozen=True)
class Document:
    """One retrieved document or passage. `rest` is what else it has, such as metadata."""

    text: str
    title: str
    score: float | None
    rest: Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """One value under its path (`question`, `request.messages`), and how to draw it.

    `value` is always the value itself; `messages` is filled for `chat`, `documents` for
    `documents`; for `text` the value is the string.
    """

    key: str
    kind: Literal["chat", "documents", "text", "json"]
    value: Any
    messages: Sequence[Message] = field(default=())
    documents: Sequence[Document] = field(default=())


def parts(fields: Mapping[str, Any]) -> list[Part]:
    """The parts of `inputs`, `outputs` or another object, in order.

    A conversation is also found one level down (`{"model": …, "messages": […]}`, the `choices` of
    a completion); what stands beside it follows as JSON.
    """
    return [part for key, value in fields.items() for part in _parts(key, value)]


def _parts(key: str, value: Any) -> Iterator[Part]:
    if isinstance(value, str):
        yield Part(key, "text", value)
        return
    if messages := _messages(value):
        yield Part(key, "chat", value, messages=messages)
    elif documents := _documents(value):
        yield Part(key, "documents", value, documents=documents)
    elif isinstance(value, dict):
        yield from _inside(key, value)
    else:
        yield Part(key, "json", value)


def _inside(key: str, value: dict[str, Any]) -> Iterator[Part]:
    found = {
        name: messages
        for name in ("system", "messages", "contents", "choices")
        if (messages := _messages(value.get(name), plain="system" if name == "system" else None))
    }
    if found.keys() <= {"system"}:
        yield Part(key, "json", value)
        return
    said = [message for messages in found.values() for message in messages]
    names = ",".join(name for name in found if name != "system")
    yield Part(f"{key}.{names}", "chat", [value[name] for name in found], messages=said)
    rest = {name: item for name, item in value.items() if name not in found}
    if rest:
        yield Part(key, "json", rest)


def _messages(value: Any, plain: str | None = None) -> list[Message]:
    """The messages of a conversation; empty when it is none. `plain`: the role of a mere string."""
    if plain is not None and isinstance(value, str):
        return [Message(plain, value, {})]
    items = _items([value] if isinstance(value, dict) else value)
    messages = [_message(item) for item in items]
    return [m for m in messages if m is not None] if all(messages) else []


def _message(item: Any) -> Message | None:
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("message"), dict) and ("finish_reason" in item or "index" in item):
        return _message(item["message"])  # one of a completion's choices
    role = next((item[k] for k in ("role", "type") if isinstance(item.get(k), str)), None)
    content = next((item[k] for k in ("content", "parts") if k in item), None)
    if role is None or not (content is not None or "tool_calls" in item or "function_call" in item):
        return None
    if "role" not in item and role not in (*_ROLES, "system", "tool", "function"):
        return None
    used = ("role", "content", "parts", "__type__", *(() if "role" in item else ("type",)))
    rest = {
        key: value for key, value in item.items() if key not in used and value not in (None, [])
    }
    text, others = _content(content)
    if others:
        rest["content"] = others
    return Message(_ROLES.get(role, role), text, rest)


def _content(content: Any) -> tuple[str, list[Any]]:
    """What a message says, and what it carries besides: images, tool uses."""
    if content is None or isinstance(content, str):
        return content or "", []
    texts, others = [], []
    for piece in content if isinstance(content, list) else [content]:
        text = piece.get("text") if isinstance(piece, dict) else piece
        if isinstance(text, str):
            texts.append(text)
        else:
            others.append(piece)
    return "\n\n".join(texts), others


def _documents(value: Any) -> list[Document]:
    items = _items(value)
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


def _items(value: Any) -> list[Any]:
    """The items of a list, without the marker of those that were cut."""
    if not isinstance(value, list):
        return []
    cut = len(value) > 1 and isinstance(value[-1], str) and value[-1].startswith("…[cut ")
    return value[:-1] if cut else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
