"""The API sink against a real server: everything arrives once, or has a fate with a name."""

from __future__ import annotations

import logging
import os
import random
import re
import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from honeyhive_server import BATCH, TAKEN, HoneyHiveServer, Reply, Request

import honeytrace
from honeytrace._config import NO_JOURNAL, Config
from honeytrace._delivery.flusher import Flusher
from honeytrace._record.record import Item, Record, Update
from honeytrace._record.wire import from_start_session
from honeytrace.errors import HoneytraceError
from honeytrace.sinks import Delivery
from honeytrace.sinks._driver import Driver
from honeytrace.sinks.api import BATCH_HEADER, ApiSink
from honeytrace.testing import capture

MakeSink = Callable[..., ApiSink]
ANNOUNCED = ((BATCH_HEADER, BATCH),)


def record(event_id: str, **fields: Any) -> Record:
    session = {"session_id": event_id, "session_name": "answer", "project": "p", **fields}
    return from_start_session({"start_time": 1.5, "end_time": 3, "duration": 1.5, **session}, str)


def records(count: int) -> list[Record]:
    return [record(f"s{number}") for number in range(count)]


def update(event_id: str, **fields: Any) -> Update:
    return Update(event_id, {name: orjson.dumps(value) for name, value in fields.items()})


@pytest.fixture
def server() -> Iterator[HoneyHiveServer]:
    """The server; whatever reached it must be allowed by the published document."""
    with HoneyHiveServer() as server:
        yield server
    server.validate()


@pytest.fixture
def make_sink(server: HoneyHiveServer) -> Iterator[MakeSink]:
    made: list[ApiSink] = []

    def make(**settings: Any) -> ApiSink:
        made.append(ApiSink(Config(**{"api_key": "k", "server_url": server.url, **settings})))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def refuse(bad: str, status: int = 400) -> Callable[[Request], Reply | None]:
    """An answer that refuses every request in which `bad` occurs."""
    return lambda request: Reply(status) if bad.encode() in request.body else None


def test_everything_arrives_once(server: HoneyHiveServer, make_sink: MakeSink) -> None:
    """With a fifth of the requests answered by 503, repeating what is left stores each once."""
    dice = random.Random(3)
    server.answer = lambda request: Reply(503) if dice.random() < 0.2 else None
    sent, sink, rounds = records(300), make_sink(), 0
    left: list[Item] = list(sent)
    while left:
        delivery = sink.deliver(left, timeout=30)
        assert not delivery.refused
        left, rounds = list(delivery.retry), rounds + 1
    assert server.stored == {r.event_id: 1 for r in sent}
    assert rounds > 1


def test_requests_in_flight(server: HoneyHiveServer, make_sink: MakeSink) -> None:
    """As many requests as configured are under way at once, and no more, on kept connections."""
    together = threading.Barrier(4)
    under_way: list[int] = []
    count = 0

    def answer(request: Request) -> None:
        nonlocal count
        if len(server.requests) == 1:
            return  # the first goes alone
        with server.lock:
            count += 1
            under_way.append(count)
        together.wait(timeout=30)
        with server.lock:
            count -= 1

    server.answer = answer
    assert make_sink(concurrency=4).deliver(records(13), timeout=30) == TAKEN
    assert max(under_way) == 4
    assert server.connections == 4


def test_a_refused_record_does_not_cost_its_batch(
    server: HoneyHiveServer, make_sink: MakeSink
) -> None:
    """A 4xx for one session refuses that one, with the status as the reason."""
    server.answer = refuse('"s3"')
    sent = records(8)
    assert make_sink().deliver(sent, timeout=30) == Delivery([], [(sent[3], "400 Bad Request")])
    assert sorted(server.sessions) == [f"s{n}" for n in range(8) if n != 3]


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        (401, "HH_API_KEY"),
        (402, "account"),
        (403, "may write"),
        (404, "HH_API_URL"),
        (407, "HTTP_PROXY"),
        (302, "HH_API_URL"),
    ],
)
def test_what_somebody_must_cure(
    server: HoneyHiveServer,
    make_sink: MakeSink,
    status: int,
    cure: str,
) -> None:
    """A wrong key or URL stops the batch at once; all is kept, and the delivery names the cure."""
    server.answer = lambda request: Reply(status)
    sent = records(40)
    delivery = make_sink().deliver(sent, timeout=30)
    assert delivery[:3] == (sent, [], None)
    assert f"{server.url}/session/start answers {status} " in str(delivery.why)
    assert cure in str(delivery.why)
    assert len(server.requests) == 1


def test_a_wrong_key_is_told_once(
    server: HoneyHiveServer, make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    """However often delivery is tried, one line names status and cure, and one says it is over."""
    tries, wrong, cured = 0, threading.Event(), threading.Event()

    def answer(request: Request) -> Reply | None:
        nonlocal tries
        tries += 1
        if tries == 4:
            wrong.set()
            cured.wait(timeout=30)
        return None if cured.is_set() else Reply(401)

    server.answer = answer
    caplog.set_level(logging.INFO, "honeytrace")
    flusher = Flusher(Config(journal=NO_JOURNAL, flush_interval=1e-6), lambda damage: make_sink())
    for each in records(3):
        flusher.queue.add(each)
    assert wrong.wait(timeout=30)
    cured.set()
    assert flusher.stop(timeout=30)
    trouble, end = (r.getMessage() for r in caplog.records)
    assert re.fullmatch(r"honeytrace cannot deliver.*: http\S+ answers 401 .*HH_API_KEY.*", trouble)
    assert end == "honeytrace delivers again"


def test_retry_after(server: HoneyHiveServer, make_sink: MakeSink) -> None:
    """A server that asks for a pause gets one: the rest of the batch is not begun."""
    server.answer = lambda request: Reply(429, headers=(("Retry-After", "7"),))
    sent = records(40)
    why = f"{server.url} answers 429 Too Many Requests"
    assert make_sink().deliver(sent, timeout=30) == (sent, [], 7.0, why)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("asked", "date", "seconds"),
    [
        ("86400", None, 600.0),
        ("9" * 400, None, 600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None, 600.0),
        ("Mon, 01 Jan 2001 10:00:02 GMT", "Mon, 01 Jan 2001 10:00:00 GMT", 2.0),
        ("Mon, 01 Jan 2001 10:00:02 GMT", None, None),
        ("soon", None, None),
    ],
    ids=["a day", "400 digits", "the last year", "by its own clock", "the past", "no number"],
)
def test_a_pause_has_bounds(
    server: HoneyHiveServer,
    make_sink: MakeSink,
    asked: str,
    date: str | None,
    seconds: float | None,
) -> None:
    """A pause is cut to `max_retry_after`, and a date is measured by the Date of the reply."""
    headers = (("Retry-After", asked), *((("Date", date),) if date else ()))
    server.answer = lambda request: Reply(503, headers=headers)
    fate = make_sink().deliver(records(1), timeout=30) if seconds else None
    if fate is None:
        with pytest.raises(HoneytraceError, match="503"):
            make_sink().deliver(records(1), timeout=30)
    else:
        assert fate.retry_after == seconds
        assert make_sink(max_retry_after=1.5).deliver(records(1), timeout=30).retry_after == 1.5


def test_nobody_there(make_sink: MakeSink) -> None:
    """Without a server the error names the URL, and the batch stays with the caller."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(HoneytraceError, match=url):
        make_sink(server_url=url).deliver(records(40), timeout=30)


def test_time_is_up(server: HoneyHiveServer, make_sink: MakeSink) -> None:
    """A server that does not answer holds a delivery up for its timeout, and not for ever."""
    server.answer = lambda request: server.done.wait() and None
    for settings, timeout in (({"request_timeout": 0.05}, 30), ({}, 0.05)):
        with pytest.raises(HoneytraceError, match=server.url):
            make_sink(**settings).deliver(records(3), timeout=timeout)


def test_an_update_of_the_same_batch_travels_inside(
    server: HoneyHiveServer, make_sink: MakeSink
) -> None:
    """Updates go with their session where they can, in their order, whichever came first."""
    batch: list[Item] = [
        update("b", metrics={"early": 1}),
        record("a", feedback={"by": "x"}),
        update("a", feedback={"rating": 1}, error="late"),
        update("a", feedback={"rating": 2}, children_ids=["c"]),
        record("b"),
    ]
    assert make_sink().deliver(batch, timeout=30) == TAKEN
    assert server.paths() == ["POST /session/start"] * 2
    a, b = server.sessions["a"], server.sessions["b"]
    assert (a["feedback"], a["error"]) == ({"by": "x", "rating": 2}, "late")
    assert (a["children_ids"], b["metrics"]) == (["c"], {"early": 1})


def test_a_later_update(server: HoneyHiveServer, make_sink: MakeSink) -> None:
    """Updates of a session sent before become one `PUT`; what it has no field for is metadata."""
    sink = make_sink()
    sink.deliver([record("a")], timeout=30)
    batch = [
        update("a", feedback={"rating": 5}, outputs="yes", metadata={"m": 1}),
        update("a", feedback={"by": "x"}, inputs={"q": 2}, children_ids=["c"]),
        update("a", children_ids=["d"]),
    ]
    assert sink.deliver(batch, timeout=30) == TAKEN
    assert server.paths() == ["POST /session/start", "PUT /events"]
    assert server.updates == [
        {
            "event_id": "a",
            "feedback": {"rating": 5, "by": "x"},
            "outputs": {"result": "yes"},
            "metadata": {
                "m": 1,
                "honeytrace_update": {"inputs": {"q": 2}, "children_ids": ["c", "d"]},
            },
        }
    ]


def test_an_update_of_nothing(server: HoneyHiveServer, make_sink: MakeSink) -> None:
    """An update the server knows no session for is refused, not tried for ever."""
    server.answer = lambda request: Reply(404) if request.method == "PUT" else None
    late = update("gone", feedback={"rating": 1})
    assert make_sink().deliver([late], timeout=30) == Delivery([], [(late, "404 Not Found")])


def test_the_batch_route(server: HoneyHiveServer, make_sink: MakeSink) -> None:
    """A server that announces its batch route gets the rest, updates too, in one request."""
    server.headers = ANNOUNCED
    batch = [*records(50), update("old", feedback={"rating": 1}, inputs={"q": 1})]
    assert make_sink().deliver(batch, timeout=30) == TAKEN
    assert server.paths() == ["POST /session/start", f"POST {BATCH}"]
    assert len(server.sessions) == 50
    assert server.updates == [
        {"event_id": "old", "feedback": {"rating": 1}, "inputs": {"q": 1}},
    ]


def test_the_batch_route_refuses_by_index(server: HoneyHiveServer, make_sink: MakeSink) -> None:
    """What the batch route refuses is refused, each with its reason."""
    server.headers = ANNOUNCED
    told = [
        {"index": 1, "kind": "session", "reason": "no name"},
        {"index": 0, "kind": "update", "reason": "no such session"},
    ]
    server.answer = lambda r: (
        Reply(body={"accepted": 2, "refused": told}) if r.path == BATCH else None
    )
    late, b = update("z", error="x"), record("b")
    batch: list[Item] = [*records(2), late, b, record("c")]
    assert make_sink().deliver(batch, timeout=30).refused == [
        (late, "no such session"),
        (b, "no name"),
    ]


def test_the_batch_route_goes_away(server: HoneyHiveServer, make_sink: MakeSink) -> None:
    """When the batch route is gone, the batch goes one by one in the same delivery."""
    server.headers = ANNOUNCED
    sink = make_sink()
    sink.deliver(records(2), timeout=30)
    server.headers = ()
    server.answer = lambda request: Reply(404) if request.path == BATCH else None
    assert sink.deliver([record("a"), record("b")], timeout=30) == TAKEN
    assert {"a", "b"} <= set(server.sessions)


def test_the_batch_route_goes_away_amid_a_batch(
    server: HoneyHiveServer, make_sink: MakeSink
) -> None:
    """Of several requests to a batch route that is gone, none counts as a refusal of records."""
    server.headers = ANNOUNCED
    sink = make_sink()
    sink.deliver(records(2), timeout=30)
    server.headers = ()
    statuses = iter([413])
    server.answer = lambda r: Reply(next(statuses, 404)) if r.path == BATCH else None
    assert sink.deliver([record(name) for name in "abcd"], timeout=30) == TAKEN
    assert set("abcd") <= set(server.sessions)


@pytest.mark.parametrize("status", [413, 422])
def test_a_refused_request_is_split(
    server: HoneyHiveServer, make_sink: MakeSink, status: int
) -> None:
    """A batch that is refused whole is halved until what is wrong with it stands alone."""
    server.headers = ANNOUNCED
    server.answer = refuse('"s5"', status)
    sent = records(9)
    refused = make_sink().deliver(sent, timeout=30).refused
    assert [item for item, _ in refused] == [sent[5]]
    assert refused[0][1].startswith("too large" if status == 413 else "422 Unprocessable")
    assert sorted(server.stored.elements()) == [f"s{n}" for n in range(9) if n != 5]


def test_httpx_is_silent_about_our_requests(
    server: HoneyHiveServer, make_sink: MakeSink, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that logs at INFO reads of its own requests, and not of each of ours."""
    caplog.set_level(logging.INFO)
    make_sink().deliver(records(3), timeout=30)
    httpx.get(f"{server.url}/session/s0", headers={"Authorization": "Bearer k"})
    told = [r.getMessage() for r in caplog.records if r.name == "httpx"]
    assert len(told) == 1
    assert "/session/s0" in told[0]


def test_delivery_is_not_recorded(
    server: HoneyHiveServer, make_sink: MakeSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs to deliver sessions is no session itself, be it traced."""
    monkeypatch.setattr(Driver, "run", honeytrace.trace_session(Driver.run))
    with capture() as sessions:
        assert make_sink().deliver(records(3), timeout=30) == TAKEN
        with honeytrace.session("after"):
            pass
    assert [session.session_name for session in sessions] == ["after"]


def test_no_more_threads(
    server: HoneyHiveServer, make_sink: MakeSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the interpreter starts no thread any more, as 3.12.1 at exit, delivery goes on: name
    lookups and what is left to httpx need none."""

    sink = make_sink(server_url=server.url.replace("127.0.0.1", "localhost"))
    moved = iter([Reply(307, headers=(("location", "/session/start"),))])
    server.answer = lambda request: next(moved, None)
    starts_none = SimpleNamespace(Thread=_Unstartable, Event=threading.Event)
    for module in ("_resolver", "_detour"):
        monkeypatch.setattr(f"honeytrace.sinks.{module}.threading", starts_none)
    assert sink.deliver(records(3), timeout=30) == TAKEN
    assert len(server.sessions) == 3


class _Unstartable(threading.Thread):
    def start(self) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own(
    server: HoneyHiveServer, make_sink: MakeSink
) -> None:
    """Parent and child deliver through one sink without reading each other's replies."""
    sink = make_sink()
    sink.deliver(records(2), timeout=30)
    child = os.fork()
    if child == 0:
        delivered = sink.deliver([record("child")], timeout=30)
        os._exit(0 if delivered == TAKEN else 1)
    assert sink.deliver([record("parent")], timeout=30) == TAKEN
    assert os.waitpid(child, 0)[1] == 0
    assert {"child", "parent"} <= set(server.sessions)
