"""A sink's connection to its server: kept, made anew where it was closed, never silently broken."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import trustme
from one import Sender
from wire import PATIENCE, Line, Wire

from honeytrace._network.streamed import Streamed
from honeytrace.api import APIConnectionError, APIError
from honeytrace.sinks import _answer
from honeytrace.sinks._endpoint import Endpoint


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def connect() -> Iterator[Callable[..., Sender]]:
    made: list[Sender] = []

    def connected(url: str, key: str | None = "k") -> Sender:
        made.append(Sender(url, key))
        return made[-1]

    yield connected
    for connection in made:
        connection.close()


Connect = Callable[..., Sender]


def post(connection: Sender, body: bytes | Streamed = b"{}") -> Any:
    return connection.send("POST", "/session/start", body, PATIENCE)


def answering(line: Line) -> None:
    """Answer every request with its own body."""
    while (request := line.request()) is not None:
        line.answer(body=request[1])


def test_a_request_is_what_the_server_needs_of_it(connect: Connect) -> None:
    """Path below the server's own, host, key, kind and length, nothing about compression; a body
    in parts comes as one, and the connection is kept."""
    heard: list[tuple[list[str], bytes]] = []

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            heard.append(request)
            line.answer()

    with Wire(talk) as wire:
        connection = connect(f"{wire.url}/base/", "hush")
        assert post(connection).body == b"{}"
        assert post(connection, Streamed([b"[1,", b"2]"], 5)).status_code == 200
        connection.close()
    (first, first_body), (_, second_body) = heard
    assert first[0] == "POST /base/session/start HTTP/1.1"
    assert f"Host: {wire.url.removeprefix('http://')}" in first
    assert {"Authorization: Bearer hush", "Content-Type: application/json"} <= set(first)
    assert {"Content-Length: 2", "Accept-Encoding: identity"} <= set(first)
    assert (first_body, second_body, wire.count) == (b"{}", b"[1,2]", 1)


def test_a_connection_closed_while_it_was_idle(connect: Connect) -> None:
    """A server that hangs up between two requests, saying nothing, costs a connection alone."""

    def talk(line: Line) -> None:
        line.request()
        line.answer(body=b"%d" % line.number)

    with Wire(talk) as wire:
        connection = connect(wire.url)
        assert [post(connection).body for _ in range(3)] == [b"1", b"2", b"3"]


def test_a_server_that_closes_and_says_so(connect: Connect) -> None:
    """`Connection: close` is heeded, and the reply is read whole before."""

    def talk(line: Line) -> None:
        line.request()
        line.answer("200 OK", "Connection: close", body=b"x" * 300_000)

    with Wire(talk) as wire:
        connection = connect(wire.url)
        assert [len(post(connection).body) for _ in range(2)] == [300_000] * 2
        assert wire.count == 2


def test_a_server_that_hangs_up(connect: Connect) -> None:
    """No reply on a new connection is an error at once, and the next request has another one."""

    def talk(line: Line) -> None:
        if line.number == 1:
            line.request()
        else:
            answering(line)

    with Wire(talk) as wire:
        connection = connect(wire.url)
        with pytest.raises(ConnectionError):
            post(connection)
        assert wire.count == 1
        assert post(connection).status_code == 200
        connection.close()


def test_an_answer_before_the_body_was_read(connect: Connect) -> None:
    """A server that refuses a body on seeing its length, and hangs up, is heard all the same."""

    def talk(line: Line) -> None:
        line.head()
        line.answer("413 Content Too Large")

    with Wire(talk) as wire:
        connection = connect(wire.url)
        parts = [bytes(1 << 20)] * 64
        assert post(connection, Streamed(parts, 64 << 20)).status_code == 413
        assert post(connection).status_code == 413
        assert wire.count == 2


def test_a_reply_to_nothing_is_nobodys(connect: Connect) -> None:
    """What a server says beyond the replies it owes is not taken for the next one."""

    def talk(line: Line) -> None:
        line.request()
        if line.number == 1:
            line.sock.sendall(2 * b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            line.head()  # until the client has gone
        else:
            line.answer("500 Later")

    with Wire(talk) as wire:
        connection = connect(wire.url)
        assert [post(connection).status_code for _ in range(2)] == [200, 500]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nX-Note: caf\xe9\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: headers\r\n" * 120,
    ],
    ids=["103", "102", "100", "latin-1", "many headers"],
)
def test_replies_that_are_not_like_most(connect: Connect, reply: bytes) -> None:
    """Interim replies, headers that are not ASCII, or hundreds of them: the reply is heard."""

    def talk(line: Line) -> None:
        while line.request() is not None:
            line.sock.sendall(reply + b"Content-Length: 2\r\n\r\n{}")

    with Wire(talk) as wire:
        connection = connect(wire.url)
        assert [post(connection).body for _ in range(3)] == [b"{}"] * 3
        connection.close()


def test_a_server_that_speaks_no_http(connect: Connect) -> None:
    """What is no HTTP at all is an error of the client's, which repeats nothing of it raw."""

    def talk(line: Line) -> None:
        line.request()
        line.sock.sendall(b"SSH-2.0-\x1b[31mred\r\n")

    with Wire(talk) as wire, pytest.raises(APIConnectionError) as raised:
        post(connect(wire.url))
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Drip: x\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"),
    ],
    ids=["headers", "interim replies", "body"],
)
def test_a_reply_that_never_ends(connect: Connect, begin: bytes, part: bytes) -> None:
    """A server that goes on and on is heard until time is up, and no longer."""
    gone = threading.Event()

    def talk(line: Line) -> None:
        line.request()
        line.sock.sendall(begin)
        try:
            while not gone.wait(0.001):
                line.sock.sendall(part)
        except OSError:
            gone.set()

    with Wire(talk) as wire:
        with pytest.raises((TimeoutError, APIError)):
            connect(wire.url).send("POST", "/session/start", b"{}", 0.3)
        assert gone.wait(PATIENCE)


def test_a_reply_beyond_all_bounds(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply is not read for ever where it has no end in bytes."""
    monkeypatch.setattr(_answer, "LONGEST", 100_000)

    def talk(line: Line) -> None:
        line.request()
        line.sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            line.sock.sendall(bytes(10_000))

    with Wire(talk) as wire, pytest.raises(HTTPException):
        post(connect(wire.url))


def test_a_reply_cut_short(connect: Connect) -> None:
    """Half a reply is none."""

    def talk(line: Line) -> None:
        line.request()
        line.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

    with Wire(talk) as wire, pytest.raises(HTTPException):
        post(connect(wire.url))


def test_time_is_up(connect: Connect) -> None:
    """A server that says nothing is waited for as long as was said, on a kept connection too, and
    what it may say later is not taken for the reply to something else."""
    done = threading.Event()

    def talk(line: Line) -> None:
        line.request()
        line.answer()
        if line.number == 1 and line.request():
            done.wait(PATIENCE)
            line.answer("500 Late")
        else:
            answering(line)

    with Wire(talk) as wire:
        connection = connect(wire.url)
        assert post(connection).status_code == 200
        with pytest.raises(TimeoutError):
            connection.send("POST", "/session/start", b"{}", 0.05)
        done.set()
        assert post(connection).status_code == 200
        assert wire.count == 2
        connection.close()
        with pytest.raises(TimeoutError):
            connection.send("POST", "/session/start", b"{}", 0.0)


def test_through_a_proxy(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names a proxy, requests go there; httpx knows how."""
    asked: list[str] = []

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            asked.append(request[0][0])
            line.answer()

    with Wire(talk) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        connection = connect("http://honeyhive.test")
        assert post(connection).status_code == 200
        connection.close()
    assert asked == ["POST http://honeyhive.test/session/start HTTP/1.1"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secured(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusted(
    authority: trustme.CA, secured: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ssl.SSLContext:
    """`secured`, with an environment that vouches for it."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return secured


def test_an_answer_over_tls_before_the_body_was_read(
    connect: Connect, trusted: ssl.SSLContext
) -> None:
    """As without TLS, where the connection has been used before."""

    def talk(line: Line) -> None:
        line.request()
        line.answer()
        line.head()
        line.answer("413 Content Too Large")

    with Wire(talk, trusted) as wire:
        connection = connect(wire.url)
        assert post(connection).status_code == 200
        parts = [bytes(1 << 20)] * 64
        assert post(connection, Streamed(parts, 64 << 20)).status_code == 413


def test_tls(connect: Connect, trusted: ssl.SSLContext) -> None:
    """A server whose certificate the environment vouches for is spoken to, on one connection, and
    on another where that was closed meanwhile."""

    def talk(line: Line) -> None:
        for _ in range(2):
            line.request()
            line.answer(body=b"%d" % line.number)

    with Wire(talk, trusted) as wire:
        connection = connect(wire.url)
        assert [post(connection).body for _ in range(4)] == [b"1", b"1", b"2", b"2"]


def test_a_certificate_of_nobody_we_know(connect: Connect, secured: ssl.SSLContext) -> None:
    """Such a server is told nothing, the key least of all, and the error says why."""
    unknown = pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed")
    with Wire(answering, secured) as wire, unknown:
        post(connect(wire.url))


@pytest.mark.parametrize("port", ["", ":80"])
def test_an_ipv6_address_without_a_port(port: str) -> None:
    """The end of the address is not taken for one."""
    endpoint = Endpoint("k", f"http://[::1]{port}")
    assert (endpoint.host, endpoint.port) == ("::1", 80)


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="needs IPv6 on loopback")
def test_an_ipv6_address(connect: Connect) -> None:
    """Its brackets are the URL's and the header's, not the address's."""
    heard: list[list[str]] = []

    def talk(line: Line) -> None:
        while (request := line.request()) is not None:
            heard.append(request[0])
            line.answer()

    with Wire(talk, host="::1") as wire:
        connection = connect(wire.url)
        assert post(connection).status_code == 200
        connection.close()
    assert f"Host: {wire.url.removeprefix('http://')}" in heard[0]
