"""Inputs, outputs and configuration: where each convention keeps the content of a call.

Each reader takes the attributes it used out of `left`; the rest becomes metadata. The first
reader that fills `inputs` or `outputs` wins, and the others' attributes stay in metadata.
"""

from __future__ import annotations

from typing import Any

from .messages import answer, chat_history, system_message
from .nesting import as_object, parsed
from .shape import Attributes
from .span import Fields

_ROLE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def read_gen_ai(left: Attributes, fields: Fields) -> None:
    """OpenTelemetry's GenAI attributes: messages in JSON, arguments and results of tools."""
    if not fields.inputs:
        history: list[dict[str, Any]] = []
        if "gen_ai.system_instructions" in left:
            history += system_message(left.pop("gen_ai.system_instructions"))
        if "gen_ai.input.messages" in left:
            history += chat_history(left.pop("gen_ai.input.messages"))
        if history:
            fields.inputs["chat_history"] = history
        elif "gen_ai.tool.call.arguments" in left:
            fields.inputs.update(as_object(left.pop("gen_ai.tool.call.arguments"), "value"))
    if not fields.outputs:
        if "gen_ai.output.messages" in left:
            fields.outputs = answer(chat_history(left.pop("gen_ai.output.messages")))
        elif "gen_ai.tool.call.result" in left:
            fields.outputs.update(as_object(left.pop("gen_ai.tool.call.result"), "result"))
        elif "gen_ai.retrieval.documents" in left:
            fields.outputs["documents"] = parsed(left.pop("gen_ai.retrieval.documents"))


def read_flat_gen_ai(left: Attributes, fields: Fields) -> None:
    """GenAI's messages as they were before 1.37: one attribute per message, or per part of it."""
    history = fields.inputs.get("chat_history")
    if not fields.inputs or (type(history) is list and _is_system(history)):
        prompts = left.gather("gen_ai.prompt.")
        if prompts is None and "gen_ai.prompt" in left:
            prompts = left.pop("gen_ai.prompt")
        if prompts is not None:
            fields.inputs.setdefault("chat_history", []).extend(chat_history(listed(prompts)))
    if not fields.outputs:
        completions = left.gather("gen_ai.completion.")
        if completions is None and "gen_ai.completion" in left:
            completions = left.pop("gen_ai.completion")
        if completions is not None:
            messages = chat_history(listed(completions))
            fields.outputs = answer([{**message, "role": _role(message)} for message in messages])


def _is_system(history: list[Any]) -> bool:
    """True if a conversation has nothing but its instructions yet."""
    return len(history) == 1 and history[0].get("role") == "system"


def _role(message: dict[str, Any]) -> Any:
    role = message.get("role", "assistant")
    return "assistant" if role == "user" else role


def read_openllmetry(left: Attributes, fields: Fields) -> None:
    """OpenLLMetry's own names: the input and output of tasks, functions offered to a model."""
    read_value(left, "traceloop.entity.input", fields.inputs, "value")
    read_value(left, "traceloop.entity.output", fields.outputs, "result")
    functions = left.gather("llm.request.functions.")
    if functions is not None:
        tools = [
            {"type": "function", "function": {**f, "parameters": parsed(f.get("parameters"))}}
            if type(f) is dict
            else f
            for f in listed(functions)
        ]
        put(fields, fields.config, "tools", tools, "llm.request.functions")


def read_logfire(left: Attributes, fields: Fields) -> None:
    """pydantic-ai's agent runs, and logfire's requests before they had GenAI names."""
    result = left.get("final_result")
    if not fields.inputs and "pydantic_ai.all_messages" in left:
        history = chat_history(left.pop("pydantic_ai.all_messages"))
        fields.inputs["chat_history"] = history
        if not fields.outputs and history and history[-1].get("content") == result is not None:
            fields.outputs = history.pop()
            del left["final_result"]
    if "final_result" in left and not fields.outputs:
        fields.outputs = as_object(left.pop("final_result"), "result")
    if type(events := parsed(left.get("events"))) is list:
        messages = [dict(event) for event in events if type(event) is dict]
        if messages and len(messages) == len(events):
            del left["events"]
            read_message_events([(str(m.pop("event.name", "")), m) for m in messages], fields)
    request, response = parsed(left.get("request_data")), parsed(left.get("response_data"))
    if not fields.inputs and type(request) is dict and "messages" in request:
        del left["request_data"]
        fields.inputs["chat_history"] = chat_history(request.pop("messages"))
        fields.inputs.update(request)
    if not fields.outputs and type(response) is dict:
        del left["response_data"]
        message = response.get("message")
        whole = len(response) == 1 and type(message) is dict
        fields.outputs = answer(chat_history([message])) if whole else response


def read_langfuse(left: Attributes, fields: Fields) -> None:
    """langfuse's observations, which put input and output into one attribute each."""
    for side, target, key in (
        ("input", fields.inputs, "value"),
        ("output", fields.outputs, "result"),
    ):
        read_value(left, f"langfuse.observation.{side}", target, key)
        read_value(left, f"langfuse.trace.{side}", target, key)


def read_message_events(events: list[tuple[str, dict[str, Any]]], fields: Fields) -> None:
    """Events of the GenAI conventions before 1.37, which were one event per message."""
    history: list[dict[str, Any]] = []
    choices: list[dict[str, Any]] = []
    for name, body in events:
        if name == "gen_ai.choice":
            choice = dict(body)
            message = parsed(choice.pop("message", None))
            whole = (
                {**choice, **message} if type(message) is dict else {**choice, "content": message}
            )
            choices += [{"role": "assistant", **made} for made in chat_history([whole])]
        else:
            role = _ROLE_EVENTS.get(name, "user")
            history += chat_history([{"role": role, **body}])
    if history:
        put(fields, fields.inputs, "chat_history", history, "gen_ai.messages")
    if choices and fields.outputs:
        put(fields, fields.metadata, "gen_ai.choice", choices, "gen_ai.choice")
    elif choices:
        fields.outputs = answer(choices)


def is_message_event(name: str) -> bool:
    """True if a span event holds one message of a conversation."""
    return name in _ROLE_EVENTS or name == "gen_ai.choice"


def read_value(left: Attributes, name: str, target: dict[str, Any], key: str) -> None:
    """A whole input or output in one attribute; used only where nothing better was found."""
    if name in left and not target:
        target.update(as_object(left.pop(name), key))


def put(fields: Fields, target: dict[str, Any], key: str, value: Any, name: str) -> None:
    """Fill a field that is empty; a value for a field that is taken is metadata."""
    if target.setdefault(key, value) != value:
        fields.metadata.setdefault(name, value)


def listed(value: Any) -> list[Any]:
    """Numbered entries as a list, also where the numbers have gaps."""
    if type(value) is dict and all(type(item) is dict for item in value.values()):
        return list(value.values())
    return value if type(value) is list else [value]
