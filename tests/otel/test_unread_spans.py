"""Without a journal the fields of a span are read when its record is made, and are the same."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import honeytrace
from destinations import Scripted, isolated
from honeytrace._capture.hooks import hooks
from honeytrace._durability.recovery import recover
from honeytrace._record.record import Item, Record
from honeytrace.sinks import Delivery

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


def recorded(
    journal: str,
    made: list[tuple[dict[str, Any], int]],
    waiting: Callable[[], None] = lambda: None,
) -> list[Record]:
    """The records of spans with these attributes: one that is plain, one that fails, …

    waiting: called before anything is delivered.
    """
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
    waiting()
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


texts = st.sampled_from(
    (
        "v" * 20,
        '[{"role":"user","parts":[{"type":"text","content":"Why?"}]}]',
        '{"temperature": 0.2, "stop": null, "seed": 18446744073709551616}',
        ("a", "b"),
        float("nan"),
        1.5,
        True,
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


@settings(max_examples=40, deadline=None, suppress_health_check=[*HealthCheck])
@given(
    st.lists(
        st.tuples(st.dictionaries(names, hostile | texts, max_size=4) | secrets, st.integers(0, 3)),
        min_size=1,
        max_size=6,
    )
)
def test_a_journal_has_the_record_of_a_span_without_its_secrets(
    tmp_path: Path, made: list[tuple[dict[str, Any], int]]
) -> None:
    """What a recovery finds of a span that has ended is what is delivered, and the file in which it
    finds that has no secret."""
    directory = Path(tempfile.mkdtemp(dir=tmp_path))
    copy = directory / "copy"

    def killed() -> None:
        shutil.copytree(directory / "journal", copy)

    delivered = recorded(str(directory / "journal"), made, killed)
    for file in copy.iterdir():
        data = file.read_bytes()
        assert not any(secret in data for secret in (b"hunter2hunter", b"1234567890abcdef1234"))
    found: list[Item] = []

    def deliver(batch: list[Item]) -> Delivery | None:
        found.extend(batch)
        return None

    recover(str(copy), deliver)
    recovered = {each.event_id: each for each in found if isinstance(each, Record)}
    assert [recovered[each.event_id] for each in delivered] == delivered


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.input.messages": '[{"p\\u0061ssword": "hunter2hunter"}]'},
        {"gen_ai.prompt.0.password.0": "hunter2hunter", "gen_ai.prompt.0.role": "user"},
        {"honeyhive_inputs.password.deep.er": "hunter2hunter"},
        {"honeyhive_inputs.h.name": "x-api-key", "honeyhive_inputs.h.value": "hunter2hunter"},
        {"honeyhive_inputs.all.0.0": "x-api-key", "honeyhive_inputs.all.0.1": "hunter2hunter"},
    ],
)
def test_a_secret_that_the_mapping_uncovers_is_in_no_journal(
    tmp_path: Path, attributes: dict[str, Any]
) -> None:
    """A name that is told as such only when texts are parsed or names are nested is masked on disk,
    too."""
    files: list[bytes] = []

    def read() -> None:
        files.extend(file.read_bytes() for file in (tmp_path / "journal").iterdir())

    (record,) = recorded(str(tmp_path / "journal"), [(attributes, 0)], read)
    assert b"hunter2hunter" not in b"".join(filter(None, (record.inputs, record.metadata)))
    assert files
    assert not any(b"hunter2hunter" in data for data in files)


def test_the_programs_own_rules_hold_for_the_journal(tmp_path: Path) -> None:
    """Names and functions that the program gave mask what a journal has of a span."""
    for redact in ("bee", [lambda path, value: "x" if "inputs" in path else value]):
        place = Path(tempfile.mkdtemp(dir=tmp_path))
        honeytrace.configure(sink=Scripted(), journal=str(place), redact=redact)
        text = '{"bee": "hunter2hunter"}'
        tracer().start_span("s", attributes={"input.value": text, "llm.model_name": "m"}).end()
        files = [file.read_bytes() for file in place.iterdir()]
        assert files
        assert not any(b"hunter2hunter" in data for data in files)
        honeytrace.shutdown()
        SPANS.forget()


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
    monkeypatch.setattr(sys.modules["honeytrace.otel._reading"], "_fields", lambda span: 1 / 0)
    honeytrace.flush(30)
    assert [item.event_name for item in sink.items if isinstance(item, Record)] == ["s"]
