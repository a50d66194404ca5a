"""Sessions to a collector: encoding, division, answers, and the way back through the server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

import honeytrace

pytest.importorskip("opentelemetry.proto")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector import Collector
from honeytrace._record.record import Record, Update
from honeytrace._record.wire import from_start_session
from honeytrace.errors import ConfigurationError
from honeytrace.otel import OtlpSink

ROOT = "01900000-0000-7000-8000-00000000000a"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that takes everything."""
    running = Collector()
    yield running
    running.close()


@pytest.fixture
def sink(collector: Collector) -> Iterator[OtlpSink]:
    """A sink for the collector."""
    made = OtlpSink(collector.url)
    yield made
    made.close()


def record(session_id: str = ROOT, **fields: Any) -> Record:
    """A record of a startSession payload."""
    times = {"start_time": 1_790_000_000_000.125, "end_time": 1_790_000_000_011, "duration": 10.5}
    names = {"session_name": "run", "project": "bees", "source": "prod"}
    return from_start_session({"session_id": session_id, **names, **times, **fields}, lambda: "x")


def attributes(span: Any) -> dict[str, Any]:
    """The attributes of a span."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes
    }


def test_a_session_is_a_genai_span(collector: Collector, sink: OtlpSink) -> None:
    """Names, ids, times, model, messages and tokens are where other tools look for them."""
    chat = record(
        "01900000-0000-7000-8000-00000000000b",
        inputs={"chat_history": [{"role": "user", "content": "hi"}]},
        outputs={
            "role": "assistant",
            "content": "ho",
            "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}],
        },
        config={"model": "bee-1", "provider": "hive"},
        metadata={
            "prompt_tokens": 3,
            "honeytrace": {"parent_id": ROOT, "root_id": ROOT, "event_type": "model"},
        },
    )
    assert sink.deliver([record(), chat], timeout=10) == ((), [], None, None)
    root, span = collector.spans
    assert root.trace_id.hex() == span.trace_id.hex() == ROOT.replace("-", "")
    assert span.parent_span_id == root.span_id
    assert span.span_id.hex() == "800000000000000b"
    assert span.end_time_unix_nano - span.start_time_unix_nano == 10_500_000
    found = attributes(span)
    assert (span.kind, found["gen_ai.operation.name"]) == (3, "chat")
    assert (found["gen_ai.request.model"], found["gen_ai.provider.name"]) == ("bee-1", "hive")
    assert found["gen_ai.usage.input_tokens"] == 3
    assert orjson.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]}
    ]
    assert [p["type"] for p in orjson.loads(found["gen_ai.output.messages"])[0]["parts"]] == [
        "text",
        "tool_call",
    ]
    (group,) = collector.requests[0].resource_spans
    assert attributes(group.resource) == {
        "service.name": "bees",
        "deployment.environment.name": "prod",
    }


def test_an_error_is_a_status_and_an_exception_event(collector: Collector, sink: OtlpSink) -> None:
    """Collectors see type, message and traceback."""
    details = {"traceback": "Traceback …"}
    sink.deliver(
        [record(error="ValueError: no: bees", metadata={"honeytrace": details})], timeout=10
    )
    (span,) = collector.spans
    assert (span.status.code, span.status.message) == (2, "ValueError: no: bees")
    assert attributes(span)["error.type"] == "ValueError"
    assert attributes(span.events[0]) == {
        "exception.type": "ValueError",
        "exception.message": "no: bees",
        "exception.stacktrace": "Traceback …",
    }


def test_content_can_be_left_out(collector: Collector) -> None:
    """`content=False` sends neither inputs nor outputs, under any name."""
    sink = OtlpSink(collector.url, content=False)
    history = [{"role": "user", "content": "secret"}]
    sink.deliver(
        [record(inputs={"chat_history": history}, outputs={"content": "secret"})], timeout=10
    )
    sink.close()
    assert "secret" not in str(collector.spans)


def test_headers_and_compression(collector: Collector) -> None:
    """Headers are sent with each request, and larger ones are compressed on request."""
    sink = OtlpSink(f"{collector.url}/v1/traces/", headers={"api-key": "k"}, compress=True)
    sink.deliver([record(inputs={"q": "x" * 5000})], timeout=10)
    sink.close()
    assert collector.headers[0]["api-key"] == "k"
    assert collector.headers[0]["Content-Encoding"] == "gzip"


def test_requests_are_divided_by_bytes(collector: Collector) -> None:
    """No request is larger than asked for, and every record arrives."""
    sink = OtlpSink(collector.url, max_bytes=20_000)
    records = [record(f"id-{n}", inputs={"q": "x" * 3000}) for n in range(30)]
    assert sink.deliver(records, timeout=20).refused == []
    sink.close()
    assert max(collector.sizes) <= 20_000
    assert len(collector.spans) == 30
    assert len(collector.requests) > 3


def test_a_record_that_is_too_large_loses_its_largest_object(collector: Collector) -> None:
    """What is left out is named with its size; the rest arrives."""
    sink = OtlpSink(collector.url, max_bytes=20_000)
    sink.deliver([record(inputs={"q": "x" * 50_000}, outputs={"a": 1})], timeout=20)
    sink.close()
    found = attributes(collector.spans[0])
    assert orjson.loads(found["honeytrace.cut"])["inputs"] > 50_000
    assert "honeyhive_inputs" not in found
    assert found["honeyhive_outputs"] == '{"a":1}'


def test_a_request_that_is_too_large_for_the_collector_is_halved(
    collector: Collector, sink: OtlpSink
) -> None:
    """413 divides until the collector takes the parts."""
    collector.answers = [(413, {}, b"")]
    assert sink.deliver([record(f"id-{n}") for n in range(4)], timeout=10).refused == []
    assert [len(r.resource_spans[0].scope_spans[0].spans) for r in collector.requests] == [2, 2]


def test_one_bad_span_costs_no_other(collector: Collector, sink: OtlpSink) -> None:
    """A request that is refused is divided, until the one that is to blame is alone."""

    def answer(request: Any, size: int) -> Any:
        spans = [s for g in request.resource_spans for c in g.scope_spans for s in c.spans]
        if any(s.name == "bad" for s in spans):
            return 400, {}, b"bad span"
        collector.requests.append(request)
        return 200, {}, b""

    collector.answer = answer  # type: ignore[method-assign]
    records = [record(f"id-{n}", session_name="bad" if n == 5 else "good") for n in range(8)]
    ((item, why),) = sink.deliver(records, timeout=20).refused
    assert (item.event_id, "bad span" in why) == ("id-5", True)
    assert len(collector.spans) == 7


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_collector_is_asked_again(collector: Collector, sink: OtlpSink, status: int) -> None:
    """The batch waits, as long as the collector asked for."""
    collector.answers = [(status, {"Retry-After": "7"}, b"")]
    delivery = sink.deliver([record()], timeout=10)
    assert ([r.event_id for r in delivery.retry], delivery.retry_after) == ([ROOT], 7.0)


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_wrong_address_or_key_loses_nothing(
    collector: Collector, sink: OtlpSink, status: int
) -> None:
    """What somebody has to mend keeps the records, and the log says what it is."""
    collector.answers = [(status, {}, b"")]
    delivery = sink.deliver([record()], timeout=10)
    assert len(delivery.retry) == 1
    assert str(status) in (delivery.why or "")


def test_a_partial_success_is_in_the_books(collector: Collector, sink: OtlpSink) -> None:
    """Spans that a collector rejects are refused with its reason."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 1
    response.partial_success.error_message = "too old"
    headers = {"Content-Type": "application/x-protobuf"}
    collector.answers = [(200, headers, response.SerializeToString())]
    ((_, why),) = sink.deliver([record("a"), record("b")], timeout=10).refused
    assert why == "rejected by the collector: too old"


def test_updates(collector: Collector, sink: OtlpSink) -> None:
    """An update with its session is part of the span; a later one is refused, but for children."""
    update = Update(ROOT, {"metrics": b'{"score":1}'})
    children = Update(ROOT, {"children_ids": b'["a"]'})
    assert sink.deliver([record(), update], timeout=10).refused == []
    assert attributes(collector.spans[0])["honeyhive_metrics"] == '{"score":1}'
    ((item, why),) = sink.deliver([children, update], timeout=10).refused
    assert item is update
    assert "cannot be updated" in why


@pytest.mark.parametrize(
    ("endpoint", "options"), [("collector:4318", {}), ("http://x", {"max_bytes": 1})]
)
def test_settings_that_are_none(endpoint: str, options: Any) -> None:
    """A mistake is found when the sink is made."""
    with pytest.raises(ConfigurationError):
        OtlpSink(endpoint, **options)


def test_a_collector_that_is_away_costs_the_caller_nothing(tmp_path: Any) -> None:
    """While nobody listens sessions wait, in memory and on disk, and none is lost; when the
    collector is there they arrive, every one once."""
    first = Collector()
    first.close()  # its port is free, and nobody listens
    honeytrace.configure(
        sink=OtlpSink(first.url),
        journal=tmp_path / "journal",
        flush_interval=0.05,
        queue_bytes=100_000,
    )
    try:
        for number in range(500):
            with honeytrace.session("call", inputs={"n": number, "text": "x" * 1_000}):
                pass
        assert not honeytrace.flush(0.2)
        waiting = honeytrace.stats()
        assert waiting.pending + waiting.journalled == 500
        second = Collector()
        try:
            honeytrace.configure(sink=OtlpSink(second.url))
            deadline = time.monotonic() + 30
            while not honeytrace.flush(5):
                assert time.monotonic() < deadline
            assert len({span.span_id for span in second.spans}) == len(second.spans) == 500
        finally:
            second.close()
    finally:
        honeytrace.configure(sink=None, journal=None, flush_interval=None, queue_bytes=None)
