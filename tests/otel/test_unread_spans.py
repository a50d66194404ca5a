"""Without a journal the fields of a span are read when its record is made, and are the same."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import honeytrace
from destinations import Scripted, isolated
from honeytrace._capture.hooks import hooks
from honeytrace._record.record import Record

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import trace
from opentelemetry.sdk.trace import IdGenerator, TracerProvider
from opentelemetry.trace import Status, StatusCode
from test_odd_spans import hostile, names

from honeytrace.otel import SpanProcessor
from honeytrace.otel._spans import SPANS


class Counted(IdGenerator):
    """The same ids in every run."""

    def __init__(self) -> None:
        self._next = count(1).__next__

    def generate_trace_id(self) -> int:
        return self._next()

    def generate_span_id(self) -> int:
        return self._next()

    def is_trace_id_random(self) -> bool:
        return False


@pytest.fixture(autouse=True)
def bridge(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """The process without a bridge, before and after; the SDK complains of odd attributes."""
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    with isolated(monkeypatch, tmp_path):
        yield
    hooks.adopt = None
    SPANS.forget()


def tracer() -> trace.Tracer:
    """A tracer whose spans become sessions, with the same ids in every run."""
    provider = TracerProvider(shutdown_on_exit=False, id_generator=Counted())
    provider.add_span_processor(SpanProcessor(keep="all"))
    return provider.get_tracer("app")


def recorded(journal: str, made: list[tuple[dict[str, Any], int]]) -> list[Record]:
    """The records of spans with these attributes: one that is plain, one that fails, …"""
    sink = Scripted()
    honeytrace.configure(sink=sink, journal=journal, flush_interval=3600.0)
    spans = tracer()
    with honeytrace.session("first"):  # the first root of a process names the versions
        pass
    for attributes, kind in made:
        span = spans.start_span("s", attributes=attributes, start_time=1_000_000_000)
        if kind == 1:
            span.set_status(Status(StatusCode.ERROR, "no bees"))
        elif kind == 2:
            span.add_event("event", attributes, timestamp=1_500_000_000)
        elif kind == 3:
            span.add_link(span.get_span_context(), attributes)
        span.end(2_000_000_000)
    honeytrace.flush(30)
    honeytrace.shutdown()
    SPANS.forget()
    return [i for i in sink.items if isinstance(i, Record) and i.event_name != "first"]


secrets = st.sampled_from(
    (
        {"api_key": "sk-1234567890abcdef1234"},
        {"gen_ai.input.messages": '[{"role":"user","content":"x","password":"hunter2hunter"}]'},
        {"honeyhive_error": "password=hunter2hunter"},
        {"honeyhive_inputs.token": "t0p-s3cret-value"},
    )
)


@settings(max_examples=40, deadline=None, suppress_health_check=[*HealthCheck])
@given(
    st.lists(
        st.tuples(st.dictionaries(names, hostile, max_size=4) | secrets, st.integers(0, 3)),
        min_size=1,
        max_size=6,
    )
)
def test_a_span_is_the_same_record_with_and_without_a_journal(
    tmp_path: Path, made: list[tuple[dict[str, Any], int]]
) -> None:
    """With a journal the fields are read when a span ends, without one later; nothing differs."""
    assert recorded(":none:", made) == recorded(str(tmp_path / "journal"), made)


def test_redaction_is_that_of_the_end_of_a_span() -> None:
    """A span that has ended is masked as it was agreed then, whatever is configured later."""
    sink = Scripted()
    given: Any = {"sink": sink, "journal": ":none:", "flush_interval": 3600.0}
    honeytrace.configure(**given)
    tracer().start_span("s", attributes={"api_key": "hunter2"}).end()
    honeytrace.configure(**given, redact=False)
    honeytrace.flush(30)
    (record,) = [item for item in sink.items if isinstance(item, Record)]
    assert b"hunter2" not in (record.metadata or b"")


def test_an_ended_span_can_be_asked_before_it_is_delivered() -> None:
    """Who kept the session of a span reads its fields, and the record keeps them."""
    sink = Scripted()
    honeytrace.configure(sink=sink, journal=":none:", flush_interval=3600.0)
    with tracer().start_as_current_span("s", attributes={"bees": 7}):
        session = honeytrace.current_session()
    assert session.metadata["bees"] == 7
    session.update(metadata={"hive": 1})
    honeytrace.flush(30)
    record, update = sink.items
    assert isinstance(record, Record)
    assert b'"bees":7' in (record.metadata or b"")
    assert update.event_id == record.event_id


@pytest.mark.parametrize(
    "attributes",
    [
        {"a": "x" * 100_000},
        {"a": ["x" * 10_000] * 10},
        {"a": {"b": [{"c": "x" * 100_000}]}},
    ],
)
def test_a_span_that_waits_counts_with_all_its_values(attributes: dict[str, Any]) -> None:
    """The queue's bound in bytes holds for spans, however their values are nested."""
    honeytrace.configure(
        sink=Scripted(lambda batch: OSError("away")),
        journal=":none:",
        flush_interval=3600.0,
        queue_bytes=1_000_000,
    )
    spans = tracer()
    for _ in range(50):
        spans.start_span("s", attributes=attributes).end()
    # ten in the queue, and as many again in the batch that cannot be delivered
    assert honeytrace.stats().pending <= 30
    assert sum(honeytrace.stats().dropped.values()) >= 20


def test_changes_after_the_end_are_not_recorded() -> None:
    """Attributes that somebody takes from a span after its end are recorded all the same."""
    sink = Scripted()
    honeytrace.configure(sink=sink, journal=":none:", flush_interval=3600.0)
    span: Any = tracer().start_span("s", attributes={"bees": 7})
    span.end()
    span._attributes._dict.clear()
    honeytrace.flush(30)
    assert b'"bees":7' in (sink.items[0].metadata or b"")  # type: ignore[union-attr]


def test_a_defect_of_the_mapping_costs_fields_and_no_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A span whose fields cannot be read is recorded without them."""
    sink = Scripted()
    honeytrace.configure(sink=sink, journal=":none:", flush_interval=3600.0)
    tracer().start_span("s", attributes={"bees": 7}).end()
    monkeypatch.setattr(sys.modules["honeytrace.otel._bridge"], "_fields", lambda span: 1 / 0)
    honeytrace.flush(30)
    assert [item.event_name for item in sink.items if isinstance(item, Record)] == ["s"]
