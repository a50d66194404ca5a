"""What pages would wait for is done ahead, by a server that somebody looks at."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from viewer_site import call, serving

from honeytrace.errors import StoreError
from honeytrace.server.viewer import _page, _warmup
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
    monkeypatch.setattr(_warmup, "_REST", 0.0)
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


def test_the_choices_are_read_anew(
    http: httpx.Client, store: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once where a store is small; where it is large, for the next page at the latest."""
    monkeypatch.setattr(_page, "_FRESH", 1e9)
    store.insert([call("s", project="first")])
    assert 'value="first"' in http.get("/").text
    store.insert([call(f"s{n}", project="first") for n in range(200)])
    http.get("/")
    store.insert([call("new", project="second")])
    http.get("/")
    while store.times.acquire(blocking=False):
        pass
    for _ in range(2):  # what was under way already may have read too early
        http.get("/")
        assert store.times.acquire(timeout=30)
    assert 'value="second"' in http.get("/").text
