"""OTLP over HTTP: spans become sessions and events.

A span that cannot be stored does not affect the other spans of its request. The reply is a 200
whose `partialSuccess` has the number of rejected spans and the reasons (OTLP specification,
"Partial Success").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ..sinks.store import StoreSink
from ._call import Call
from ._http import JSON, RefusedError, busy
from ._otlp import json_spans, protobuf_spans

PROTOBUF = "application/x-protobuf"

_REASONS = 5
"""Number of reasons that a reply lists; clients log them in one line."""


def receive_traces(call: Call) -> bytes:
    """`POST /v1/traces` and `/opentelemetry/v1/traces` → an ExportTraceServiceResponse."""
    found = (
        protobuf_spans.spans(call.body()) if _is_protobuf(call) else json_spans.spans(call.json())
    )
    items, reasons = call.traces.read(found)
    sink = StoreSink(call.store)
    if items:
        with call.traces.lock:
            placed = call.traces.place(items)
            delivery = sink.deliver(placed.items, timeout=call.limits.body_seconds)
            if not delivery.retry:
                call.store.update(call.traces.late(placed))
        if delivery.retry:
            raise busy()
        reasons += [reason for _, reason in delivery.refused]
    call.counts.add("spans stored", len(items))
    call.counts.add("spans rejected", len(reasons))
    return _reply(call, "Spans", reasons)


def receive_logs(call: Call) -> bytes:
    """`POST /v1/logs` and `/opentelemetry/v1/logs` → an ExportLogsServiceResponse.

    GenAI events that name a span become part of that span. Other log records do not belong to a
    session, so they are counted and left out.
    """
    found = (
        protobuf_spans.log_events(call.body())
        if _is_protobuf(call)
        else json_spans.log_events(call.json())
    )
    events = [each for each in found if not isinstance(each, RefusedError)]
    with call.traces.lock:
        updates = call.traces.log_events.updates(events)
        delivery = StoreSink(call.store).deliver(updates, timeout=call.limits.body_seconds)
        if not delivery.retry:
            call.store.update(call.traces.log_events.late(events, updates))
    if delivery.retry:
        raise busy()
    reasons = [reason for _, reason in delivery.refused]
    call.counts.add("log records stored", len(updates))
    call.counts.add("log records left out", len(events) - len(updates))
    return _reply(call, "LogRecords", reasons)


def receive_metrics(call: Call) -> bytes:
    """`POST /v1/metrics` and `/opentelemetry/v1/metrics`: accepted but not stored, so that an
    exporter of all three signals does not fail."""
    _is_protobuf(call)
    call.counts.add("metric exports left out")
    return b"" if call.content_type == PROTOBUF else b"{}"


def _is_protobuf(call: Call) -> bool:
    if call.content_type not in (PROTOBUF, JSON):
        raise RefusedError(415, "unsupported_media_type", f"send OTLP as {PROTOBUF} or {JSON}")
    return call.content_type == PROTOBUF


def _reply(call: Call, what: Literal["Spans", "LogRecords"], reasons: Sequence[str]) -> bytes:
    """Return the reply to an export, with the rejected items."""
    text = "; ".join(list(dict.fromkeys(reasons))[:_REASONS])
    if call.content_type != PROTOBUF:
        # Protobuf's JSON writes 64-bit integers as strings.
        partial = {f"rejected{what}": str(len(reasons)), "errorMessage": text}
        return orjson.dumps({"partialSuccess": partial} if reasons else {})
    if not reasons:
        return b""  # This is an empty message.
    if what == "Spans":
        traces = ExportTraceServiceResponse()
        traces.partial_success.rejected_spans = len(reasons)
        traces.partial_success.error_message = text
        return traces.SerializeToString()
    logs = ExportLogsServiceResponse()
    logs.partial_success.rejected_log_records = len(reasons)
    logs.partial_success.error_message = text
    return logs.SerializeToString()


RECEIVERS = {"traces": receive_traces, "logs": receive_logs, "metrics": receive_metrics}
"""Handlers by OTLP signal."""
