"""Conversations: the messages of every provider and framework in use, as one type.

OpenAI chat completions and Responses, Anthropic, Gemini, Bedrock, OpenTelemetry's parts, LangChain,
LlamaIndex and pydantic-ai; requests, replies, and the chunks of streamed replies. `_pieces` reads
the content of one message, this module everything around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from .chunks import joined
from .pieces import (
    Data,
    Piece,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    content_pieces,
    first,
    function_call,
    piece,
    result_value,
)

__all__ = ["Conversation", "Message", "conversation", "listed", "messages"]

_ROLES = {
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "developer": "system",
    "function": "tool",
    "HumanMessage": "user",
    "HumanMessageChunk": "user",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
    "system-prompt": "system",
    "user-prompt": "user",
}
_TYPED = (*_ROLES, "system", "tool", "assistant", "user")
"""Values of `type` that name a role."""

_ITEMS = {
    "function_call": "assistant",
    "function_call_output": "tool",
    "reasoning": "assistant",
    "mcp_call": "assistant",
    "tool_use": "assistant",
    "tool_result": "tool",
}
"""Items of OpenAI's Responses API that stand beside messages, and whose turn each of them is."""

_REQUEST = ("messages", "contents", "chat_history", "new_messages", "input",
            "gen_ai.input.messages")  # fmt: skip
_REPLY = ("choices", "candidates", "generations", "output", "output_messages",
          "gen_ai.output.messages")  # fmt: skip
_SYSTEM = ("system", "system_instruction", "systemInstruction", "system_instructions",
           "instructions", "system_prompt", "gen_ai.system_instructions")  # fmt: skip
_PROMPTS = ("input", "contents")
"""Names under which a request to OpenAI's Responses API or to Gemini may hold plain text."""


class Message(NamedTuple):
    """One turn of a conversation. `rest` has its other fields: a name, ids, usage."""

    role: str
    """`system`, `user`, `assistant` or `tool`, or the program's own."""
    pieces: Sequence[Piece]
    rest: Mapping[str, Any] = MappingProxyType({})

    @property
    def text(self) -> str:
        """The words of the message alone."""
        return "\n\n".join(each.text for each in self.pieces if isinstance(each, Text))

    @property
    def others(self) -> list[Piece]:
        """Everything in the message but its words."""
        return [each for each in self.pieces if not isinstance(each, Text)]


class Conversation(NamedTuple):
    """The messages that a value holds, the names they stood under, and the rest of the value."""

    messages: Sequence[Message]
    names: Sequence[str]
    rest: Mapping[str, Any]
    joined: bool
    """True if the messages are more than the value under one name: there is a system prompt beside
    them, or a plain text is the user's message."""


def conversation(value: Mapping[str, Any]) -> Conversation | None:
    """The messages of a request or a reply, the system prompt first; None where there are none.

    A system prompt alone, or a text under `input` without a model, is not a conversation.
    """
    found: dict[str, list[Message]] = {}
    for name in (*_REQUEST, *_REPLY):
        if said := messages(value.get(name)):
            found[name] = said
    prompt = None if found or not isinstance(value.get("model"), str) else _prompt(value)
    if prompt is not None:
        found[prompt] = [Message("user", [Text(value[prompt])])]
    if not found:
        return None
    config = value.get("config")  # of Gemini
    system: dict[str, list[Message]] = {}
    for name in _SYSTEM:
        inside = config.get(name) if isinstance(config, dict) else None
        if said := _system(value.get(name)) or _system(inside):
            system[name] = said
    everything = system | found
    return Conversation(
        [message for said in everything.values() for message in said],
        list(found),
        {name: item for name, item in value.items() if name not in everything},
        bool(system) or prompt is not None,
    )


def _prompt(value: Mapping[str, Any]) -> str | None:
    """Return the name under which a request holds plain text."""
    return next((name for name in _PROMPTS if isinstance(value.get(name), str)), None)


def _system(value: Any) -> list[Message]:
    """A system prompt: text, text blocks, or Gemini's `{"parts": […]}`."""
    if isinstance(value, dict) and isinstance(value.get("parts"), list):
        value = value["parts"]
    if not isinstance(value, (str, list)) or not value:
        return []
    said = content_pieces(value)
    return [Message("system", said)] if all(isinstance(each, Text) for each in said) else []


def messages(value: Any) -> list[Message]:
    """The messages of a list, or of a value that is one message; empty where it is neither."""
    items = listed([value] if isinstance(value, dict) else value)
    while len(items) == 1 and isinstance(items[0], list):
        items = listed(items[0])  # LangChain nests batches and generations
    if whole := joined(items):
        items = whole
    found: list[Message] = []
    for item in items:
        read = _read(item)
        if not read:
            return []
        found += read
    return found


def listed(value: Any) -> list[Any]:
    """The items of a list, without the marker that the snapshot leaves for those it cut."""
    if not isinstance(value, list):
        return []
    cut = len(value) > 1 and isinstance(value[-1], str) and value[-1].startswith("…[cut ")
    return value[:-1] if cut else value


def _read(item: Any) -> list[Message]:
    """The messages of one item; empty where it is not an item of a conversation."""
    if not isinstance(item, dict):
        return []
    for name in ("message", "content", "kwargs", "data"):  # wrapped: see `_wraps`
        inner = item.get(name)
        if isinstance(inner, dict) and _wraps(item, name):
            typed = {} if "role" in inner or "type" in inner else {"type": _type_of(item)}
            return _read({**typed, **inner})
    if item.get("kind") in ("request", "response") and isinstance(item.get("parts"), list):
        return _pydantic_ai(item)
    if str(item.get("type")) in _ITEMS:
        one = piece(item)
        return [] if isinstance(one, Data) else [Message(_ITEMS[str(item["type"])], [one])]
    message = _message(item)
    return [] if message is None else [message]


def _wraps(item: Mapping[str, Any], name: str) -> bool:
    """Return True if the message is inside: choices, candidates, generations, LangChain."""
    if name == "message":
        return bool({"finish_reason", "index", "text", "raw", "logprobs"} & item.keys()) or (
            len(item) == 1
        )
    if name == "content":  # Gemini's candidates
        return "parts" in item["content"] and "role" not in item
    if name == "kwargs":
        return item.get("type") == "constructor" and "lc" in item
    return item.get("type") in _TYPED and item.keys() <= {"type", "data"}


def _type_of(item: Mapping[str, Any]) -> Any:
    path = item.get("id")
    return path[-1] if isinstance(path, list) and path else item.get("type")


def _message(item: Mapping[str, Any]) -> Message | None:
    role = item.get("role")
    if isinstance(role, dict):  # an enum's snapshot
        role = role.get("value")
    used = {"role", "content", "parts", "blocks", "__type__", "tool_calls", "function_call"}
    if not isinstance(role, str):
        role = next((item[k] for k in ("type", "__type__") if item.get(k) in _TYPED), None)
        used.add("type")
    elif item.get("type") == "message":
        used.add("type")
    content = next((item[k] for k in ("content", "parts", "blocks") if k in item), None)
    calls = _tool_calls(item)
    if role is None or not (content is not None or calls or "tool_calls" in item):
        return None
    if isinstance(content, dict) and isinstance(piece(content), Data):
        return None
    role = _ROLES.get(role, role)
    said = content_pieces(content)
    if role == "tool" and not any(isinstance(each, ToolResult) for each in said):
        call_id, name = first(item, "tool_call_id", "call_id"), first(item, "name")
        failed = item.get("status") == "error"
        said = [ToolResult(result_value(content), str(call_id or ""), str(name or ""), failed)]
        used |= {"tool_call_id", "call_id", "name", "status"}
    if isinstance(item.get("reasoning_content"), str):
        said = [Thought(item["reasoning_content"]), *said]
        used.add("reasoning_content")
    if isinstance(item.get("refusal"), str):
        said.append(Text(item["refusal"]))
        used.add("refusal")
    known = {each.id for each in said if isinstance(each, ToolCall) and each.id}
    said += [each for each in calls if not (isinstance(each, ToolCall) and each.id in known)]
    rest = {k: v for k, v in item.items() if k not in used and v not in (None, [], {})}
    return Message(role, said, rest)


def _tool_calls(item: Mapping[str, Any]) -> list[Piece]:
    """The calls that stand beside the content: OpenAI's, and LangChain's and LlamaIndex's copy."""
    more = item.get("additional_kwargs")
    for holder in (item, more if isinstance(more, dict) else {}):
        calls = listed(holder.get("tool_calls"))
        if not calls and isinstance(holder.get("function_call"), dict):
            calls = [holder["function_call"]]
        if calls:
            read = (function_call(each) if isinstance(each, dict) else None for each in calls)
            return [Data(call) if each is None else each
                    for each, call in zip(read, calls, strict=True)]  # fmt: skip
    return []


def _pydantic_ai(item: Mapping[str, Any]) -> list[Message]:
    """One request holds parts of several roles; a response is the model's turn."""
    turns: list[tuple[str, list[Piece]]] = []
    for part in listed(item["parts"]):
        kind = part.get("part_kind") if isinstance(part, dict) else None
        if item["kind"] == "response":
            role = "assistant"
        elif kind in ("tool-return", "retry-prompt"):
            role = "tool"
        else:
            role = _ROLES.get(str(kind), "user")
        if kind in ("user-prompt", "system-prompt"):
            said = content_pieces(part.get("content"))
        else:
            said = [piece(part)]
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(said)
        else:
            turns.append((role, said))
    return [Message(role, said) for role, said in turns]
