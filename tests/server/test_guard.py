"""Who is let in, and what is refused before anything is made of it."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from server_running import running

from honeytrace.errors import StoreError
from honeytrace.server import Limits, create_app
from honeytrace.store import Query
from honeytrace.store.memory import MemoryStore


@contextmanager
def serving(**options: object) -> Iterator[httpx.Client]:
    app = create_app(MemoryStore(), **options)  # type: ignore[arg-type] - as each test says
    with running(app) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer wrong", "Basic one", "one", "Bearer one ,two", "Bearer öne"],
)
def test_a_wrong_key_opens_nothing(authorization: str | None) -> None:
    """The refusal says what to send; only what tells nothing of anybody stays open."""
    headers = {} if authorization is None else {"authorization": authorization.encode()}
    with serving(keys=["one", "two"]) as client:
        reply = client.get("/session/x", headers=headers)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == "Bearer"
        assert "HH_API_KEY" in reply.json()["message"]
        assert client.get("/health", headers=headers).json() == {"status": "ok"}


@pytest.mark.parametrize("authorization", ["Bearer one", "bearer two"])
def test_any_of_the_keys_opens(authorization: str) -> None:
    """So that keys can be changed without a moment of refusal."""
    with serving(keys=["one", "two"]) as client:
        reply = client.get("/v1/events", headers={"authorization": authorization})
        assert reply.status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_name_that_is_not_ours_is_refused(host: str) -> None:
    """A page cannot reach a loopback server by having its own name resolve to it."""
    with serving() as client:
        assert client.get("/v1/events", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:1", "[::1]:1", "[::1]"])
def test_the_names_of_loopback_are_ours(host: str) -> None:
    """With any port: a forwarded one may differ."""
    with serving() as client:
        assert client.get("/v1/events", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:x@evil", "[127.0.0.1]evil", "localhost:", "a b", "localhost/", "[::1", "\xe4", "@"],
)
@pytest.mark.parametrize("hosts", [None, ["localhost", "127.0.0.1"]])
def test_a_host_that_is_none_is_a_400(host: str, hosts: list[str] | None) -> None:
    """What can be read in two ways is refused, whichever names are served."""
    with serving(hosts=hosts, keys=["one"]) as client:
        head = f"GET /health HTTP/1.1\r\nhost: {host}\r\n\r\n".encode("latin-1")
        assert raw(client, head).startswith(b"HTTP/1.1 400 ")
        assert client.get("/health").status_code == 200


ORIGINS = ["http://[", "http://", "//localhost", "http://[::1", "http://a:99999", "", "\xe4", "a b"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_odd_origin_is_another_site(origin: str) -> None:
    """A header that is no origin at all is refused like that of another page."""
    with serving() as client:
        headers = {"origin": origin.encode("latin-1")}
        reply = client.post("/session/start", json={"session": {}}, headers=headers)
        assert reply.status_code == 403


def raw(client: httpx.Client, head: bytes) -> bytes:
    """The beginning of the answer to these bytes."""
    with socket.create_connection((client.base_url.host, client.base_url.port), 30) as sock:
        sock.sendall(head)
        return sock.recv(100)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_a_page_of_another_site_may_not_write(origin: str) -> None:
    """Not even by a simple request, for which a browser asks no permission."""
    with serving() as client:
        reply = client.post("/session/start", json={"session": {}}, headers={"origin": origin})
        assert reply.status_code == 403
        assert "access-control-allow-origin" not in reply.headers


def test_a_page_of_our_own_may_write() -> None:
    """The viewer's."""
    with serving() as client:
        origin = str(client.base_url).rstrip("/")
        reply = client.post("/session/start", json={"session": {}}, headers={"origin": origin})
        assert reply.status_code == 200


def chunked(size: int) -> Iterator[bytes]:
    for _ in range(size // 1000):
        yield b"x" * 1000


@pytest.mark.parametrize("how", ["length", "chunks", "gzip"])
def test_a_body_beyond_the_limit_is_refused(how: str) -> None:
    """By what it says of its length, by its chunks, and by what comes out of its compression."""
    limits = Limits(body_bytes=50_000)
    big = 100_000
    with serving(limits=limits) as client:
        if how == "length":
            reply = client.post("/session/start", content=b"x" * big)
        elif how == "chunks":
            reply = client.post("/session/start", content=chunked(big))
        else:
            bomb = gzip.compress(b"x" * big)
            headers = {"content-encoding": "gzip"}
            reply = client.post("/session/start", content=bomb, headers=headers)
        assert reply.status_code == 413
        assert reply.json()["errorCode"] == "body_too_large"


def test_a_body_that_never_ends_is_given_up() -> None:
    """A connection held open costs nothing for long."""
    with serving(limits=Limits(body_seconds=0.01)) as client:
        host, port = client.base_url.host, client.base_url.port
        with socket.create_connection((host, port), timeout=30) as sock:
            sock.sendall(b"POST /events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n{")
            assert sock.recv(100).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("encoding", "content", "status"),
    [
        ("gzip", b"not gzip", 400),
        ("gzip", gzip.compress(b"{}")[:-4], 400),
        ("gzip", gzip.compress(b"{}") + b"more", 400),
        ("br", b"{}", 415),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(
    encoding: str, content: bytes, status: int
) -> None:
    """Plain and gzip are what is taken."""
    with serving() as client:
        headers = {"content-encoding": encoding}
        assert client.post("/events", content=content, headers=headers).status_code == status


def test_a_store_that_fails_is_a_503_without_its_path() -> None:
    """The caller may try again, and learns nothing of this machine."""

    class Broken(MemoryStore):
        def list(self, query: Query) -> object:
            raise StoreError("the store /home/me/secret cannot be used")

    with running(create_app(Broken())) as url:  # type: ignore[arg-type] - it only raises
        reply = httpx.get(f"{url}/v1/events")
    assert reply.status_code == 503
    assert "secret" not in reply.text
