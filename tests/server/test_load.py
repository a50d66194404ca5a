"""What the server does when its store fails, and when more comes than it can store."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import httpx
import pytest
from server_running import running

from honeytrace._record.record import Record
from honeytrace.server import Limits, create_app
from honeytrace.store.errors import StoreUnavailableError
from honeytrace.store.memory import MemoryStore

BATCH = {"sessions": [{"session_id": "s"}]}


class Slow(MemoryStore):
    """Stores a batch when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.free = threading.Event(), threading.Event()

    def insert(self, records: Sequence[Record]) -> None:
        self.entered.set()
        assert self.free.wait(30)
        super().insert(records)


def test_batches_beyond_the_room_there_is_are_put_off() -> None:
    """With a 503 and Retry-After, while single requests are answered."""
    slow = Slow()
    with (
        running(create_app(slow, limits=Limits(waiting_bytes=10))) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        first: list[httpx.Response] = []
        sender = threading.Thread(
            target=lambda: first.append(client.post("/session/start/batch", json=BATCH))
        )
        sender.start()
        assert slow.entered.wait(30)
        refused = client.post("/session/start/batch", json=BATCH)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["errorCode"] == "server_busy"
        assert client.get("/v1/events").status_code == 200
        assert client.get("/health").status_code == 200
        slow.free.set()
        sender.join(30)
        assert first[0].status_code == 200
        assert client.post("/session/start/batch", json=BATCH).status_code == 200


class Broken(MemoryStore):
    """An engine that cannot be reached until it is mended."""

    def __init__(self) -> None:
        super().__init__()
        self.mended = False

    def insert(self, records: Sequence[Record]) -> None:
        self.ready()
        super().insert(records)

    def ready(self) -> None:
        if not self.mended:
            raise StoreUnavailableError("the engine at secret.example does not answer")


def test_an_engine_that_is_away_is_a_503_and_one_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Clients are told when to try again, and nothing of this machine; then all is well."""
    broken = Broken()
    with (
        caplog.at_level(logging.WARNING, "honeytrace.server"),
        running(create_app(broken)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        for path, body in (
            ("/session/start", {"session": {"session_id": "s"}}),
            ("/session/start/batch", BATCH),
            ("/session/start/batch", BATCH),
        ):
            reply = client.post(path, json=body)
            assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
            assert "secret" not in reply.text
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
        assert len([each for each in caplog.records if "secret.example" in each.message]) == 1
        broken.mended = True
        assert client.get("/ready").json() == {"status": "ready"}
        assert client.post("/session/start/batch", json=BATCH).json()["accepted"] == 1


def test_readiness_needs_no_key() -> None:
    """A balancer asks it."""
    with running(create_app(MemoryStore(), keys=["one"])) as url:
        assert httpx.get(f"{url}/ready").json() == {"status": "ready"}
