"""The pieces of a message: text, reasoning, tool calls, tool results, images, other content.

Each provider writes them in its own way; `piece` reads one of them, in any of these ways, into one
of six small types that the notebook, the command line and the viewer draw.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from .._base.lazy import pattern

__all__ = [
    "Data",
    "Image",
    "Piece",
    "Text",
    "Thought",
    "ToolCall",
    "ToolResult",
    "call_text",
    "content_pieces",
    "first",
    "function_call",
    "is_pixels",
    "piece",
    "result_value",
]


class Text(NamedTuple):
    """Words of the message."""

    text: str

    @property
    def kind(self) -> str:
        return "text"


class Thought(NamedTuple):
    """Reasoning that the model reports beside its answer."""

    text: str

    @property
    def kind(self) -> str:
        return "thought"


class ToolCall(NamedTuple):
    """A tool that the model asks for. `arguments` is an object wherever it can be read as one."""

    name: str
    arguments: Any
    id: str = ""

    @property
    def kind(self) -> str:
        return "call"


class ToolResult(NamedTuple):
    """The answer of a tool; `id` is that of the call, `name` is empty where it is not said."""

    value: Any
    id: str = ""
    name: str = ""
    failed: bool = False

    @property
    def kind(self) -> str:
        return "result"


class Image(NamedTuple):
    """An image: `source` is a `data:` URL with its content, or the address of a file elsewhere."""

    source: str

    @property
    def kind(self) -> str:
        return "image"


class Data(NamedTuple):
    """Content of another kind, as JSON: audio, files, provider-specific blocks."""

    value: Any

    @property
    def kind(self) -> str:
        return "data"


Piece = Text | Thought | ToolCall | ToolResult | Image | Data


_PIXELS = pattern(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]+", re.I)
"""SVG is missing on purpose: it is a document, with links and scripts, and not mere pixels."""


def is_pixels(source: str) -> bool:
    """Return True if this address holds a whole bitmap, which a page shows without a request."""
    return _PIXELS.fullmatch(source) is not None


def call_text(call: ToolCall, longest: int = 160) -> str:
    """The call as a line of code: `search_flights(from="AMS", to="LIS")`, cut to `longest`."""
    if isinstance(call.arguments, dict):
        inside = ", ".join(f"{k}={_literal(v)}" for k, v in list(call.arguments.items())[:20])
    else:
        inside = _literal(call.arguments)
    text = " ".join(f"{call.name}({inside[:longest]}".split())
    return f"{text})" if len(text) < longest else f"{text[: longest - 2]}…)"


def _literal(value: Any) -> str:
    return orjson.dumps(value).decode()


def content_pieces(content: Any) -> list[Piece]:
    """The pieces of a message's `content` or `parts`: text, one piece, or a list of them."""
    if content is None or content == "":
        return []
    return [piece(item) for item in (content if isinstance(content, list) else [content])]


def piece(item: Any) -> Piece:
    """One piece of content, in the form of any provider; unknown forms become `Data`."""
    if isinstance(item, str):
        return Text(item)
    if isinstance(item, dict):
        kind = first(item, "type", "part_kind", "block_type", "kind")
        reader = _BY_KIND.get(str(kind).replace("-", "_")) if kind else None
        found = reader(item) if reader else _by_key(item)
        if found is not None:
            return found
    return Data(item)


def function_call(item: Mapping[str, Any]) -> Piece | None:
    """A tool call: OpenAI's with its `function` inside, and every flat form."""
    function = item.get("function")
    inner = function if isinstance(function, dict) else item
    name = first(inner, "name", "tool_name", "toolName")
    if not isinstance(name, str):
        return None
    arguments = first(inner, "arguments", "args", "input", "parameters", "tool_kwargs", "tool_args")
    call_id = first(item, "call_id", "tool_call_id", "id", "toolUseId", "toolCallId", "tool_id")
    return ToolCall(name, _parsed(arguments), str(call_id or ""))


def first(item: Mapping[str, Any], *names: str) -> Any:
    """The first of these values that is there and says something."""
    return next((item[name] for name in names if item.get(name) not in (None, "")), None)


def _parsed(arguments: Any) -> Any:
    """Arguments that are JSON in a string, as OpenAI sends them; partial JSON stays text."""
    if not isinstance(arguments, str):
        return {} if arguments is None else arguments
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments


def _text(item: Mapping[str, Any]) -> Piece | None:
    text = first(item, "text", "content", "refusal")
    if isinstance(text, dict):  # OpenAI assistants: {"text": {"value": …}}
        text = text.get("value")
    if item.get("thought") is True and isinstance(text, str):  # Gemini
        return Thought(text)
    if text is None and any(name in item for name in ("text", "content")):
        text = ""
    return Text(text) if isinstance(text, str) else None


def _thought(item: Mapping[str, Any]) -> Piece | None:
    text = first(item, "thinking", "reasoning", "text", "content", "summary")
    if isinstance(text, list):  # OpenAI Responses: [{"type": "summary_text", "text": …}]
        said = [each.get("text") for each in text if isinstance(each, dict)]
        text = "\n\n".join(each for each in said if isinstance(each, str))
    if isinstance(text, dict):  # Bedrock: {"reasoningText": {"text": …}}
        inner = text.get("reasoningText", text)
        text = inner.get("text") if isinstance(inner, dict) else None
    return Thought(text) if isinstance(text, str) else None


def _result(item: Mapping[str, Any]) -> Piece:
    names = ("content", "output", "result", "response", "value", "tool_output")
    key = next((name for name in names if name in item), None)
    value = None if key is None else item[key]
    call_id = first(item, "tool_use_id", "tool_call_id", "call_id", "toolUseId", "toolCallId", "id")
    name = first(item, "name", "tool_name", "toolName")
    failed = item.get("is_error") is True or item.get("status") in ("error", "failed")
    return ToolResult(
        result_value(value), str(call_id or ""), name if isinstance(name, str) else "", failed
    )


def result_value(value: Any) -> Any:
    """Return a tool's result: text blocks are joined, and JSON inside text is parsed."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        texts = [each.get("text") for each in value if each.keys() <= {"type", "text", "__type__"}]
        if len(texts) == len(value) and all(isinstance(each, str) for each in texts):
            value = "\n\n".join(texts)
        elif len(value) == 1 and "json" in value[0]:  # Bedrock
            value = value[0]["json"]
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    if isinstance(value, dict) and value.keys() in ({"result"}, {"output"}):  # Gemini
        return next(iter(value.values()))
    return value


def _image(item: Mapping[str, Any]) -> Piece | None:
    inner = first(
        item, "image_url", "source", "image", "inline_data", "inlineData", "file_data", "fileData"
    )
    inner = item if inner is None else inner
    if isinstance(inner, str):
        kind = first(item, "image_mimetype", "media_type", "mime_type", "mimeType")
        return _image_of(inner, kind or "image/png")
    if not isinstance(inner, dict):
        return None
    address = first(inner, "url", "uri", "file_uri", "fileUri")
    kind = first(inner, "media_type", "mime_type", "mimeType", "mediaType")
    kind = kind or (f"image/{inner['format']}" if isinstance(inner.get("format"), str) else None)
    data = first(inner, "data", "content", "bytes", "base64", "source")
    if isinstance(data, dict):  # Bedrock: {"source": {"bytes": …}}
        data = data.get("bytes")
    source = address if isinstance(address, str) else data
    return _image_of(source, kind or "image/png") if isinstance(source, str) else None


def _image_of(source: str, kind: Any) -> Image | None:
    """None for content that is no image: a file, or audio."""
    if not str(kind).startswith("image/"):
        return None
    if source.startswith(("data:", "http:", "https:", "gs:", "s3:", "file:", "/")):
        return Image(source)
    return Image(f"data:{kind};base64,{source}")


def _by_key(item: Mapping[str, Any]) -> Piece | None:
    """Gemini and Bedrock name the kind of a part by its one key."""
    for names, read in _BY_KEY:
        inner = first(item, *names)
        if inner is not None:
            return read(inner if isinstance(inner, dict) else item)
    if item.keys() & {"inline_data", "inlineData", "file_data", "fileData", "image"}:
        return _image(item)
    if item.get("part_kind") is None and isinstance(item.get("text"), str):
        return _text(item)
    return None


Reader = Callable[[Mapping[str, Any]], "Piece | None"]

_BY_KEY: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (("function_call", "functionCall", "toolUse"), function_call),
    (("function_response", "functionResponse", "toolResult"), _result),
    (("reasoningContent",), lambda inner: _thought({"content": inner})),
)

_BY_KIND: Mapping[str, Reader] = {
    **dict.fromkeys(("text", "input_text", "output_text", "refusal", "summary_text"), _text),
    **dict.fromkeys(("thinking", "reasoning", "reasoning_text"), _thought),
    **dict.fromkeys(
        ("tool_use", "tool_call", "function_call", "server_tool_use", "function", "mcp_call"),
        function_call,
    ),
    **dict.fromkeys(
        (
            "tool_result",
            "tool_call_response",
            "function_call_output",
            "tool_return",
            "builtin_tool_return",
            "retry_prompt",
            "web_search_tool_result",
        ),
        _result,
    ),
    **dict.fromkeys(
        ("image_url", "input_image", "image", "blob", "uri", "binary", "media"), _image
    ),
    "builtin_tool_call": function_call,
}
