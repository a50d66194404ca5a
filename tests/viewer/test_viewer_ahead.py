"""What pages would wait for is done ahead, by a server that somebody looks at."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from viewer_site import call, serving

from honeytrace.errors import StoreError
from honeytrace.server.viewer import _ahead
from honeytrace.store.memory import MemoryStore


class Indexed(MemoryStore):
    """Tells each time that it is indexed."""

    def __init__(self) -> None:
        super().__init__()
        self.times = threading.Semaphore(0)
        self.broken = False

    def index(self) -> None:
        self.times.release()
        if self.broken:
            raise StoreError("the disk is full")


@pytest.fixture
def store() -> Indexed:
    return Indexed()


@pytest.fixture
def http(store: Indexed, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr(_ahead, "_REST", 0.0)
    with serving(store) as url, httpx.Client(base_url=url) as client:
        yield client


def test_it_is_done_at_the_start_and_while_pages_are_asked_for(
    http: httpx.Client, store: Indexed
) -> None:
    """Once before anyone asks, again for a page, and never for programs."""
    assert store.times.acquire(timeout=30)
    for path in ("/session/none", "/v1/events", "/health"):
        http.get(path)
    assert not store.times.acquire(timeout=0.05)
    http.get("/overview")
    assert store.times.acquire(timeout=30)


def test_a_store_that_fails_does_not_end_it(
    http: httpx.Client, store: Indexed, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so, and tries again when the next page is asked for."""
    assert store.times.acquire(timeout=30)
    store.broken = True
    for _ in range(2):
        assert http.get("/").status_code == 200
        assert store.times.acquire(timeout=30)
    assert "the disk is full" in caplog.text


def test_the_choices_are_read_anew(http: httpx.Client, store: Indexed) -> None:
    """What arrived since is offered, without a page waiting for it."""
    assert store.times.acquire(timeout=30)
    store.insert([call("s", project="brand new")])
    http.get("/")
    assert store.times.acquire(timeout=30)
    assert 'value="brand new"' in http.get("/").text
