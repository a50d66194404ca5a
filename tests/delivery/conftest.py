"""Fixtures of the tests of delivery."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flushers import Make

from destinations import PATIENCE
from honeytrace._config import NO_JOURNAL, Config
from honeytrace._delivery import backoff as _outage
from honeytrace._delivery.flusher import Flusher


@pytest.fixture
def flusher() -> Iterator[Make]:
    """Makes flushers of a sink, which end with the test."""
    made: list[Flusher] = []

    def make(sink: Any, **settings: Any) -> Flusher:
        settings = {"flush_interval": 1e-6, "journal": NO_JOURNAL, **settings}
        new = Flusher(Config(**settings), lambda damage: sink)
        made.append(new)
        return new

    yield make
    for each in made:
        thread = each._thread
        each.stop(0.0)
        if thread is not None:
            thread.join(PATIENCE)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for a pause between two tries."""
    monkeypatch.setattr(_outage, "_FIRST_WAIT", 1e-6)
    monkeypatch.setattr(_outage, "_LONGEST_WAIT", 1e-6)
