"""One thread drives many connections: one that hangs, drips or fails costs no other anything."""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from honeyhive_server import TAKEN
from wire import PATIENCE, Line, Wire

from honeytrace._config import Config
from honeytrace._record.record import Item, Record
from honeytrace._record.wire import from_start_session
from honeytrace.errors import HoneytraceError
from honeytrace.sinks import _resolver
from honeytrace.sinks.api import ApiSink

STARTED = b'{"session_id": "s"}'
JSON = "Content-Type: application/json"


def records(count: int, first: int = 0) -> list[Record]:
    payload = {"session_name": "n", "project": "p", "start_time": 1.5}
    return [
        from_start_session({**payload, "session_id": f"s{number}"}, str)
        for number in range(first, first + count)
    ]


class Stored:
    """What a server has stored, by id."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.grew = threading.Condition(self.lock)

    def add(self, body: bytes) -> None:
        with self.grew:
            self.ids[orjson.loads(body)["session"]["session_id"]] += 1
            self.grew.notify_all()

    def wait(self, count: int) -> bool:
        with self.grew:
            return self.grew.wait_for(lambda: len(self.ids) >= count, PATIENCE)


def answer(line: Line, body: bytes, stored: Stored) -> None:
    stored.add(body)
    line.answer("200 OK", JSON, body=STARTED)


@pytest.fixture
def deliver() -> Any:
    made: list[ApiSink] = []

    def delivered(url: str, items: list[Item], *, timeout: float = PATIENCE, **more: Any) -> Any:
        if not made:
            made.append(ApiSink(Config(api_key="k", server_url=url, **more)))
        return made[0].deliver(items, timeout=timeout)

    yield delivered
    for sink in made:
        sink.close()


Deliver = Callable[..., Any]


def test_one_connection_of_many_delivers(deliver: Deliver) -> None:
    """31 connections hang; the last one delivers all the others' work, and what hangs is kept."""
    stored, count = Stored(), 500
    hung: list[bytes] = []

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            if line.number in range(2, 33):
                hung.append(request[1])
                assert stored.wait(count - 31)
                return  # the client's error, and its end
            answer(line, request[1], stored)

    with Wire(talk) as wire:
        sent = records(count)
        fate = deliver(wire.url, sent)
    kept = {record.event_id for record in fate.retry}
    assert len(kept) == len(hung) == 31
    assert set(stored.ids) == {record.event_id for record in sent} - kept
    assert wire.count == 32


def test_what_hangs_ends_with_its_deadline(deliver: Deliver) -> None:
    """A request without a reply in time is tried again, and its connection is closed."""
    stored, gone = Stored(), threading.Event()

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            if b'"s1"' in request[1]:
                assert line.head() == []  # until the client has gone
                gone.set()
                return
            answer(line, request[1], stored)

    with Wire(talk) as wire:
        sent = records(50)
        fate = deliver(wire.url, sent, request_timeout=0.3)
        assert gone.wait(PATIENCE)
    assert sent[1] in fate.retry  # and on a machine that stands still, others too
    assert fate.refused == []
    assert {r.event_id for r in fate.retry} | set(stored.ids) == {r.event_id for r in sent}
    assert "no reply in time" in fate.why


def test_a_drip_delays_no_other(deliver: Deliver) -> None:
    """A reply that comes byte by byte is read whole, while the others have theirs."""
    stored = Stored()

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            if b'"s1"' in request[1]:
                head = f"HTTP/1.1 200 OK\r\n{JSON}\r\nContent-Length: {len(STARTED)}\r\n\r\n"
                *drips, last = (bytes([byte]) for byte in head.encode() + STARTED)
                for drip in drips:
                    line.sock.sendall(drip)
                assert stored.wait(99)
                line.sock.sendall(last)
                stored.add(request[1])
            else:
                answer(line, request[1], stored)

    with Wire(talk) as wire:
        assert deliver(wire.url, records(100)) == TAKEN
    assert set(stored.ids.values()) == {1}


@pytest.mark.parametrize("says", [(), ("Connection: close",)], ids=["silently", "and says so"])
def test_a_server_that_closes_after_each_reply(deliver: Deliver, says: tuple[str, ...]) -> None:
    """Every request gets a connection of its own, and none is sent twice."""
    stored = Stored()

    def talk(line: Line) -> None:
        request = line.request()
        if request is not None:
            stored.add(request[1])
            line.answer("200 OK", JSON, *says, body=STARTED)

    with Wire(talk) as wire:
        left: list[Item] = list(records(200))
        while left:
            left = list(deliver(wire.url, left).retry)
    assert len(stored.ids) == 200
    assert set(stored.ids.values()) == {1}


def test_random_faults_cost_no_call(deliver: Deliver) -> None:
    """10,000 calls arrive exactly once at a server that answers with faults of all kinds.

    A fault comes before the call is stored: what a server has stored and not answered is sent
    again, and recognised by its id.
    """
    stored, dice = Stored(), random.Random(7)
    faults = ["none"] * 60 + ["503", "close", "garbage", "early", "half", "interim", "twice"]

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            with stored.lock:
                fault = dice.choice(faults)
            if fault == "503":
                line.answer("503 Busy")
            elif fault == "close":
                return
            elif fault == "garbage":
                line.sock.sendall(b"SSH-2.0-x\r\n\r\n")
                return
            elif fault == "half":
                line.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                return
            elif fault == "early":
                line.answer("500 Early", "Connection: close")
                return
            elif fault == "interim":
                line.sock.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
                answer(line, request[1], stored)
            elif fault == "twice" and "Accept-Encoding: identity" in request[0]:
                # the driver's alone: httpx takes a reply to nothing for that to the next request
                stored.add(request[1])
                head = f"HTTP/1.1 200 OK\r\n{JSON}\r\nContent-Length: 2\r\n\r\n{{}}"
                line.sock.sendall(head.encode() + b"HTTP/1.1 500 To nothing\r\n\r\n")
            else:
                answer(line, request[1], stored)

    with Wire(talk) as wire:
        left: list[Item] = list(records(10_000))
        while left:
            try:
                fate = deliver(wire.url, left)
            except HoneytraceError:  # the very first requests met faults
                continue
            assert fate.refused == []
            left = list(fate.retry)
    assert len(stored.ids) == 10_000
    assert set(stored.ids.values()) == {1}


def test_no_thread_of_its_own(deliver: Deliver) -> None:
    """Delivery to an address starts no thread, however many requests are in flight."""
    stored = Stored()
    seen: list[set[str]] = []
    before = {thread.name for thread in threading.enumerate()}  # other tests may have left some

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            answer(line, request[1], stored)
            seen.append({thread.name for thread in threading.enumerate()})

    with Wire(talk) as wire:
        assert deliver(wire.url, records(300)) == TAKEN
        names = set().union(*seen)
    assert not [name for name in names - before if name.startswith("honeytrace")]


def test_a_name_lookup_that_hangs(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for until the deadline, one at a time, and its result serves the next try."""
    goes_on, asked = threading.Event(), []
    real = socket.getaddrinfo

    def lookup(host: str, *args: Any, flags: int = 0, **more: Any) -> Any:
        if flags & socket.AI_NUMERICHOST:
            return real(host, *args, flags=flags, **more)
        asked.append(host)
        assert goes_on.wait(PATIENCE)
        return real("127.0.0.1", *args, **more)

    monkeypatch.setattr(_resolver.socket, "getaddrinfo", lookup)
    stored = Stored()

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            answer(line, request[1], stored)

    with Wire(talk) as wire:
        url = wire.url.replace("127.0.0.1", "honeyhive.test")
        for _ in range(2):
            with pytest.raises(HoneytraceError, match=r"honeyhive\.test.*no reply in time"):
                deliver(url, records(1), timeout=0.05)
        goes_on.set()
        assert deliver(url, records(1)) == TAKEN
    assert asked == ["honeyhive.test"]


def test_an_address_that_answers_is_found(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a name's addresses the first that answers is used, and remembered."""
    stored, asked = Stored(), []

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            answer(line, request[1], stored)

    with Wire(talk) as wire, socket.create_server(("127.0.0.1", 0)) as taken:
        refusing, port = taken.getsockname()[1], int(wire.url.rpartition(":")[2])
        taken.close()

        def lookup(host: str, *_: Any, flags: int = 0, **__: Any) -> Any:
            if flags & socket.AI_NUMERICHOST:
                raise OSError("a name")
            asked.append(host)
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, ("127.0.0.1", refusing)), (*kind, ("127.0.0.1", port))]

        monkeypatch.setattr(_resolver.socket, "getaddrinfo", lookup)
        assert deliver("http://honeyhive.test", records(100)) == TAKEN
    assert (len(stored.ids), asked) == (100, ["honeyhive.test"])


def test_a_name_that_nobody_has(deliver: Deliver) -> None:
    """The error has the name; `.invalid` has no addresses, by RFC 6761."""
    with pytest.raises(HoneytraceError, match=r"cannot look up honeytrace\.invalid"):
        deliver("http://honeytrace.invalid", records(1))
