"""OTLP spans, in protobuf and JSON, become events."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

ROUTE = "/opentelemetry/v1/traces"
TRACE = "0af7651916cd43dd8448eb211c80319c"
MS = 1_000_000
SESSION = "traceloop.association.properties.session_id"


def attribute(key: str, value: Any) -> dict[str, Any]:
    kind = {str: "stringValue", int: "intValue", bool: "boolValue", float: "doubleValue"}
    return {"key": key, "value": {kind[type(value)]: str(value) if type(value) is int else value}}


def span(name: str, span_id: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    attributes = {SESSION: "S", "traceloop.association.properties.project": "p"}
    attributes |= more.pop("attributes", {})
    return {
        "traceId": TRACE,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": name,
        "kind": "SPAN_KIND_INTERNAL",
        "startTimeUnixNano": str(2 * MS),
        "endTimeUnixNano": str(5 * MS + 500),
        "attributes": [attribute(key, value) for key, value in attributes.items()],
        **more,
    }


def export(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": list(spans)}]}]}


def tree(http: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = http.get("/v1/sessions/s").json()
    return found


def test_json_spans_arrive_as_a_tree(http: httpx.Client) -> None:
    """Ids are lower-cased; parents may come after their children, even in a later request."""
    http.post("/session/start", json={"session": {"session_id": "s", "start_time": 1}})
    inner = span("inner", "00000000000000b2", "00000000000000a1")
    assert http.post(ROUTE, json=export(inner)).json() == {}
    http.post(ROUTE, json=export(span("outer", "00000000000000a1")))
    (outer,) = tree(http)["children"]
    (child,) = outer["children"]
    assert (outer["event_name"], child["event_name"]) == ("outer", "inner")
    assert (child["start_time"], child["end_time"], child["duration"]) == (2, 5, 3.0005)
    assert (child["project"], child["event_type"]) == ("p", "tool")
    # the tracers never end a session: it lasts until its last event
    assert (tree(http)["end_time"], tree(http)["duration"]) == (5, 4)


def test_a_repeated_export_changes_nothing(http: httpx.Client) -> None:
    """Exporters repeat what they heard no answer to."""
    http.post("/session/start", json={"session": {"session_id": "s", "start_time": 1}})
    for _ in range(2):
        http.post(ROUTE, json=export(span("once", "00000000000000a1")))
    assert len(tree(http)["children"]) == 1


def test_spans_of_a_session_nobody_started_start_it(http: httpx.Client) -> None:
    """The tracers go on under an id of their own when the start failed."""
    http.post(ROUTE, json=export(span("outer", "00000000000000a1")))
    found = tree(http)
    assert (found["event_type"], found["event_name"], found["project"]) == ("session", "outer", "p")
    assert [child["event_name"] for child in found["children"]] == ["outer"]


def test_spans_without_a_session_are_one_by_trace(http: httpx.Client) -> None:
    """Any OpenTelemetry exporter may be pointed here; its attributes become metadata."""
    foreign = span("GET /", "00000000000000a1", attributes={SESSION: "", "http.method": "GET"})
    llm = span("chat", "00000000000000b2", "00000000000000a1", attributes={SESSION: ""})
    llm["attributes"].append(attribute("gen_ai.request.model", "m"))
    http.post(ROUTE, json=export(foreign, llm))
    events = http.get("/v1/events").json()["events"]
    assert len({event["session_id"] for event in events}) == 1
    types = {event["event_name"]: event["event_type"] for event in events if "parent_id" in event}
    assert types == {"GET /": "tool", "chat": "model"}


def test_attributes_take_their_places(http: httpx.Client) -> None:
    """Flattened objects of 0.2 and TypeScript, JSON texts of 1.x; others are metadata."""
    attributes = {
        "honeyhive_event_type": "chain",
        "honeyhive_event_name": "named",
        "honeyhive_inputs._params_.chat.0.role": "user",
        "honeyhive_inputs._params_.chat.1.role": "assistant",
        "honeyhive_inputs.options": '{"stop": ["a"]}',
        "honeyhive_outputs.result": "[broken",
        "honeyhive_metrics.score": 0.5,
        "honeyhive_metrics.score.why": "because",
        "honeyhive_metadata": '{"whole": true}',
        "custom": 7,
    }
    http.post(ROUTE, json=export(span("raw", "00000000000000a1", attributes=attributes)))
    (event,) = tree(http)["children"]
    assert (event["event_name"], event["event_type"]) == ("named", "chain")
    assert event["inputs"] == {
        "chat": [{"role": "user"}, {"role": "assistant"}],
        "options": {"stop": ["a"]},
    }
    assert event["outputs"] == {"result": "[broken"}
    assert event["metrics"] == {"score": 0.5, "score.why": "because"}
    assert event["metadata"] == {"whole": True, "custom": 7}


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"attributes": {"honeyhive_error": "bad"}}, "bad"),
        ({"status": {"code": 2, "message": "worse"}}, "worse"),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, "error"),
        (
            {
                "events": [
                    {
                        "name": "exception",
                        "attributes": [
                            attribute("exception.type", "ValueError"),
                            attribute("exception.message", "worst"),
                            attribute("exception.stacktrace", "Traceback"),
                        ],
                    }
                ]
            },
            "ValueError: worst",
        ),
        ({"status": {"code": 1}}, None),
    ],
)
def test_errors_are_told(http: httpx.Client, more: dict[str, Any], error: str | None) -> None:
    """By the attribute, by the status, or by the exception."""
    http.post(ROUTE, json=export(span("failing", "00000000000000a1", **more)))
    (event,) = tree(http)["children"]
    assert event.get("error") == error


def protobuf() -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "app"
    sent = group.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(TRACE),
        span_id=b"\0" * 7 + b"\1",
        name="binary",
        start_time_unix_nano=2 * MS,
        end_time_unix_nano=3 * MS,
    )
    sent.attributes.add(key=SESSION).value.string_value = "s"
    sent.attributes.add(key="n").value.int_value = 5
    sent.attributes.add(key="raw").value.bytes_value = b"\0\1"
    items = sent.attributes.add(key="list").value.array_value.values
    items.add().bool_value = True
    items.add().kvlist_value.values.add(key="k").value.double_value = 0.5
    return bytes(request.SerializeToString())


def in_chunks(body: bytes) -> Iterator[bytes]:
    yield body[:10]
    yield body[10:]


@pytest.mark.parametrize("how", ["plain", "gzip", "chunked"])
def test_protobuf_spans_arrive(http: httpx.Client, how: str) -> None:
    """As the tracers send them; the answer is an empty ExportTraceServiceResponse."""
    headers = {"content-type": "application/x-protobuf"}
    content: Any = protobuf()
    if how == "gzip":
        headers["content-encoding"] = "gzip"
        content = gzip.compress(content)
    elif how == "chunked":
        content = in_chunks(content)
    reply = http.post(ROUTE, content=content, headers=headers)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/x-protobuf")
    assert ExportTraceServiceResponse.FromString(reply.content) == ExportTraceServiceResponse()
    (event,) = tree(http)["children"]
    assert (event["event_name"], event["duration"]) == ("binary", 1)
    assert event["metadata"] == {
        "n": 5,
        "raw": "AAE=",
        "list": [True, {"k": 0.5}],
        "resource": {"service.name": "app"},
    }


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"\xff\xff", "application/x-protobuf", 400),
        (b"{}", "text/plain", 415),
        (b"[]", "application/json", 400),
        (b'{"resourceSpans": 1}', "application/json", 400),
        (b'{"resourceSpans": [1]}', "application/json", 400),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}', "application/json", 400),
    ],
)
def test_what_is_no_export_is_refused(
    http: httpx.Client, content: bytes, media_type: str, status: int
) -> None:
    """Exporters do not repeat what was refused so."""
    reply = http.post(ROUTE, content=content, headers={"content-type": media_type})
    assert reply.status_code == status
    assert reply.json().keys() == {"message", "errorCode"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"traceId": "xyz"},
        {"spanId": ""},
        {"startTimeUnixNano": "soon"},
        {"startTimeUnixNano": -1},
        {"endTimeUnixNano": "9" * 5000},
        {"name": 5},
        {"status": []},
        {"attributes": [{"key": "a", "value": {"intValue": "99999999999999999999"}}]},
        {"attributes": [{"key": "a", "value": 5}]},
        {"attributes": {}},
        {"events": [5]},
    ],
)
def test_a_misshapen_span_is_refused(http: httpx.Client, wrong: dict[str, Any]) -> None:
    """With a 400, and nothing of its request is stored."""
    good = span("good", "00000000000000a1")
    bad = {**span("bad", "00000000000000b2"), **wrong}
    assert http.post(ROUTE, json=export(good, bad)).status_code == 400
    assert http.get("/v1/events").json()["count"] == 0
