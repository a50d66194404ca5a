"""A record as a span in OTLP's protobuf, and spans as the body of an export.

Every field of a record travels in attributes of HoneyHive's and honeytrace's own, so that
`honeytrace serve` reads it back as it was; what the GenAI conventions have a name for is there
under that name, too, for every other tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from .._base.version import __version__
from .._record.record import OBJECTS, RESERVED, Record
from ..propagation._traceparent import trace_ids
from ._semconv.honeyhive import OWN_ID

_OPERATIONS = {
    "model": ("chat", Span.SpanKind.SPAN_KIND_CLIENT),
    "tool": ("execute_tool", Span.SpanKind.SPAN_KIND_INTERNAL),
}
_WORKFLOW = ("invoke_workflow", Span.SpanKind.SPAN_KIND_INTERNAL)

_SAMPLED = 1
"""The flag of a span that is recorded."""

_CUT = "honeytrace.cut"
"""The attribute that tells how many bytes an object lost, where a span would be too large."""

_USAGE = {
    "gen_ai.usage.input_tokens": "prompt_tokens",
    "gen_ai.usage.output_tokens": "completion_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_tokens",
}


def encoded(record: Record, *, content: bool = True, max_bytes: int = 4_000_000) -> bytes:
    """The span of a record. `content` False leaves inputs and outputs out.

    Beyond `max_bytes`, the largest objects are left out, each with a note of its size.
    """
    wanted = OBJECTS if content else [n for n in OBJECTS if n not in ("inputs", "outputs")]
    objects: dict[str, bytes] = {}
    for name in wanted:
        value = getattr(record, name)
        if value is not None:
            objects[name] = value
    data: bytes = _span(record, objects).SerializeToString()
    cut: dict[str, int] = {}
    while len(data) > max_bytes and objects:
        largest = max(objects, key=lambda name: len(objects[name]))
        cut[largest] = len(objects.pop(largest))
        span = _span(record, objects)
        _put(span, _CUT, orjson.dumps(cut).decode())
        data = span.SerializeToString()
    return data


def body(project: str, source: str, spans: Iterable[bytes]) -> bytes:
    """The ResourceSpans of records of one project and source, to be joined to an export request.

    Written out rather than built of messages: the spans are encoded already, so that what is too
    large can be divided without encoding them again.
    """
    resource = Resource()
    for name, value in (("service.name", project), ("deployment.environment.name", source)):
        attribute = resource.attributes.add()
        attribute.key, attribute.value.string_value = name, value
    scope = InstrumentationScope(name="honeytrace", version=__version__)
    inside = [_framed(1, scope.SerializeToString()), *(_framed(2, span) for span in spans)]
    within = _framed(1, resource.SerializeToString()) + _framed(2, b"".join(inside))
    return _framed(1, within)


def _framed(field: int, data: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    size, length = len(data), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes((field << 3 | 2,)) + bytes(length) + data


def _span(record: Record, objects: Mapping[str, bytes]) -> Span:
    span = Span()
    metadata = orjson.loads(objects["metadata"]) if "metadata" in objects else {}
    # also for records that came from spans: a tree may hold both, and has to be one trace
    span.trace_id, span.span_id = _bytes(record.root_id), _bytes(record.event_id)[8:]
    if record.parent_id is not None:
        span.parent_span_id = _bytes(record.parent_id)[8:]
    span.name, span.flags = record.event_name, _SAMPLED
    span.start_time_unix_nano = _nanoseconds(record.start_time)
    duration = record.duration or 0
    span.end_time_unix_nano = span.start_time_unix_nano + max(round(duration * 1e6), 0)
    operation, span.kind = _OPERATIONS.get(record.event_type, _WORKFLOW)
    _put(span, "gen_ai.operation.name", operation)
    _put_own(span, record)
    for name, data in objects.items():
        _put(span, f"honeyhive_{name}", data.decode())
    _put_gen_ai(span, objects, metadata)
    if record.error is not None:
        _put_error(span, record.error, metadata.get(RESERVED))
    return span


def _bytes(session_id: str) -> bytes:
    """The 128 bits of a session id, as `propagation` sends them; quickly for a UUID."""
    if len(session_id) == 36 and session_id == session_id.lower():
        try:
            found = bytes.fromhex(session_id.replace("-", ""))
        except ValueError:
            found = b""
        if len(found) == 16 and any(found[8:]):
            return found
    return bytes.fromhex(trace_ids(session_id, session_id)[0])


def _put_own(span: Span, record: Record) -> None:
    _put(span, OWN_ID, record.event_id)
    for name in ("root_id", "parent_id", "event_type", "status"):
        value = getattr(record, name)
        if value is not None:
            _put(span, f"honeytrace.{name}", value)
    for name in ("start_time", "duration"):
        value = getattr(record, name)
        if value is not None:
            attribute = span.attributes.add()
            attribute.key, attribute.value.double_value = f"honeytrace.{name}", value
    if record.end_time is not None:
        attribute = span.attributes.add()
        attribute.key, attribute.value.int_value = "honeytrace.end_time", record.end_time
    if record.children_ids != b"[]":
        _put(span, "honeytrace.children_ids", record.children_ids.decode())


def _put_gen_ai(span: Span, objects: Mapping[str, bytes], metadata: Mapping[str, Any]) -> None:
    """Model, provider, tokens and messages under the names of the GenAI conventions."""
    if "config" in objects:
        config = orjson.loads(objects["config"])
        for name, key in (("gen_ai.request.model", "model"), ("gen_ai.provider.name", "provider")):
            if type(config.get(key)) is str:
                _put(span, name, config[key])
    for name, key in _USAGE.items():
        if type(metadata.get(key)) is int:
            attribute = span.attributes.add()
            attribute.key, attribute.value.int_value = name, metadata[key]
    if b'"chat_history"' in objects.get("inputs", b""):
        history = orjson.loads(objects["inputs"]).get("chat_history")
        if type(history) is list:
            _put(span, "gen_ai.input.messages", _messages(history))
    if b'"role"' in objects.get("outputs", b""):
        outputs = orjson.loads(objects["outputs"])
        if type(outputs.get("role")) is str:
            _put(span, "gen_ai.output.messages", _messages([outputs]))


def _messages(history: Sequence[Any]) -> str:
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
    return orjson.dumps(made).decode()


def _put_error(span: Span, error: str, details: Any) -> None:
    span.status.code = Status.StatusCode.STATUS_CODE_ERROR
    span.status.message = error
    kind, mark, message = error.partition(": ")
    event = span.events.add()
    event.name, event.time_unix_nano = "exception", span.end_time_unix_nano
    facts = {"exception.message": message if mark else error}
    if mark:
        facts["exception.type"] = kind
        _put(span, "error.type", kind)
    traceback = details.get("traceback") if type(details) is dict else None
    if type(traceback) is str:
        facts["exception.stacktrace"] = traceback
    for name, value in facts.items():
        attribute = event.attributes.add()
        attribute.key, attribute.value.string_value = name, value


def _put(span: Span, name: str, value: str) -> None:
    attribute = span.attributes.add()
    attribute.key, attribute.value.string_value = name, value


def _nanoseconds(milliseconds: float) -> int:
    """Nanoseconds of a time in milliseconds, without the rounding of a product of floats."""
    whole = int(milliseconds)
    return max(whole * 1_000_000 + round((milliseconds - whole) * 1e6), 0)
