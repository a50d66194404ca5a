"""A collector that is away: the program does not notice, and everything arrives later."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

import honeytrace
from counted_steps import steps_of
from destinations import PATIENCE, isolated

pytest.importorskip("opentelemetry.proto")

from collector import Collector
from honeytrace.otel import OtlpSink

SECONDS, FEW_SECONDS = 60.0, 1.0


@pytest.mark.timeout(300)
def test_a_collector_that_is_away_for_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A call takes the same steps while the collector is away, and every call arrives once."""
    away = SECONDS if request.config.getoption("--full", default=False) else FEW_SECONDS
    made = 0

    @honeytrace.trace_session
    def call(question: str) -> str:
        return question

    def one() -> None:
        nonlocal made
        made += 1
        call("What do bees see?")

    def steps() -> int:
        """A few calls also wake the thread that delivers, or meet it at work."""
        return min(steps_of(one) for _ in range(20))

    with isolated(monkeypatch, tmp_path):
        collector = Collector()
        port = collector.server.server_port
        honeytrace.configure(
            sink=OtlpSink(collector.url), journal=tmp_path / "journal", flush_interval=0.05
        )
        one()
        assert honeytrace.flush(PATIENCE)
        before = steps()
        assert honeytrace.flush(PATIENCE)
        arrived = collector.spans
        collector.close()
        pause, end = threading.Event(), time.monotonic() + away
        while time.monotonic() < end:
            one()
            pause.wait(0.005)
        during = steps()
        assert honeytrace.stats().delivered == len(arrived)
        back = Collector(port)
        try:
            deadline = time.monotonic() + PATIENCE
            while not honeytrace.flush(5):
                assert time.monotonic() < deadline
            spans = [span.span_id for span in (*arrived, *back.spans)]
        finally:
            back.close()
    assert during == before
    assert len(set(spans)) == len(spans) == made
