"""OTLP traces: spans become events, as the official tracers mean them.

Source: what the tracers of honeyhive 0.2.57 and 1.7.0 (Python) and 1.0.42 (npm) send: the session
in an association property, inputs, outputs and the like in `honeyhive_<bucket>.<path>` attributes.
Of other instrumentation, every attribute becomes metadata; a trace without a session is one.
"""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from .._record.record import RESERVED, Record, Update
from ..store import Store
from ._http import JSON, Call, RefusedError, bad_request
from ._spans import Span, from_json, from_protobuf
from ._wire import EVENT_TYPES, encode, event_record, session_record
from .events import Homes

PROTOBUF = "application/x-protobuf"

_BUCKETS = {
    f"honeyhive_{bucket}": bucket
    for bucket in (
        "config",
        "feedback",
        "inputs",
        "metadata",
        "metrics",
        "outputs",
        "user_properties",
    )
}
_ASSOCIATION = "traceloop.association.properties."
_LLM = ("gen_ai.", "llm.")
_STEPS = 32
"""Levels a dotted path makes; what is beyond stays one key."""


def receive(call: Call) -> bytes:
    """`POST /opentelemetry/v1/traces` → an empty ExportTraceServiceResponse: all was accepted."""
    if call.content_type == PROTOBUF:
        spans, answer = list(from_protobuf(call.body())), b""
    elif call.content_type == JSON:
        spans, answer = list(from_json(call.json())), b"{}"
    else:
        raise RefusedError(415, "unsupported_media_type", f"send OTLP as {PROTOBUF} or {JSON}")
    _store(call.store, spans)
    return answer


def _store(store: Store, spans: list[Span]) -> None:
    homes = Homes(store)
    records, unknown, updates = [], {}, []
    last: dict[str, int] = {}
    for span in spans:
        payload = event_of(span)
        record = homes.settle(event_record(payload), payload)
        records.append(record)
        session_id = record.session_id
        if homes.get(session_id) is None and (span.parent_id is None or session_id not in unknown):
            unknown[session_id] = _session(record)
        last[session_id] = max(last.get(session_id, 0), record.end_time or 0)
    store.insert([*unknown.values(), *records])
    # tracers never say that their session ended: it lasts until its last event did
    for session_id, end in last.items():
        session = homes.get(session_id) or unknown[session_id]
        if end > (session.end_time or 0):
            fields = {"end_time": encode(end), "duration": encode(end - session.start_time)}
            updates.append(Update(session_id, fields))
    store.update(updates)


def event_of(span: Span) -> dict[str, Any]:
    """The event a span stands for; its id is made of the span's, so a repeat is known as one."""
    if not span.trace_id or not span.span_id:
        raise bad_request("a span must have a traceId and a spanId")
    attributes = dict(span.attributes)
    session_id = _take(attributes, "session_id") or str(_uuid(span.trace_id, ""))
    own = {
        name: attributes.pop(f"honeyhive_{name}", None)
        for name in ("event_type", "event_name", "error", "duration_ms")
    }
    event_type = own["event_type"]
    if event_type not in EVENT_TYPES[1:]:
        event_type = "model" if any(name.startswith(_LLM) for name in attributes) else "tool"
    event: dict[str, Any] = {
        "event_id": str(_uuid(span.trace_id, span.span_id)),
        "session_id": str(session_id).lower(),
        "project": _take(attributes, "project"),
        "source": _take(attributes, "source"),
        "event_type": event_type,
        "event_name": str(own["event_name"] or span.name),
        "start_time": span.start / 1e6,
        "end_time": round(span.end / 1e6),
        "duration": (span.end - span.start) / 1e6,
        **_buckets(attributes),
    }
    if span.parent_id is not None:
        event["parent_id"] = str(_uuid(span.trace_id, span.parent_id))
    if span.resource:
        event["metadata"]["resource"] = span.resource
    error = _error(span, own["error"])
    if error is not None:
        event["error"] = error
        event["metadata"][RESERVED] = {"traceback": span.exception.get("exception.stacktrace")}
    return event


def _take(attributes: dict[str, Any], name: str) -> str | None:
    """The session, project or source a tracer wrote on each span, under its names for them."""
    values = [attributes.pop(prefix + name, None) for prefix in (_ASSOCIATION, "honeyhive.")]
    return next((value for value in values if type(value) is str and value), None)


def _buckets(attributes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The objects of an event; an attribute of no bucket is metadata, under its full name."""
    buckets: dict[str, dict[str, Any]] = {"metadata": {}}
    for name, value in attributes.items():
        head, _, path = name.partition(".")
        bucket = _BUCKETS.get(head)
        if bucket is None:
            buckets["metadata"][name] = value
        elif path:
            steps = path.removeprefix("_params_.").split(".", _STEPS)
            _place(buckets.setdefault(bucket, {}), steps, _parsed(value))
        else:
            whole = _parsed(value)
            whole = whole if type(whole) is dict else {"value": whole}
            buckets.setdefault(bucket, {}).update(whole)
    return {name: {k: _lists(v) for k, v in bucket.items()} for name, bucket in buckets.items()}


def _place(target: dict[str, Any], steps: list[str], value: Any) -> None:
    """Put a value at a path; where a value is in the way, the rest of the path is one key."""
    for i, step in enumerate(steps[:-1]):
        below = target.setdefault(step, {})
        if type(below) is not dict:
            target[".".join(steps[i:])] = value
            return
        target = below
    target[steps[-1]] = value


def _lists(value: Any) -> Any:
    """Objects whose keys are 0, 1, 2, … are the lists they were before they were flattened."""
    if type(value) is not dict:
        return value
    inner = {key: _lists(item) for key, item in value.items()}
    if inner and list(inner) == [str(i) for i in range(len(inner))]:
        return list(inner.values())
    return inner


def _parsed(value: Any) -> Any:
    """Tracers of 1.x send an object or list as its JSON."""
    if type(value) is str and value[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _error(span: Span, own: Any) -> str | None:
    """What went wrong, as `Type: message` where the span says so much."""
    kind = span.exception.get("exception.type")
    message = span.exception.get("exception.message") or own or span.message
    if own is None and not span.failed and not span.exception:
        return None
    return f"{kind}: {message}" if kind else str(message or "error")


def _session(first: Record) -> Record:
    """A session that spans speak of and nobody has started."""
    return session_record(
        {
            "session_id": first.session_id,
            "session_name": first.event_name,
            "project": first.project,
            "source": first.source,
            "start_time": first.start_time,
        }
    )


def _uuid(trace_id: str, span_id: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{trace_id}/{span_id}")
