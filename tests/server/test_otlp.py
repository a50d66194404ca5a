"""OTLP spans, in protobuf and JSON: how they are read, and what is said of those that cannot be."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from otlp_messages import MS, ROUTE, SESSION, TRACE, attribute, export, rejected, runs, span

PROTOBUF = {"content-type": "application/x-protobuf"}
ROUTES = ("/v1/traces", "/opentelemetry/v1/traces")


def protobuf() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "app"
    sent = group.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(TRACE),
        span_id=b"\0" * 7 + b"\1",
        name="binary",
        kind=3,
        start_time_unix_nano=2 * MS,
        end_time_unix_nano=3 * MS,
    )
    group.scope_spans[0].scope.name = "scope"
    sent.attributes.add(key="n").value.int_value = 5
    sent.attributes.add(key="raw").value.bytes_value = b"\0\1"
    sent.attributes.add(key="odd").value.double_value = float("nan")
    items = sent.attributes.add(key="list").value.array_value.values
    items.add().bool_value = True
    items.add().kvlist_value.values.add(key="k").value.double_value = 0.5
    sent.events.add(name="mark", time_unix_nano=2 * MS)
    sent.links.add(trace_id=b"\2" * 16, span_id=b"\3" * 8)
    return request


def in_chunks(body: bytes) -> Iterator[bytes]:
    yield body[:10]
    yield body[10:]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("how", ["plain", "gzip", "chunked"])
def test_protobuf_spans_arrive(http: httpx.Client, how: str, route: str) -> None:
    """With kind, scope, events and links; the answer is an empty ExportTraceServiceResponse."""
    headers = dict(PROTOBUF)
    content: Any = protobuf().SerializeToString()
    if how == "gzip":
        headers["content-encoding"] = "gzip"
        content = gzip.compress(content)
    elif how == "chunked":
        content = in_chunks(content)
    reply = http.post(route, content=content, headers=headers)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/x-protobuf")
    assert ExportTraceServiceResponse.FromString(reply.content) == ExportTraceServiceResponse()
    (event,) = runs(http)
    assert (event["event_name"], event["duration"], event["project"]) == ("binary", 1, "app")
    del event["metadata"]["honeytrace"]
    assert event["metadata"] == {
        "n": 5,
        "raw": "AAE=",
        "odd": "NaN",
        "list": [True, {"k": 0.5}],
        "resource": {"service.name": "app"},
        "scope": {"name": "scope"},
        "kind": "CLIENT",
        "events": [{"name": "mark", "time": 2}],
        "links": [{"trace_id": "02" * 16, "span_id": "03" * 8}],
    }


def test_json_spans_arrive(http: httpx.Client) -> None:
    """With the same content, under the same names."""
    sent = span(
        "chat",
        "a1",
        kind="SPAN_KIND_CLIENT",
        events=[{"name": "mark", "timeUnixNano": "2000000", "attributes": [attribute("x", 1)]}],
        links=[{"traceId": "02" * 16, "spanId": "03" * 8}],
        traceState="v=1",
        droppedAttributesCount=2,
        attributes={"gen_ai.operation.name": "chat", "custom": "kept"},
    )
    scope = {"name": "instrumentor", "version": "1"}
    resource = {"service.name": "app", "deployment.environment.name": "prod"}
    assert http.post(ROUTE, json=export(sent, resource=resource, scope=scope)).json() == {}
    (event,) = runs(http)
    assert (event["event_type"], event["project"], event["source"]) == ("model", "app", "prod")
    assert (
        event["metadata"].items()
        >= {
            "custom": "kept",
            "kind": "CLIENT",
            "trace_state": "v=1",
        }.items()
    )
    assert event["metadata"]["dropped"] == {"attributes": 2}
    assert event["metadata"]["scope"] == scope
    assert event["metadata"]["events"] == [{"name": "mark", "time": 2, "attributes": {"x": 1}}]
    assert event["metadata"]["links"] == [{"trace_id": "02" * 16, "span_id": "03" * 8}]


def test_attributes_of_tracers_take_their_places(http: httpx.Client) -> None:
    """The mapping of `honeytrace.otel` decides; here is one of each kind."""
    attributes = {
        "honeyhive_event_type": "tool",
        "honeyhive_event_name": "named",
        "honeyhive_inputs._params_.chat.0.role": "user",
        "honeyhive_metrics.score": 0.5,
        "user.id": "ada",
    }
    http.post(ROUTE, json=export(span("raw", "a1", attributes=attributes)))
    (event,) = runs(http)
    assert (event["event_name"], event["event_type"]) == ("named", "tool")
    assert event["inputs"] == {"chat": [{"role": "user"}]}
    assert event["metrics"] == {"score": 0.5}
    assert event["user_properties"] == {"user_id": "ada"}


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
    """By the attribute, by the status, or by the exception, which has its traceback."""
    http.post(ROUTE, json=export(span("failing", "a1", **more)))
    (event,) = runs(http)
    assert event.get("error") == error
    if "events" in more:
        assert event["metadata"]["honeytrace"]["traceback"] == "Traceback"


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"\xff\xff", "application/x-protobuf", 400),
        (b"{}", "text/plain", 415),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
    ],
)
@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_what_is_no_export_is_refused(
    http: httpx.Client, content: bytes, media_type: str, status: int, signal: str
) -> None:
    """Exporters do not repeat what was refused so."""
    reply = http.post(f"/v1/{signal}", content=content, headers={"content-type": media_type})
    assert reply.status_code == status
    assert reply.json().keys() == {"message", "errorCode"}


ODD: dict[str, dict[str, Any]] = {
    "no end": {"endTimeUnixNano": None},
    "end 0": {"endTimeUnixNano": "0"},
    "end before start": {"endTimeUnixNano": "1"},
    "no start": {"startTimeUnixNano": ...},
    "no times": {"startTimeUnixNano": ..., "endTimeUnixNano": ...},
    "number times": {"startTimeUnixNano": 2 * MS},
    "float times": {"startTimeUnixNano": 2e6},
    "far times": {"startTimeUnixNano": str(2**64 - 1), "endTimeUnixNano": str(2**64 - 1)},
    "base64 ids": {"traceId": "W47/95gDgQPSabYzgT/GDA==", "spanId": "7uGbfsPBsXM="},
    "upper case": {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B173"},
    "parent of zeros": {"parentSpanId": "0" * 16},
    "parent is itself": {"parentSpanId": "b2".rjust(16, "0")},
    "no name": {"name": None},
    "long name": {"name": "x" * 20_000},
    "NUL in the name": {"name": "a\0b"},
    "half a pair": {"name": "\ud83d"},
    "no value": {"attributes": [{"key": "a"}]},
    "no key": {"attributes": [{"value": {"stringValue": "x"}}]},
    "a pair that is none": {"attributes": [5]},
    "a bare value": {"attributes": [{"key": "a", "value": 5}]},
    "two kinds": {"attributes": [{"key": "a", "value": {"intValue": "1", "stringValue": "1"}}]},
    "a new kind": {"attributes": [{"key": "a", "value": {"newValue": 1}}]},
    "int as float": {"attributes": [{"key": "a", "value": {"intValue": 25.0}}]},
    "int beyond 64 bit": {"attributes": [{"key": "a", "value": {"intValue": "9" * 30}}]},
    "endless digits": {"attributes": [{"key": "a", "value": {"intValue": "9" * 5000}}]},
    "a mapping": {"attributes": {"a": 1}},
    "status of text": {"status": "fine"},
    "kind of text": {"kind": "SPAN_KIND_NEW"},
    "null lists": {"events": None, "links": None, "attributes": None},
    "unknown fields": {"flags": 257, "foo": 1},
}

WRONG: dict[str, Any] = {
    "no trace": {"traceId": None},
    "a trace of zeros": {"traceId": "0" * 32},
    "no id": {"spanId": ""},
    "an id of zeros": {"spanId": "0" * 16},
    "an id that is no hex": {"traceId": "xyz"},
    "a time that is none": {"startTimeUnixNano": "soon"},
    "a negative time": {"startTimeUnixNano": -1},
    "endless time": {"endTimeUnixNano": "9" * 5000},
    "a number as name": {"name": 5},
    "an event that is none": {"events": [5]},
    "an endless session": {"attributes": [attribute(SESSION, "x" * 20_000)]},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_span_is_stored(http: httpx.Client, odd: dict[str, Any]) -> None:
    """What is still clear is taken as it is meant, and never has a negative duration."""
    sent = {**span("odd", "b2", trace="f" * 32), **odd}
    sent = {name: value for name, value in sent.items() if value is not ...}
    body = json.dumps(export(span("good", "a1"), sent))  # escapes half a surrogate pair
    reply = http.post(ROUTE, content=body, headers={"content-type": "application/json"})
    assert rejected(reply) == (0, "")
    found = runs(http)
    assert len(found) == 2
    assert all(each.get("duration", 0) >= 0 for each in found)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_span_costs_no_other(http: httpx.Client, wrong: dict[str, Any]) -> None:
    """The good one is stored, and the reply counts the other and says why."""
    sent = {**span("bad", "b2", trace="f" * 32), **wrong}
    reply = http.post(ROUTE, json=export(sent, span("good", "a1"), sent))
    count, reason = rejected(reply)
    assert count == 2
    assert reason
    assert [each["event_name"] for each in runs(http)] == ["good"]


@pytest.mark.parametrize(
    "group", [1, {"scopeSpans": 1}, {"scopeSpans": [1]}, {"scopeSpans": [{"spans": [None]}]}]
)
def test_a_wrong_group_costs_no_other(http: httpx.Client, group: Any) -> None:
    """Misshapen groups are counted as one."""
    body = export(span("good", "a1"))
    body["resourceSpans"].insert(0, group)
    assert rejected(http.post(ROUTE, json=body))[0] == 1
    assert [each["event_name"] for each in runs(http)] == ["good"]


def test_a_text_that_is_no_utf8_costs_no_other_span(http: httpx.Client) -> None:
    """A parser of protobuf refuses the whole message; the server takes it apart."""
    request = protobuf()
    bad = (
        request.resource_spans[0]
        .scope_spans[0]
        .spans.add(trace_id=b"\1" * 16, span_id=b"\1" * 8, name="BROKEN")
    )
    assert bad.name == "BROKEN"
    body = request.SerializeToString().replace(b"BROKEN", b"BR\xff\xffEN")
    reply = http.post(ROUTE, content=body, headers=PROTOBUF)
    partial = ExportTraceServiceResponse.FromString(reply.content).partial_success
    assert (reply.status_code, partial.rejected_spans) == (200, 1)
    assert "UTF-8" in partial.error_message
    (event,) = runs(http)
    assert (event["event_name"], event["project"]) == ("binary", "app")
    assert event["metadata"]["scope"] == {"name": "scope"}


def test_a_span_without_an_end_is_interrupted(http: httpx.Client) -> None:
    """It was exported before it ended: no end, no duration."""
    http.post(ROUTE, json=export(span("cut", "a1", endTimeUnixNano="0")))
    (event,) = runs(http)
    assert "end_time" not in event
    assert "duration" not in event
    assert event["metadata"]["honeytrace"]["status"] == "interrupted"


def test_an_end_before_the_start_is_kept_as_it_was_sent(http: httpx.Client) -> None:
    """The span takes no time, and what it said stays in its metadata."""
    http.post(ROUTE, json=export(span("back", "a1", start=5, end=2)))
    (event,) = runs(http)
    assert (event["start_time"], event["end_time"], event["duration"]) == (5, 5, 0)
    assert event["metadata"]["end_time_unix_nano"] == 2 * MS


def test_a_long_name_is_cut(http: httpx.Client) -> None:
    """And says how much is missing."""
    http.post(ROUTE, json=export(span("x" * 20_000, "a1")))
    (event,) = runs(http)
    assert len(event["event_name"]) <= 10_000
    assert event["event_name"].endswith(" characters)")


@pytest.mark.parametrize("prefix", ["", "/opentelemetry"])
def test_metrics_are_taken_and_left_out(http: httpx.Client, prefix: str) -> None:
    """So that an exporter of all three signals does not fail; `/stats` counts them."""
    body = ExportMetricsServiceRequest().SerializeToString()
    reply = http.post(f"{prefix}/v1/metrics", content=body, headers=PROTOBUF)
    assert (reply.status_code, reply.content) == (200, b"")
    assert http.post(f"{prefix}/v1/metrics", json={"resourceMetrics": []}).json() == {}
    assert http.get("/stats").json()["metric exports left out"] == 2
