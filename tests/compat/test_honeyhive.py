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
    assert enrich_span(metadata={"a": 1}) is False
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
