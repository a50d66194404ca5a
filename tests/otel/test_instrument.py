"""`instrument()`: which of the installed instrumentors run, into which provider, and until when."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from honeytrace._capture.hooks import hooks
from honeytrace.testing import CapturedSessions, capture

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import TracerProvider

from honeytrace.otel import _instrument
from honeytrace.otel._spans import SPANS

MODULE = '''
class Instrumentor:
    """Like those of OpenTelemetry: a singleton that is started and stopped."""
    one, provider, is_instrumented_by_opentelemetry = None, None, False
    def __new__(cls):
        cls.one = cls.one or super().__new__(cls)
        return cls.one
    def instrument(self, tracer_provider=None, **options):
        self.provider = tracer_provider
        self.is_instrumented_by_opentelemetry = True
    def uninstrument(self):
        self.provider, self.is_instrumented_by_opentelemetry = None, False

class Other(Instrumentor):
    one = None

class Web(Instrumentor):
    one = None

class Broken(Instrumentor):
    one = None
    def instrument(self, **options):
        raise RuntimeError("not today")

class NoSdk(Instrumentor):
    one = None
    def instrument(self, **options):
        raise ImportError("the SDK is not installed")
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Installs instrumentors as a package does: name → class of the module above."""

    def install(**points: str) -> Any:
        monkeypatch.delitem(sys.modules, "honeytrace_fake", raising=False)
        (tmp_path / "honeytrace_fake.py").write_text(MODULE)
        folder = tmp_path / "honeytrace_fake-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: honeytrace-fake\nVersion: 1")
        lines = [f"{name} = honeytrace_fake:{found}" for name, found in points.items()]
        (folder / "entry_points.txt").write_text("\n".join([f"[{_instrument.GROUP}]", *lines]))
        monkeypatch.syspath_prepend(str(tmp_path))
        import honeytrace_fake

        return honeytrace_fake

    yield install
    sys.modules.pop("honeytrace_fake", None)
    _instrument._started.clear()
    hooks.adopt = None
    SPANS.forget()


@pytest.fixture
def recorded() -> Iterator[CapturedSessions]:
    """What is recorded, in order of its end."""
    with capture() as sessions:
        yield sessions


def test_spans_of_an_instrumentor_are_recorded_until_it_is_stopped(
    install: Any, recorded: CapturedSessions
) -> None:
    """`undo` stops it, and a second call starts it again."""
    fake = install(bees="Instrumentor")
    for name in ("first", "second"):
        with honeytrace.otel.instrument() as running:
            assert "bees" in running.names
            provider = fake.Instrumentor().provider
            provider.get_tracer("bees").start_span(name).end()
        assert fake.Instrumentor().provider is None
    assert [each.session_name for each in recorded] == ["first", "second"]


def test_started_twice_it_records_once(install: Any, recorded: CapturedSessions) -> None:
    """The second call starts nothing anew, and stopping that one stops nothing."""
    fake = install(bees="Instrumentor")
    with honeytrace.otel.instrument("bees"):
        with honeytrace.otel.instrument("bees") as again:
            assert again.names == []
        fake.Instrumentor().provider.get_tracer("bees").start_span("once").end()
    assert [each.session_name for each in recorded] == ["once"]


def test_a_provider_of_the_programs_own(install: Any, recorded: CapturedSessions) -> None:
    """Spans go to the provider that was given, which gets the processor once."""
    fake = install(bees="Instrumentor")
    provider = TracerProvider(shutdown_on_exit=False)
    for _ in range(2):
        with honeytrace.otel.instrument("bees", provider=provider):
            assert fake.Instrumentor().provider is provider
    provider.get_tracer("app").start_span("s").end()
    assert len(recorded) == 1


def test_what_the_program_started_itself_is_told(
    install: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Its spans go elsewhere, and the log line says what to add there."""
    fake = install(bees="Instrumentor")
    fake.Instrumentor().instrument(tracer_provider=TracerProvider(shutdown_on_exit=False))
    with honeytrace.otel.instrument("bees") as running:
        assert running.names == []
    assert "SpanProcessor() to the tracer provider" in caplog.text


def test_one_that_fails_costs_a_log_line(install: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The others are started all the same; a missing SDK is no news, unless it was asked for."""
    install(bees="Instrumentor", broken="Broken", no_sdk="NoSdk")
    caplog.set_level(logging.WARNING)
    with honeytrace.otel.instrument() as running:
        assert "bees" in running.names
        assert not {"broken", "no_sdk"} & {*running.names}
    assert "not today" in caplog.text
    assert "the SDK is not installed" not in caplog.text
    honeytrace.otel.instrument("no_sdk").undo()
    assert "the SDK is not installed" in caplog.text


def test_traffic_is_started_only_when_it_is_wanted(install: Any) -> None:
    """HTTP clients and databases: by name, or with `keep="all"`."""
    install(requests="Web", bees="Instrumentor")
    with honeytrace.otel.instrument() as running:
        assert "requests" not in running.names
    with honeytrace.otel.instrument("requests") as running:
        assert running.names == ["requests"]
    with honeytrace.otel.instrument(
        keep="all", provider=TracerProvider(shutdown_on_exit=False)
    ) as running:
        assert {"requests", "bees"} <= {*running.names}


def test_of_two_for_one_sdk_one_is_started(install: Any) -> None:
    """`genai-bees` and `bees` patch the same SDK."""
    fake = install(**{"bees": "Instrumentor", "genai-bees": "Other"})
    with honeytrace.otel.instrument("bees") as running:
        assert running.names == ["bees"]
        assert [fake.Instrumentor().provider, fake.Other().provider].count(None) == 1
