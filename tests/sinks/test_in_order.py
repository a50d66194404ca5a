"""An update is not lost inside a record that the server takes for a redelivery."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import orjson
import pytest
from honeyhive_server import BATCH, TAKEN, HoneyHiveServer, Reply, Request
from hypothesis import given
from hypothesis import strategies as st

from answered import answered
from honeytrace._config import Config
from honeytrace._durability.redelivery import Redelivery
from honeytrace._record.record import Item, Record, Update
from honeytrace.errors import HoneytraceError
from honeytrace.sinks import Delivery
from honeytrace.sinks._in_order import Doubtful, updates_apart
from honeytrace.sinks.api import BATCH_HEADER, ApiSink


def update(event_id: str, n: int = 1) -> Update:
    return Update(event_id, {"metrics": orjson.dumps({"score": n})})


@pytest.fixture
def server() -> Iterator[HoneyHiveServer]:
    with HoneyHiveServer() as server:
        yield server


@pytest.fixture
def sink(server: HoneyHiveServer) -> Iterator[ApiSink]:
    sink = ApiSink(Config(api_key="k", server_url=server.url))
    yield sink
    sink.close()


class LostReplies:
    """Stores what arrives, and answers with an error as a proxy does whose server was killed."""

    def __init__(self, server: HoneyHiveServer) -> None:
        self.lost = threading.Event()
        self._server = server

    def __call__(self, request: Request) -> Reply | None:
        if self.lost.is_set():
            return None
        self.lost.set()
        with self._server.lock:
            self._server._stored(request)
        return Reply(502)


@pytest.mark.parametrize("batched", [False, True])
def test_an_update_follows_a_record_that_may_have_arrived(
    server: HoneyHiveServer, sink: ApiSink, batched: bool
) -> None:
    """The retried record is sent as it was, and the update in a request after it."""
    if batched:
        server.headers = ((BATCH_HEADER, BATCH),)
    assert sink.deliver([answered("first")], timeout=30) == TAKEN
    server.answer = LostReplies(server)
    a = answered("a")
    with pytest.raises(HoneytraceError, match="502"):
        sink.deliver([a], timeout=30)
    before = len(server.requests)
    assert sink.deliver([a, update("a")], timeout=30) == TAKEN
    start, late = server.requests[before:]
    assert b"score" not in start.body
    assert b"score" in late.body
    before = len(server.requests)
    assert sink.deliver([answered("b"), update("b")], timeout=30) == TAKEN
    assert len(server.requests) == before + 1


def test_an_update_waits_while_its_record_is_not_taken(
    server: HoneyHiveServer, sink: ApiSink
) -> None:
    """A record that fails again keeps its updates behind it, in order."""
    a, u = answered("a"), update("a")
    server.answer = lambda request: Reply(502)
    for _ in range(2):
        with pytest.raises(HoneytraceError, match="502"):  # the caller keeps the whole batch
            sink.deliver([a, u], timeout=30)
    assert b"score" not in server.requests[-1].body
    assert all(request.method == "POST" for request in server.requests)


class Recording:
    """A sink that keeps the batches, and takes all of them."""

    def __init__(self) -> None:
        self.batches: list[list[Item]] = []

    def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
        self.batches.append(list(batch))
        return Delivery()

    def close(self) -> None: ...


def test_a_recovery_sends_updates_after_their_records() -> None:
    """A dead process may have delivered any record, so none travels with its update."""
    sink = Recording()
    a, b, u = answered("a"), answered("b"), update("a")
    assert Redelivery(lambda: sink).deliver([a, u, b, update("c")]) == Delivery(refused=[])
    assert sink.batches == [[a, b, update("c")], [u]]


def test_a_failure_of_the_updates_is_theirs_alone() -> None:
    """Records that were taken stay taken when the updates after them fail."""

    class Half(Recording):
        def deliver(self, batch: Sequence[Item], *, timeout: float) -> Delivery:
            if any(isinstance(item, Update) for item in batch):
                raise HoneytraceError("away")
            return super().deliver(batch, timeout=timeout)

    sink = Half()
    way = Redelivery(lambda: sink)
    a, u = answered("a"), update("a")
    fate = way.attempt([a, u], 30)
    assert (list(fate.retry), fate.why) == ([u], "away")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())), st.sets(st.sampled_from("abc")))
def test_parts_have_everything_once_and_in_order(
    drawn: list[tuple[str, bool]], doubtful: set[str]
) -> None:
    """No item is lost or doubled, and only updates beside their doubtful record are held back."""
    batch: list[Item] = [
        update(name, n) if late else answered(name) for n, (name, late) in enumerate(drawn)
    ]
    first, later = updates_apart(batch, doubtful)
    assert sorted(map(id, [*first, *later])) == sorted(map(id, batch))
    places = {id(item): n for n, item in enumerate(batch)}
    for part in (first, later):
        assert [places[id(item)] for item in part] == sorted(places[id(item)] for item in part)
    records = {item.event_id for item in batch if isinstance(item, Record)}
    assert all(item.event_id in records & doubtful for item in later)


def test_too_many_doubts_mean_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of doubtful sessions is bounded; beyond it no update travels in its record."""
    monkeypatch.setattr("honeytrace.sinks._in_order._MOST", 10)
    doubtful = Doubtful()
    doubtful.settle([], [answered(f"s{n}") for n in range(11)])
    a, u = answered("a"), update("a")
    assert doubtful.apart([a, u]) == ([a], [u])
