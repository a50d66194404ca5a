"""A record as a span in OTLP's protobuf, and spans as the body of an export.

Every field of a record travels in attributes of HoneyHive's and honeytrace's own, so that
`honeytrace serve` reads it back as it was; what the GenAI conventions have a name for is there
under that name, too, for every other tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from .._base.version import __version__
from .._record.record import OBJECTS, RESERVED, Record
from ..propagation._traceparent import trace_ids
from ._protobuf import Value, attributes, framed, number, tag, text, time
from ._semconv.honeyhive import OWN_ID

_INTERNAL, _CLIENT = 1, 3
"""Span kinds."""
_KINDS = {kind: number(6, kind) for kind in (_INTERNAL, _CLIENT)}
_OPERATIONS = {"model": ("chat", _CLIENT), "tool": ("execute_tool", _INTERNAL)}
_WORKFLOW = ("invoke_workflow", _INTERNAL)

_ID_SIZES = ((1, 16), (2, 8), (4, 8))
"""The fields of a span's ids, and their bytes."""

_TRACE_ID, _SPAN_ID, _PARENT_ID = (tag(field, 2) + bytes((size,)) for field, size in _ID_SIZES)
"""Heads of the ids."""
_NO_ID = bytes(8)
"""The span id that stands for none."""

_ERROR = number(3, 2)
"""The code of a status."""

_FLAGS = b"\x85\x01\x01\x00\x00\x00"
"""The field `flags` with the bit of a span that is recorded."""

_CUT = "honeytrace.cut"
"""The attribute that tells how many bytes an object lost, where a span would be too large."""

_BUCKETS = {name: f"honeyhive_{name}" for name in OBJECTS}
_CONFIG = {"model": "gen_ai.request.model", "provider": "gen_ai.provider.name"}
_METADATA = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "response_model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id",
}
"""Keys of config and metadata, and the names that the GenAI conventions have for them."""


def encoded(record: Record, *, content: bool = True, max_bytes: int = 4_000_000) -> bytes:
    """Return the span of a record. `content` False leaves inputs and outputs out.

    Beyond `max_bytes`, the largest objects are left out, each with a note of its size.
    """
    wanted = OBJECTS if content else [n for n in OBJECTS if n not in ("inputs", "outputs")]
    objects: dict[str, bytes] = {}
    for name in wanted:
        value = getattr(record, name)
        if value is not None:
            objects[name] = value
    data = _span(record, objects, b"")
    cut: dict[str, int] = {}
    while len(data) > max_bytes and objects:
        largest = max(objects, key=lambda name: len(objects[name]))
        cut[largest] = len(objects.pop(largest))
        data = _span(record, objects, attributes(9, {_CUT: orjson.dumps(cut)}))
    return data


def body(project: str, source: str, spans: Iterable[bytes]) -> bytes:
    """Return the ResourceSpans of records of one project and source, for an export request.

    The spans are encoded already, so that what is too large can be divided without encoding them
    again.
    """
    resource = attributes(1, {"service.name": project, "deployment.environment.name": source})
    scope = text(1, "honeytrace") + text(2, __version__)
    inside = [framed(1, scope), *(framed(2, span) for span in spans)]
    return framed(1, framed(1, resource) + framed(2, b"".join(inside)))


def _span(record: Record, objects: Mapping[str, bytes], more: bytes) -> bytes:
    metadata = orjson.loads(objects["metadata"]) if "metadata" in objects else {}
    start = _nanoseconds(record.start_time)
    end = start + max(round((record.duration or 0) * 1e6), 0)
    operation, kind = _OPERATIONS.get(record.event_type, _WORKFLOW)
    # also for records that came from spans: a tree may hold both, and has to be one trace
    parts = [_TRACE_ID, _bytes(record.root_id), _SPAN_ID, _bytes(record.event_id)[8:]]
    if record.parent_id is not None:
        parts += _PARENT_ID, _bytes(record.parent_id)[8:]
    parts += text(5, record.event_name), _KINDS[kind], time(7, start), time(8, end)
    values: dict[str, Value] = {}
    _add_gen_ai(values, objects, metadata)
    values["gen_ai.operation.name"] = operation
    if record.event_type == "tool":
        values["gen_ai.tool.name"] = record.event_name
    if record.error is not None:
        values.update(_error(record.error, metadata.get(RESERVED), end, parts))
    _add_own(values, record)
    for name, data in objects.items():
        values[_BUCKETS[name]] = data
    parts += attributes(9, values), more, _FLAGS
    return b"".join(parts)


def _bytes(session_id: str) -> bytes:
    """Return the 128 bits of a session id, as `propagation` sends them; quickly for a UUID."""
    if len(session_id) == 36 and session_id == session_id.lower():
        try:
            found = bytes.fromhex(session_id.replace("-", ""))
        except ValueError:
            found = b""
        if len(found) == 16 and found[8:] != _NO_ID:
            return found
    return bytes.fromhex(trace_ids(session_id, session_id)[0])


def _add_own(values: dict[str, Value], record: Record) -> None:
    """Add the fields that are no objects under honeytrace's own names."""
    values[OWN_ID] = record.event_id
    values["honeytrace.root_id"] = record.root_id
    if record.parent_id is not None:
        values["honeytrace.parent_id"] = record.parent_id
    values["honeytrace.event_type"] = record.event_type
    values["honeytrace.status"] = record.status
    values["honeytrace.start_time"] = float(record.start_time)
    if record.duration is not None:
        values["honeytrace.duration"] = float(record.duration)
    if record.end_time is not None:
        values["honeytrace.end_time"] = record.end_time
    if record.children_ids != b"[]":
        values["honeytrace.children_ids"] = record.children_ids


def _add_gen_ai(
    values: dict[str, Value], objects: Mapping[str, bytes], metadata: Mapping[str, Any]
) -> None:
    """Add model, provider, tokens and messages under the names of the GenAI conventions."""
    if "config" in objects:
        _add_request(values, orjson.loads(objects["config"]))
    for key, name in _METADATA.items():
        if key in metadata and _is_scalar(metadata[key]):
            values[name] = metadata[key]
    reasons = metadata.get("finish_reasons")
    if type(reasons) is list and all(type(reason) is str for reason in reasons):
        values["gen_ai.response.finish_reasons"] = reasons
    if b'"chat_history"' in objects.get("inputs", b""):
        history = orjson.loads(objects["inputs"]).get("chat_history")
        if type(history) is list:
            values["gen_ai.input.messages"] = _messages(history)
    if b'"role"' in objects.get("outputs", b""):
        outputs = orjson.loads(objects["outputs"])
        if type(outputs.get("role")) is str:
            values["gen_ai.output.messages"] = _messages([outputs])


def _add_request(values: dict[str, Value], config: Mapping[str, Any]) -> None:
    """Add the model, its provider and the parameters of a request."""
    parameters = config.get("hyperparameters")
    for key, value in parameters.items() if type(parameters) is dict else ():
        if _is_scalar(value):
            values[f"gen_ai.request.{key}"] = value
    for key, name in _CONFIG.items():
        if type(config.get(key)) is str:
            values[name] = config[key]


def _is_scalar(value: Any) -> bool:
    """Return True for a value that an attribute can hold; integers have 64 bits."""
    if type(value) is int:
        return -(1 << 63) <= value < 1 << 63
    return type(value) in (str, float, bool)


def _messages(history: Sequence[Any]) -> bytes:
    """A conversation in the shape of `gen_ai.input.messages`."""
    made = []
    for message in history:
        if type(message) is not dict:
            continue
        content, parts = message.get("content"), []
        if message.get("role") == "tool":
            response = {"type": "tool_call_response", "id": message.get("tool_call_id")}
            parts.append({**response, "response": content})
        elif type(content) is str:
            parts.append({"type": "text", "content": content})
        elif type(content) is list:
            parts += content
        calls = message.get("tool_calls")
        for call in calls if type(calls) is list else ():
            function = call.get("function") if type(call) is dict else None
            if type(function) is dict:
                parts.append({"type": "tool_call", "id": call.get("id"), **function})
        made.append({"role": message.get("role", "user"), "parts": parts})
    return orjson.dumps(made)


def _error(error: str, details: Any, end: int, parts: list[bytes]) -> Iterable[tuple[str, Value]]:
    """Append status and exception event of a failure; yield the attribute that names it."""
    parts.append(framed(15, text(2, error) + _ERROR))
    kind, mark, message = error.partition(": ")
    facts: dict[str, Value] = {"exception.message": message if mark else error}
    if mark:
        facts["exception.type"] = kind
        yield "error.type", kind
    traceback = details.get("traceback") if type(details) is dict else None
    if type(traceback) is str:
        facts["exception.stacktrace"] = traceback
    event = time(1, end) + text(2, "exception") + attributes(3, facts)
    parts.append(framed(11, event))


def _nanoseconds(milliseconds: float) -> int:
    """Return nanoseconds of a time in milliseconds, without rounding a product of floats."""
    whole = int(milliseconds)
    return max(whole * 1_000_000 + round((milliseconds - whole) * 1e6), 0)
