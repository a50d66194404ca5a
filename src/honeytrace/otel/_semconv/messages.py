"""Messages of every convention to one shape: OpenAI's `{role, content, tool_calls}`.

That shape is the one HoneyHive documents for `inputs.chat_history` and for a chat's outputs.
"""

from __future__ import annotations

from typing import Any

import orjson

from .nesting import parsed

_TEXT = frozenset(("type", "content"))
_PLAIN = 2
"""Members of a message that has a role and a content."""
_CALL = frozenset(("type", "id", "name", "arguments"))
_RESPONSE = frozenset(("type", "id", "name", "result", "response", "content"))


def chat_history(messages: Any) -> list[dict[str, Any]]:
    """A conversation from a list of messages, given as such or as its JSON."""
    messages = parsed(messages)
    if type(messages) is not list:
        messages = [messages]
    return [made for message in messages for made in _chat_messages(message)]


def system_message(instructions: Any) -> list[dict[str, Any]]:
    """The system message from `gen_ai.system_instructions`: a list of parts, or a text."""
    instructions = parsed(instructions)
    if type(instructions) is list:
        return _chat_messages({"role": "system", "parts": instructions})
    return [{"role": "system", "content": instructions}]


def answer(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The outputs of a call that answered with these messages."""
    return messages[0] if len(messages) == 1 else {"choices": messages}


def _chat_messages(message: Any) -> list[dict[str, Any]]:
    """One message in any known shape; responses of several tools become a message each."""
    if type(message) is not dict:
        return [{"role": "user", "content": message}]
    inner = message.get("message")
    if type(inner) is dict:  # OpenInference wraps, and so does `gen_ai.choice`
        message = {**message, **inner} if len(message) > 1 else dict(inner)
        if message.get("message") is inner:
            del message["message"]
    if len(message) == _PLAIN and type(message.get("role")) is str:
        text = _only_text(message)
        if text is not None:
            return [{"role": message["role"], "content": text}]
    made = {key: value for key, value in message.items() if value is not None}
    parts = made.pop("parts", None)
    if type(parts) is list:
        return _from_parts(made, parts)
    contents = made.pop("contents", None)
    if contents is not None:
        made["content"] = _contents(contents)
    elif "content" in made:
        content = parsed(made["content"])
        made["content"] = content if type(content) is list else made["content"]
    if "tool_calls" in made:
        calls = parsed(made["tool_calls"])
        made["tool_calls"] = [_tool_call(c) for c in calls] if type(calls) is list else calls
    return [made]


def _only_text(message: dict[str, Any]) -> str | None:
    """Return the text of a message that is nothing else, as most are."""
    content = message.get("content")
    if type(content) is str:
        return None if content.startswith("[") else content
    parts = message.get("parts")
    if type(parts) is list and len(parts) == 1 and _is_text(parts[0]):
        text = parts[0]["content"]
        return text if type(text) is str else None
    return None


def _from_parts(made: dict[str, Any], parts: list[Any]) -> list[dict[str, Any]]:
    """The messages of a GenAI message, whose content is a list of typed parts."""
    if len(parts) == 1 and _is_text(parts[0]):
        return [{"role": made.pop("role", "user"), "content": parts[0]["content"], **made}]
    rest: list[Any] = []
    calls: list[Any] = []
    responses: list[dict[str, Any]] = []
    for part in parts:
        kind = part.get("type") if type(part) is dict else None
        if _is_text(part):
            rest.append({"type": "text", "text": part["content"]})
        elif kind == "tool_call" and part.keys() <= _CALL:
            calls.append(_tool_call(part))
        elif kind == "tool_call_response" and part.keys() <= _RESPONSE:
            responses.append(_tool_response(part))
        else:
            rest.append(part)
    made = {"role": made.pop("role", "user"), **made}
    if len(rest) == 1 and type(rest[0]) is dict and rest[0].keys() == {"type", "text"}:
        made["content"] = rest[0]["text"]
    elif rest:
        made["content"] = rest
    if calls:
        made["tool_calls"] = calls
    for key in ("finish_reason", "name"):  # a reader looks for the content first
        if key in made:
            made[key] = made.pop(key)
    if responses and not rest and not calls:
        shared = {key: value for key, value in made.items() if key != "role"}
        return [{**shared, **response} for response in responses]
    return [made, *responses]


def _is_text(part: Any) -> bool:
    if type(part) is not dict or len(part) != len(_TEXT):
        return False
    return "content" in part and part.get("type") == "text"


def _tool_call(call: Any) -> Any:
    """A call in OpenAI's shape, whose arguments are a JSON text."""
    if type(call) is not dict:
        return call
    call = call.get("tool_call", call) if len(call) == 1 else call
    if type(call) is not dict or "function" in call or "name" not in call:
        return call
    made = {key: value for key, value in call.items() if key not in ("name", "arguments", "type")}
    arguments = call.get("arguments")
    if arguments is not None and type(arguments) is not str:
        arguments = orjson.dumps(arguments).decode()
    function = {"name": call["name"], "arguments": arguments}
    return {**made, "type": "function", "function": function}


def _tool_response(part: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"role": "tool"}
    if part.get("id") is not None:
        made["tool_call_id"] = part["id"]
    if part.get("name") is not None:
        made["name"] = part["name"]
    results = [part[key] for key in ("result", "response", "content") if key in part]
    if results:
        made["content"] = results[0] if len(results) == 1 else results
    return made


def _contents(contents: Any) -> Any:
    """OpenInference's `contents`: one text becomes a string, the rest stay typed parts."""
    if type(contents) is not list:
        return contents
    parts = [c.get("message_content", c) if type(c) is dict else c for c in contents]
    if len(parts) == 1 and type(parts[0]) is dict and parts[0].keys() == {"type", "text"}:
        return parts[0]["text"]
    return parts
