"""A span gives one record, whether it is recorded in its process or comes by OTLP."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from google.protobuf.json_format import ParseDict
from server_running import running

from honeytrace._capture.hooks import hooks
from honeytrace.lookup import StoreFamily
from honeytrace.otel._spans import SPANS
from honeytrace.server import create_app
from honeytrace.store.sqlite import SQLiteStore
from honeytrace.testing import CapturedSessions, capture

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind

import honeytrace.otel

RECORDED = Path(__file__).parents[1] / "otel" / "recorded"
CONVENTIONS = sorted(path.stem for path in RECORDED.glob("*.json"))


class Kept(SpanProcessor):
    """Keeps the spans that ended."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def play(convention: str) -> tuple[list[ReadableSpan], CapturedSessions]:
    """Make the recorded spans anew, below a root, and record them in this process."""
    kept = Kept()
    provider = TracerProvider(
        resource=Resource({"service.name": "bot", "deployment.environment.name": "test"}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(honeytrace.otel.SpanProcessor(keep="all"))
    provider.add_span_processor(kept)
    with capture() as sessions:
        tracer = provider.get_tracer("app", "1")
        with tracer.start_as_current_span("run"):
            for item in orjson.loads((RECORDED / f"{convention}.json").read_bytes()):
                scope = provider.get_tracer(*item["scope"])
                kind = SpanKind[item["kind"]]
                attributes = {
                    name: value
                    for name, value in item["attributes"].items()
                    if not name.startswith(("traceloop.association.", "honeyhive.session_id"))
                }
                with scope.start_as_current_span(
                    item["name"], kind=kind, attributes=attributes
                ) as s:
                    for event in item["events"]:
                        s.add_event(event["name"], event["attributes"])
    hooks.adopt = None
    SPANS.forget()
    return kept.spans, sessions


def value(item: Any) -> dict[str, Any]:
    """An AnyValue in OTLP's JSON."""
    if isinstance(item, list | tuple):
        return {"arrayValue": {"values": [value(each) for each in item]}}
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return {kinds[type(item)]: str(item) if type(item) is int else item}


def attributes(found: Any) -> list[dict[str, Any]]:
    """Attributes in OTLP's JSON."""
    return [{"key": name, "value": value(item)} for name, item in (found or {}).items()]


def otlp(spans: list[ReadableSpan]) -> dict[str, Any]:
    """An export request in JSON."""
    groups = []
    for span in spans:
        context, scope = span.get_span_context(), span.instrumentation_scope
        assert context is not None
        assert scope is not None
        made: dict[str, Any] = {
            "traceId": f"{context.trace_id:032x}",
            "spanId": f"{context.span_id:016x}",
            "name": span.name,
            "kind": span.kind.value + 1,
            "startTimeUnixNano": str(span.start_time),
            "endTimeUnixNano": str(span.end_time),
            "attributes": attributes(span.attributes),
            "events": [
                {
                    "name": event.name,
                    "timeUnixNano": str(event.timestamp),
                    "attributes": attributes(event.attributes),
                }
                for event in span.events
            ],
        }
        if span.parent is not None:
            made["parentSpanId"] = f"{span.parent.span_id:016x}"
        named = {"name": scope.name, "version": scope.version}
        groups.append({"scope": named, "spans": [made]})
    resource = {"attributes": attributes(spans[0].resource.attributes)}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": groups}]}


def send(url: str, request: dict[str, Any], form: str) -> None:
    """Export in one of the forms that collectors take."""
    if form == "protobuf":
        import base64

        hexed = orjson.loads(orjson.dumps(request))
        for group in hexed["resourceSpans"][0]["scopeSpans"]:
            for span in group["spans"]:  # protobuf's own JSON has bytes in base64
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
        body = ParseDict(hexed, ExportTraceServiceRequest()).SerializeToString()
        headers = {"Content-Type": "application/x-protobuf"}
    else:
        body, headers = orjson.dumps(request), {"Content-Type": "application/json"}
    if form == "gzip":
        body, headers = gzip.compress(body), {**headers, "Content-Encoding": "gzip"}
    httpx.post(f"{url}/v1/traces", content=body, headers=headers).raise_for_status()


@pytest.mark.parametrize("form", ["json", "protobuf", "gzip"])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_both_ways_give_the_same_records(store: SQLiteStore, convention: str, form: str) -> None:
    """Ids, places, times and every field are equal, for each convention and form."""
    spans, sessions = play(convention)
    here = {each.session_id: each for each in sessions}
    with running(create_app(store)) as url:
        send(url, otlp(spans), form)
        family = StoreFamily(store)
        there = {each.event_id: family.load(each) for each in store.get_many(list(here))}
    assert there.keys() == here.keys()
    for session_id, mine in here.items():
        theirs = there[session_id]
        # the server puts the traces of a conversation below a session of their own
        grouped = convention == "pydantic_ai"
        places = () if grouped else ("event_type", "parent_id", "root_id")
        for name in ("session_name", "start_time", "end_time", "error", "status", *places):
            assert getattr(theirs, name) == getattr(mine, name), name
        assert theirs.duration == pytest.approx(mine.duration)
        for name in ("config", "inputs", "outputs", "metrics", "metadata", "user_properties"):
            assert getattr(theirs, name) == getattr(mine, name), name
        assert theirs.details["otel"] == mine.details["otel"]
        assert (theirs.project, theirs.source) == (mine.project, mine.source)


def test_the_first_call_of_a_program_is_the_same_both_ways(
    store: SQLiteStore, tmp_path: Path
) -> None:
    """A model's call with nothing around it stays one, and opening the journal moves no time."""
    kept = Kept()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(honeytrace.otel.SpanProcessor())
    provider.add_span_processor(kept)
    local = tmp_path / "local.db"
    try:
        honeytrace.configure(store=str(local), journal=tmp_path / "journal")
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "bee-1"}
        provider.get_tracer("app").start_span("chat", attributes=attributes).end()
        assert honeytrace.flush(20)
        (here,) = honeytrace.list_sessions()
        with running(create_app(store)) as url:
            send(url, otlp(kept.spans), "json")
            there = StoreFamily(store).load(*store.get_many([here.session_id]))
        for name in ("session_name", "event_type", "start_time", "end_time", "duration"):
            assert getattr(there, name) == getattr(here, name), name
        assert here.event_type == "model"
    finally:
        hooks.adopt = None
        SPANS.forget()
        honeytrace.configure(store=None, journal=None)
