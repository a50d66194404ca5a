"""The chunks of a streamed reply, joined to the message that they add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["joined"]


def joined(items: Sequence[Any]) -> list[dict[str, Any]]:
    """One message for OpenAI's or Anthropic's stream; empty where the items are no chunks of one.

    Chunks that the snapshot cut from the middle or the end are simply missing from the text.
    """
    first = items[0] if items else None
    if not isinstance(first, dict) or not all(isinstance(each, dict) for each in items):
        return []
    if first.get("object") == "chat.completion.chunk" or _delta(first) is not None:
        return _openai(items)
    if isinstance(first.get("type"), str) and first["type"] in (
        "message_start",
        "content_block_start",
    ):
        return _anthropic(items)
    if isinstance(first.get("type"), str) and first["type"].startswith("response."):
        return _responses(items)
    return []


def _delta(chunk: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    delta = choice.get("delta") if isinstance(choice, dict) else None
    return delta if isinstance(delta, dict) else None


def _openai(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    text: list[str] = []
    calls: dict[str, dict[str, Any]] = {}
    for delta in filter(None, map(_delta, items)):
        if isinstance(delta.get("content"), str):
            text.append(delta["content"])
        told_calls = delta.get("tool_calls")
        for call in told_calls if isinstance(told_calls, list) else ():
            if not isinstance(call, dict):
                continue
            known = calls.setdefault(
                str(call.get("index")), {"id": "", "name": "", "arguments": ""}
            )
            function = call.get("function")
            told = {**(function if isinstance(function, dict) else {}), "id": call.get("id")}
            for name in known:
                if isinstance(told.get(name), str):
                    known[name] += told[name]
    if not text and not calls:
        return []
    return [{"role": "assistant", "content": "".join(text), "tool_calls": list(calls.values())}]


def _anthropic(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    blocks: dict[str, dict[str, Any]] = {}
    for event in items:
        block, delta = event.get("content_block"), event.get("delta")
        if isinstance(block, dict):
            blocks[str(event.get("index"))] = dict(block)
        known = blocks.get(str(event.get("index")))
        if known is None or not isinstance(delta, dict):
            continue
        for name, target in (("text", "text"), ("thinking", "thinking"), ("partial_json", "input")):
            if isinstance(delta.get(name), str):
                before = known.get(target)
                known[target] = (before if isinstance(before, str) else "") + delta[name]
    return [{"role": "assistant", "content": list(blocks.values())}] if blocks else []


def _responses(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The last event holds the whole response; without it, the text so far."""
    last = items[-1].get("response")
    if isinstance(last, dict) and isinstance(last.get("output"), list) and last["output"]:
        return [each for each in last["output"] if isinstance(each, dict)]
    said = [each["delta"] for each in items
            if each.get("type") == "response.output_text.delta"
            and isinstance(each.get("delta"), str)]  # fmt: skip
    return [{"role": "assistant", "content": "".join(said)}] if said else []
