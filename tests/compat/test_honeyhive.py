"""Programs written for HoneyHive's SDK, with the import changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import honeytrace
from honeytrace.compat.honeyhive import (
    HoneyHiveTracer,
    atrace,
    enrich_session,
    enrich_span,
    trace,
)
from honeytrace.testing import CapturedSessions, capture


@pytest.fixture
def recorded() -> Iterator[CapturedSessions]:
    """What is recorded, in order of its end."""
    with capture() as sessions:
        yield sessions


def test_the_five_names(recorded: CapturedSessions) -> None:
    """A traced program with enrichments records what it did under HoneyHive's SDK."""
    tracer = HoneyHiveTracer.init(project="bees", source="staging", session_name="qa")

    @trace(event_type="model", config={"model": "small"}, event_name="complete", tags={"a": 1})
    def complete(prompt: str) -> str:
        enrich_span(metrics={"score": 1}, metadata={"k": "v"}, custom="kept")
        return prompt.upper()

    @atrace
    async def ask(question: str) -> str:
        assert tracer.session_id is not None
        enrich_session(metadata={"tier": "gold"}, user_properties={"user_id": "u"})
        return complete(question)

    assert asyncio.run(ask("why")) == "WHY"
    inner, outer = recorded
    assert (inner.session_name, inner.event_type) == ("complete", "model")
    assert (inner.config, inner.metrics) == ({"model": "small"}, {"score": 1})
    assert inner.metadata == {"tags": {"a": 1}, "custom": "kept", "k": "v"}
    assert (outer.project, outer.source) == ("bees", "staging")
    assert (outer.metadata, outer.user_properties) == ({"tier": "gold"}, {"user_id": "u"})


def test_outside_of_a_call_nothing_is_enriched(recorded: CapturedSessions) -> None:
    """Without a session the functions say so and raise nothing."""
    assert not enrich_span(metadata={"a": 1})
    assert enrich_session(metadata={"a": 1}) is False
    assert HoneyHiveTracer().session_id is None


def test_a_session_is_enriched_by_its_id_later(recorded: CapturedSessions) -> None:
    """`enrich_session(session_id, …)` is an update."""

    @trace
    def call() -> None:
        pass

    call()
    assert enrich_session(recorded[0].session_id, feedback={"rating": 5})
    assert recorded[0].feedback == {"rating": 5}


def test_the_decorators_forms(recorded: CapturedSessions) -> None:
    """Type and name may stand in their places; without a type, a call is a tool."""

    @trace
    def bare() -> int:
        return 1

    @trace()
    def called() -> int:
        return bare()

    @trace("model", "ask", tracer=None, metrics={"cost": 2})
    async def placed() -> int:
        return called()

    @atrace(event_type="chain", event_name="outer", inputs={"ignored": 1})
    async def outer() -> int:
        return await placed()

    assert asyncio.run(outer()) == 1
    types = [(each.session_name.rpartition(".")[2], each.event_type) for each in recorded]
    assert types == [
        ("bare", "tool"),
        ("called", "tool"),
        ("ask", "model"),
        ("outer", "session"),
    ]
    assert recorded[2].metrics == {"cost": 2}


def test_a_span_is_enriched_in_every_form(recorded: CapturedSessions) -> None:
    """Attributes and other names are metadata and win; nested calls are enriched by themselves."""
    tracer = HoneyHiveTracer.init("a key", "bees", test_mode=True)

    @trace
    def inner() -> None:
        assert tracer.enrich_span({"a": 2, "b": 2}, metadata={"a": 1, "c": 1}, b=3)
        with enrich_span(config={"model": "small"}, user_properties={"user_id": "u"}) as session:
            session.update(feedback={"rating": 5})

    @trace
    def outer() -> None:
        inner()
        assert enrich_span(error="it was wrong", inputs={"question": "why"}, outputs={"x": 1})
        assert tracer.enrich_session({"tier": "gold"}, metrics={"score": 1})

    outer()
    first, second = recorded
    assert first.metadata == {"a": 2, "b": 3, "c": 1}
    assert (first.config, first.feedback) == ({"model": "small"}, {"rating": 5})
    assert first.user_properties == {"user_id": "u"}
    assert (second.error, second.outputs) == ("it was wrong", {"x": 1})
    assert second.inputs == {"question": "why"}
    assert (second.metadata, second.metrics) == ({"tier": "gold"}, {"score": 1})
    assert second.project == "bees"


def test_calls_are_enriched_by_their_ids(recorded: CapturedSessions) -> None:
    """`event_id` and `session_id` name calls that have ended."""
    tracer = HoneyHiveTracer()
    with tracer.start_span("block", attributes={"a": 1}) as span:
        span.set_attribute("b", 2)
        own = tracer.session_id
    assert own is not None
    assert tracer.session_id is None
    enrich_span(event_id=own, metrics={"late": 1})
    enrich_session(own, {"c": 3})
    assert tracer.enrich_session(session_id=own, feedback={"rating": 4})
    assert tracer.flush(timeout_millis=10_000)
    (block,) = recorded
    assert block.metadata == {"a": 1, "b": 2, "c": 3}
    assert (block.metrics, block.feedback) == ({"late": 1}, {"rating": 4})


def test_settings_may_be_objects(recorded: CapturedSessions) -> None:
    """The settings of 1.x come as objects, too; arguments win over them."""

    class Config:
        project = "from the object"
        source = "staging"
        session_name = None

    HoneyHiveTracer.init(config=Config(), project="argued", session_name="run", disable_batch=True)
    with honeytrace.session():
        pass
    (found,) = recorded
    assert (found.project, found.source, found.session_name) == ("argued", "staging", "run")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HH_INGESTION_API_KEY": "hh_ingst_x"}, ("hh_ingst_x", "https://api.honeyhive.ai", True)),
        ({"HH_API_KEY": "a", "HH_INGESTION_API_KEY": "b"}, ("a", "https://api.honeyhive.ai", True)),
        ({"HONEYHIVE_SERVER_URL": "https://h"}, (None, "https://h", True)),
        ({"HH_API_URL": "https://a", "HH_SERVER_URL": "https://b"}, (None, "https://a", True)),
        ({"HH_API_KEY": "a", "HH_TEST_MODE": "true"}, (None, "https://api.honeyhive.ai", True)),
        ({"HH_API_KEY": "a", "HH_TEST_MODE": "0"}, ("a", "https://api.honeyhive.ai", True)),
        ({"HONEYTRACE_API_KEY": "k", "HH_TEST_MODE": "1"}, ("k", "https://api.honeyhive.ai", True)),
        ({"HH_DISABLE_TRACING": "1"}, (None, "https://api.honeyhive.ai", False)),
        ({"HH_DISABLE_TRACING": "false"}, (None, "https://api.honeyhive.ai", True)),
    ],
)
def test_the_environment_of_honeyhives_sdk(environ: dict[str, str], expected: Any) -> None:
    """The names of the 1.x SDK are read; those of 0.x and honeytrace's own win."""
    config = honeytrace._config.load({}, environ)
    assert (config.api_key, config.server_url, config.enabled) == expected
