"""A call has bounds in time, in bytes, and in where its data goes."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from api_forms import Form
from api_loopback import Drip, Loopback, response

from honeytrace.api import (
    APIConnectionError,
    HoneyHive,
    HoneyHiveCore,
    InvalidRequestError,
    RequestTimeoutError,
    SDKError,
    ValidationError,
)
from honeytrace.api._bounds import _STEP
from honeytrace.api._httpx import httpx

START = {"project": "p", "session_name": "n", "source": "s"}
STARTED = response(200, {"session_id": "1"})
SECRET = "hh-very-secret"


@pytest.fixture
def other() -> Iterator[Loopback]:
    """A server at another port: another origin."""
    with Loopback() as server:
        server.script = [STARTED]
        yield server


@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n"]
)
def test_a_reply_that_drips(begin: bytes, form: Form, server: Loopback) -> None:
    """The timeout ends a call while the head of its reply, or the body, comes byte by byte."""
    server.script = [Drip(begin)]
    outcome = form.start(HoneyHive("key", server_url=server.url, timeout=0.5), START)
    assert type(outcome) is RequestTimeoutError


def test_a_hook_that_hangs(server: Loopback) -> None:
    """The timeout ends a call of an injected client, too, wherever it is."""
    goes_on = threading.Event()

    def hang(request: Any) -> None:
        goes_on.wait(30)
        raise ConnectionError("nothing is sent after the deadline")

    with httpx.Client(event_hooks={"request": [hang]}) as mine:
        client = HoneyHive("key", server_url=server.url, timeout=0.2, client=mine)
        with pytest.raises(RequestTimeoutError):
            client.session.start_session(START)
        goes_on.set()
    assert server.requests == []


def packed(encoding: str, size: int) -> bytes:
    """A reply of so many bytes, few of which go over the wire."""
    made = {
        "gzip": lambda: zlib.compressobj(9, wbits=31),
        "deflate": lambda: zlib.compressobj(9),
        "raw deflate": lambda: zlib.compressobj(9, wbits=-15),
    }[encoding]()
    zeros = bytes(1 << 20)
    parts = [made.compress(zeros) for _ in range(size >> 20)]
    return response(200, b"".join([*parts, made.flush()]), content_encoding=encoding.split()[-1])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate"])
def test_a_reply_that_unpacks_to_gigabytes(encoding: str, form: Form, server: Loopback) -> None:
    """A compressed reply is unpacked up to `max_reply_bytes`, and not beyond."""
    server.script = [packed(encoding, 1 << 26)]
    outcome = form.start(HoneyHive("key", server_url=server.url, max_reply_bytes=3_000_000), START)
    assert type(outcome) is ValidationError
    assert "3,000,000 bytes" in str(outcome)
    assert "max_reply_bytes" in str(outcome)


def test_a_long_reply(form: Form, server: Loopback) -> None:
    """The bound is for replies that are not compressed, too, and a call can have its own."""
    server.script = [response(200, b'{"session_id": "1"}' + b" " * 100_000)]
    client = HoneyHive("key", server_url=server.url, max_reply_bytes=100_000)
    assert type(form.start(client, START)) is ValidationError
    assert form.start(client, START, options={"max_reply_bytes": 200_000}).session_id == "1"
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(ValidationError, match="max_reply_bytes"):
            HoneyHive("key", max_reply_bytes=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate"])
def test_a_compressed_reply_is_read(encoding: str, form: Form, server: Loopback) -> None:
    """What is within the bound is the same as without compression, header included."""
    body = b'{"session_id": "1"}' + b" " * (3 * _STEP)
    wbits = {"gzip": 31, "deflate": 15, "raw deflate": -15}[encoding]
    made = zlib.compressobj(wbits=wbits)
    name = encoding.split()[-1]
    server.script = [response(200, made.compress(body) + made.flush(), content_encoding=name)]
    started = form.start(HoneyHive("key", server_url=server.url), START)
    assert started.session_id == "1"
    with HoneyHiveCore("key", server_url=server.url, timeout=30) as core:
        reply = core.send_json("POST", "/v1/sessions", b"{}")
    assert (reply.body, reply.headers["content-encoding"]) == (body, name)


def test_an_encoding_that_was_not_asked_for(form: Form, server: Loopback) -> None:
    """It is refused rather than unpacked by a library that knows no bound."""
    server.script = [response(200, gzip.compress(b"{}"), content_encoding="zstd")]
    outcome = form.start(HoneyHive("key", server_url=server.url), START)
    assert type(outcome) is ValidationError
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_to_another_host_gets_nothing(
    status: int, form: Form, server: Loopback, other: Loopback
) -> None:
    """Session data goes to the server that was configured; the error says what to do."""
    server.script = [response(status, location=f"{other.url}/session/start")]
    outcome = form.start(HoneyHive(SECRET, server_url=server.url), START)
    assert type(outcome) is SDKError
    assert outcome.status_code == status
    assert "server_url" in str(outcome)
    assert "follow_redirects" in str(outcome)
    assert other.requests == []


def test_a_redirect_to_another_host_that_is_allowed(
    form: Form, server: Loopback, other: Loopback
) -> None:
    """`follow_redirects=True` is the permission; the key stays with the first host."""
    server.script = [response(307, location=f"{other.url}/session/start")]
    options: Any = {"http_options": {"follow_redirects": True}}
    outcome = form.start(HoneyHive(SECRET, server_url=server.url), START, options=options)
    assert outcome.session_id == "1"
    (request,) = other.requests
    assert request.json["session"]["project"] == "p"
    assert "authorization" not in request.headers


def test_no_redirect_is_followed_where_none_shall_be(form: Form, server: Loopback) -> None:
    """`follow_redirects=False` gives the redirect itself."""
    server.script = [response(307, location="/session/start")]
    options: Any = {"http_options": {"follow_redirects": False}}
    outcome = form.start(HoneyHive("key", server_url=server.url), START, options=options)
    assert outcome.status_code == 307
    assert len(server.requests) == 1


def test_an_error_shows_neither_control_characters_nor_the_key(
    form: Form, server: Loopback
) -> None:
    """What a server says is told in a form that no terminal obeys, without the key it repeats."""
    said = f"\x1b[31mno\r\nINFO: {SECRET} is wrong\x07".encode()
    server.script = [response(400, said, f"text/\x1b[0mplain; key={SECRET}")]
    outcome = form.start(HoneyHive(SECRET, server_url=server.url), START)
    assert type(outcome) in (SDKError, APIConnectionError)
    assert str(outcome).isprintable() or "\n" in str(outcome)
    assert not {"\x1b", "\x07", "\r"} & set(str(outcome))
    assert SECRET not in str(outcome)
    server.script = [response(400, said)]
    server.requests.clear()
    outcome = form.start(HoneyHive(SECRET, server_url=server.url), START)
    assert "\\x1b[31mno" in str(outcome)
    assert "*** is wrong" in str(outcome)
    assert SECRET not in str(outcome)


@pytest.mark.parametrize(
    ("variable", "value", "cure"),
    [
        ("ALL_PROXY", "socks5://u:hunter22@127.0.0.1:1", r"\[socks\]"),
        ("HTTP_PROXY", "http://u:hunter22@127.0.0.1:99999", "NO_PROXY"),
        ("HTTP_PROXY", "http://u:hunter22@127.0.0.1:1", "NO_PROXY"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(
    variable: str,
    value: str,
    cure: str,
    form: Form,
    server: Loopback,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error has the variable, its value without the password, and the cure; where NO_PROXY
    has the server, the call goes directly."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    outcome = form.start(HoneyHive("key", server_url=server.url), START)
    assert isinstance(outcome, (InvalidRequestError, APIConnectionError))
    assert f"{variable}={value.replace('u:hunter22', '***')}" in str(outcome)
    assert cure.replace("\\", "") in str(outcome)
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    server.script = [STARTED]
    assert form.start(HoneyHive("key", server_url=server.url), START).session_id == "1"
