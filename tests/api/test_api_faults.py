"""Whatever a server does has one documented outcome, the same in all four forms."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from api_forms import FakeClock, Form
from api_loopback import Hang, Loopback, Reset, Script, response

from honeytrace.api import (
    APIConnectionError,
    APIError,
    HoneyHive,
    HoneyHiveCore,
    InvalidRequestError,
    PartialBatchError,
    RequestOptions,
    RequestTimeoutError,
    RetryConfig,
    SDKError,
    StartSessionResponse,
    Streamed,
    ValidationError,
)

START = {"project": "p", "session_name": "n", "source": "s", "session_id": "1"}
STARTED = response(200, {"session_id": "1"})
PACKED = gzip.compress(b'{"session_id": "1"}')
BACKOFF = RetryConfig.backoff(1.0, 8.0, 2.0, 100.0)
DATE = "Fri, 31 Dec 9999 23:59:59 GMT"


@dataclass
class Case:
    script: list[Script]
    outcome: type[StartSessionResponse] | type[APIError]
    status: int | None = None
    options: RequestOptions = field(default_factory=RequestOptions)
    slept: list[float] = field(default_factory=list)
    requests: int = 1
    says: str = ""


def refused_with(status: int, says: str = "") -> Case:
    return Case([response(status, {"message": "no"})], SDKError, status, says=says)


CASES = {
    "reset before the reply": Case([Reset()], APIConnectionError),
    "reset in the middle": Case(
        [Reset(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")], APIConnectionError
    ),
    "reset, then well": Case(
        [Reset(), STARTED],
        StartSessionResponse,
        options={"retries": RetryConfig.backoff(retry_connection_errors=True)},
        slept=[0.25],
        requests=2,
    ),
    "reset, connection errors not retried": Case(
        [Reset(), STARTED], APIConnectionError, options={"retries": BACKOFF}
    ),
    "no headers": Case([Hang()], RequestTimeoutError, options={"timeout": 0.1}),
    "slow headers": Case(
        [Hang(b"HTTP/1.1 200 OK\r\n")], RequestTimeoutError, options={"timeout": 0.1}
    ),
    "slow body": Case([Hang(STARTED[:-3])], RequestTimeoutError, options={"timeout": 0.1}),
    "broken JSON": Case([response(200, b'{"session_id"')], ValidationError, 200),
    "JSON, but no object": Case([response(200, [1])], ValidationError, 200),
    "JSON that is no text": Case([response(200, b"\xff\xfe\x00")], ValidationError, 200),
    "an empty body": Case([response(200)], ValidationError, 200),
    "text/plain": Case([response(200, b"ok", "text/plain")], SDKError, 200, says="Content-Type"),
    "no content type": Case([response(200, {"session_id": "1"}, None)], SDKError, 200),
    "another JSON": Case([response(200, {}, "application/vnd+json")], SDKError, 200),
    "a charset": Case(
        [response(200, {"session_id": "1"}, "Application/JSON; charset=utf-8")],
        StartSessionResponse,
    ),
    "201": Case([response(201, {"session_id": "1"})], SDKError, 201, says="Unexpected"),
    "204": Case([b"HTTP/1.1 204 No Content\r\n\r\n"], SDKError, 204, says="Unexpected"),
    "400": refused_with(400, "Status 400"),
    "401": refused_with(401, "Set bearer_auth"),
    "403": refused_with(403, "API key"),
    "404": refused_with(404),
    "408": refused_with(408),
    "413": refused_with(413, "5 MB"),
    "429": refused_with(429, "RetryConfig"),
    "429 with seconds": Case(
        [response(429, retry_after=3), STARTED],
        StartSessionResponse,
        options={"retries": BACKOFF},
        slept=[3.0],
        requests=2,
    ),
    "429 with a date, capped": Case(
        [response(429, retry_after=DATE), STARTED],
        StartSessionResponse,
        options={"retries": BACKOFF},
        slept=[8.0],
        requests=2,
    ),
    "500": refused_with(500),
    "503 to the end": Case(
        [response(503, {"message": "no"})],
        SDKError,
        503,
        options={"retries": RetryConfig.backoff(1.0, 8.0, 2.0, 10.0)},
        slept=[0.25, 1.25, 4.25],  # 8 seconds more would pass max_elapsed_time
        requests=4,
    ),
    "503 then 200": Case(
        [response(503), STARTED],
        StartSessionResponse,
        options={"retries": BACKOFF},
        slept=[0.25],
        requests=2,
    ),
    "503 with retry_codes of others": Case(
        [response(503), STARTED],
        SDKError,
        503,
        options={"retries": BACKOFF, "retry_codes": ["4XX"]},
    ),
    "408 with retry_codes for it": Case(
        [response(408), STARTED],
        StartSessionResponse,
        options={"retries": BACKOFF, "retry_codes": ["4xx"]},
        slept=[0.25],
        requests=2,
    ),
    "a wait past the deadline is not begun": Case(
        [response(503, retry_after=6), STARTED],
        SDKError,
        503,
        options={"retries": BACKOFF, "timeout": 5.0},
    ),
    "a batch stored in part": Case(
        [response(500, {"event_ids": ["1"], "errors": ["no"], "success": True})],
        PartialBatchError,
        500,
        options={"retries": BACKOFF},
        says="stored in part",
    ),
    "307": Case(
        [response(307, location="/session/start"), STARTED],
        StartSessionResponse,
        requests=2,
    ),
    "302 of a POST": Case(
        [response(302, location="/session/1"), STARTED],
        SDKError,
        302,
        requests=2,
        says="server_url",
    ),
    "redirects without end": Case(
        [response(307, location="/session/start")], InvalidRequestError, requests=21
    ),
    "less than the content length": Case(
        [response(200, {"session_id": "1"}, connection="close", content_length=99)],
        APIConnectionError,
    ),
    "more than the content length": Case(
        [response(200, {"session_id": "1"}, content_length=5)], ValidationError, 200
    ),
    "an impossible content length": Case(
        [b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n"], APIConnectionError
    ),
    "no HTTP at all": Case([b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], APIConnectionError),
    "gzip": Case([response(200, PACKED, content_encoding="gzip")], StartSessionResponse),
    "broken gzip": Case(
        [response(200, PACKED[:-9][::-1], content_encoding="gzip")], ValidationError
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_fault(name: str, form: Form, server: Loopback, clock: FakeClock) -> None:
    """Each fault ends in its documented outcome, after the documented requests and waits."""
    case = CASES[name]
    server.script = case.script
    client = HoneyHive("key", server_url=server.url, _clock=clock.clock())
    outcome = form.start(client, START, options=case.options)
    assert type(outcome) is case.outcome, repr(outcome)
    assert clock.slept == case.slept
    assert len(server.requests) == case.requests
    assert case.says in str(outcome)
    if case.status is not None:
        assert outcome.raw_response.status_code == case.status
    if isinstance(outcome, SDKError):
        assert outcome.status_code == case.status
        assert outcome.body == outcome.raw_response.text
        assert outcome.content_type == outcome.raw_response.headers.get("content-type", "")


def test_refused(form: Form) -> None:
    """A port nobody listens on is a connection error, with httpx's own as its cause."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        outcome = form.start(HoneyHive("key", server_url=url), START)
    assert type(outcome) is APIConnectionError
    assert isinstance(outcome, ConnectionError)
    assert type(outcome.__cause__).__name__ == "ConnectError"


def test_partial_batch(server: Loopback) -> None:
    """A batch stored in part tells what was stored and what was not, and is not sent again."""
    server.script = [response(500, {"event_ids": ["a"], "errors": ["missing inputs"]})]
    event: dict[str, Any] = {
        "project": "p", "source": "s", "event_name": "e", "event_type": "tool",
        "config": {}, "inputs": {}, "duration": 1.5,
    }  # fmt: skip
    client = HoneyHive("key", server_url=server.url, retry_config=BACKOFF)
    with client, pytest.raises(PartialBatchError) as caught:
        client.events.create_event_batch(events=[event, event])
    assert caught.value.event_ids == ["a"]
    assert caught.value.errors == ["missing inputs"]
    assert len(server.requests) == 1


def test_dripping_body(server: Loopback) -> None:
    """In the sync form the deadline holds though every single read is in time."""
    ticks = iter(range(10_000))
    clock = FakeClock().clock()
    clock = type(clock)(lambda: next(ticks), clock.sleep, clock.sleep_async, clock.jitter)
    server.script = [response(200, b" " * 5_000_000)]
    client = HoneyHive("key", server_url=server.url, timeout=20, _clock=clock)
    with client, pytest.raises(RequestTimeoutError, match="while the body arrived"):
        client.session.start_session(START)


def test_body_taken_slowly(server: Loopback) -> None:
    """A body in chunks is sent no longer than the deadline, though every write is in time."""
    time, begun = FakeClock(), 0

    def chunks() -> Iterator[bytes]:
        nonlocal begun
        while begun < 100:
            begun += 1
            time.now += 1
            yield b" "

    server.script = [STARTED]
    core = HoneyHiveCore("key", server_url=server.url, _clock=time.clock())
    body, options = Streamed(chunks(), 100), RequestOptions(timeout=20)
    with core, pytest.raises(RequestTimeoutError, match="while the body was sent"):
        core.send_json("POST", "/v1/slow", body, options=options)
    assert begun == 20
