"""The connection itself: keys, secrets, deadlines, event loops, processes, plain bytes."""

from __future__ import annotations

import ast
import asyncio
import gc
import json
import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_forms import FakeClock, Form
from api_loopback import Hang, Loopback, Reset, response
from hypothesis import given, settings
from hypothesis import strategies as st

import honeytrace.api
from honeytrace.api import (
    APIConnectionError,
    Err,
    HoneyHive,
    HoneyHiveCore,
    Ok,
    PartialBatchError,
    RequestTimeoutError,
    RetryConfig,
    SDKError,
    SessionNotFoundError,
    UnexpectedClientError,
    ValidationError,
    operations,
    session_get_session,
    session_start_session,
    session_start_session_async,
)

START = {"project": "p", "session_name": "n", "source": "s"}
STARTED = response(200, {"session_id": "1"})
SECRET = "hh-very-secret"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
KEYS = ("event", "events", "event_id", "event_ids", "errors", "session_id", "count", "inputs")
REPLY = JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON))


async def async_key() -> str:
    return SECRET


def failing_key() -> str:
    raise KeyError(SECRET)


@pytest.mark.parametrize("bearer", [SECRET, f" {SECRET}\n", lambda: SECRET])
def test_bearer(bearer: Any, form: Form, server: Loopback) -> None:
    """The key is a string, trimmed, or what a function returns."""
    server.script = [STARTED]
    form.start(HoneyHive(bearer, server_url=server.url), START)
    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"


def test_no_bearer(form: Form, server: Loopback) -> None:
    """Without a key no Authorization header is sent."""
    server.script = [STARTED]
    form.start(HoneyHive(server_url=server.url), START)
    assert "authorization" not in server.requests.pop().headers


def test_async_bearer(form: Form, server: Loopback) -> None:
    """An async function is awaited in the async forms, and refused with the cure in the others."""
    server.script = [STARTED]
    outcome = form.start(HoneyHive(async_key, server_url=server.url), START)
    if "async" in form.name:
        assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    else:
        assert type(outcome) is ValidationError
        assert "use the async form" in str(outcome)


@pytest.mark.parametrize("bearer", [failing_key, lambda: "two words", lambda: None])
def test_failing_bearer(bearer: Any, form: Form, server: Loopback) -> None:
    """A function that raises, or returns no key, is an outcome whose text does not show it."""
    outcome = form.start(HoneyHive(bearer, server_url=server.url), START)
    assert type(outcome) in (UnexpectedClientError, ValidationError)
    assert SECRET not in repr(outcome)
    assert server.requests == []


def test_bearer_is_asked_before_each_attempt(server: Loopback, clock: FakeClock) -> None:
    """A key renewed meanwhile is used by the next attempt."""
    server.script = [response(503), STARTED]
    keys = iter(["one", "two"])
    client = HoneyHive(
        lambda: next(keys),
        server_url=server.url,
        retry_config=RetryConfig.backoff(),
        _clock=clock.clock(),
    )
    with client:
        client.session.start_session(START)
    assert [r.headers["authorization"] for r in server.requests] == ["Bearer one", "Bearer two"]


def test_secrets_are_not_shown(
    form: Form, server: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    """Debug logging tells requests and replies, and neither it nor any repr tells a secret."""
    caplog.set_level(logging.DEBUG)
    server.script = [response(200, {"session_id": "1"}, set_cookie=f"c={SECRET}")]
    options: Any = {"http_options": {"headers": {"x-api-key": SECRET, "x-plain": "shown"}}}
    client = HoneyHive(SECRET, server_url=server.url)
    form.start(client, {**START, "inputs": {"q": SECRET}}, options=options)
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name == "honeytrace.api")
    assert "/session/start: 200" in ours
    assert "shown" in ours
    assert "***" in ours
    assert SECRET not in ours + repr(client)


def test_deadline_covers_retries(form: Form, server: Loopback, clock: FakeClock) -> None:
    """The timeout is one deadline over all attempts and waits: the last failure is the outcome."""
    server.script = [response(503)]
    retries = RetryConfig.backoff(1.0, 60.0, 1.0, 3600.0)
    client = HoneyHive(server_url=server.url, timeout=5, _clock=clock.clock(), retry_config=retries)
    outcome = form.start(client, START)
    assert type(outcome) is SDKError
    assert clock.slept == [0.25, 1.25, 2.25]
    assert len(server.requests) == 4
    server.requests.clear()  # without a key, which the document asks for


def test_the_real_clock(form: Form, server: Loopback) -> None:
    """Without a clock of the test's, retries wait by the system's."""
    server.script = [response(503), STARTED]
    at_once = RetryConfig.backoff(max_interval=0.0)
    form.start(HoneyHive("key", server_url=server.url, retry_config=at_once), START)
    assert len(server.requests) == 2


def test_nothing_is_sent_after_the_deadline(form: Form, server: Loopback, clock: FakeClock) -> None:
    """A bearer that uses up the time ends in a timeout before any I/O."""

    def slow() -> str:
        clock.sleep(5)
        return "key"

    client = HoneyHive(slow, server_url=server.url, timeout=5, _clock=clock.clock())
    outcome = form.start(client, START)
    assert type(outcome) is RequestTimeoutError
    assert isinstance(outcome, TimeoutError)
    assert server.requests == []


def test_hanging_async_bearer(server: Loopback) -> None:
    """The deadline covers an async bearer that never answers."""

    async def main() -> Any:
        async def never() -> str:
            await asyncio.Event().wait()
            return ""

        async with HoneyHive(never, server_url=server.url, timeout=0.05) as client:
            return await session_start_session_async(client, START)

    assert type(asyncio.run(main()).error) is RequestTimeoutError


def test_cancellation_passes(server: Loopback) -> None:
    """Cancelling an async call is no error of ours: it leaves even the function form."""
    arrived = asyncio.Event()
    server.script = [lambda request: loop.call_soon_threadsafe(arrived.set) and Hang()]

    async def main() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        async with HoneyHive("key", server_url=server.url) as client:
            task = asyncio.create_task(session_start_session_async(client, START))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    loop: asyncio.AbstractEventLoop
    asyncio.run(main())


def test_keyboard_interrupt_passes(server: Loopback) -> None:
    """Ctrl-C is not swallowed by a Result."""

    def interrupted() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session_start_session(HoneyHiveCore(interrupted, server_url=server.url), START)


def test_connections_are_kept(server: Loopback) -> None:
    """Calls of one client share a connection."""
    server.script = [STARTED]
    with HoneyHive("key", server_url=server.url, timeout=30) as client:
        for _ in range(5):
            client.session.start_session(START)
    assert (len(server.requests), server.connections) == (5, 1)


def test_many_event_loops(server: Loopback) -> None:
    """One client serves event loops that come and go, each with connections of its own."""
    server.script = [STARTED]
    client = HoneyHive("key", server_url=server.url)

    async def main() -> None:
        async with client:
            await client.session.start_session_async(START)
            await client.session.start_session_async(START)

    asyncio.run(main())
    asyncio.run(main())
    assert (len(server.requests), server.connections) == (4, 2)


def test_closed_event_loops_are_let_go(server: Loopback) -> None:
    """A client that outlives its event loops does not keep them."""
    server.script = [response(200, {"session_id": "1"}, connection="close")]
    client = HoneyHive("key", server_url=server.url)

    async def main() -> weakref.ref[asyncio.AbstractEventLoop]:
        await client.session.start_session_async(START)
        return weakref.ref(asyncio.get_running_loop())

    loops = [asyncio.run(main()) for _ in range(3)]
    gc.collect()
    assert [loop() is None for loop in loops] == [True, True, False]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_fork(server: Loopback) -> None:
    """A forked child opens its own connection instead of writing to its parent's."""
    server.script = [STARTED]
    with HoneyHive("key", server_url=server.url) as client:
        client.session.start_session(START)
        child = multiprocessing.get_context("fork").Process(
            target=client.session.start_session, args=(START,)
        )
        child.start()
        child.join()
        client.session.start_session(START)
    assert child.exitcode == 0
    assert (len(server.requests), server.connections) == (3, 2)


def test_send_json(server: Loopback) -> None:
    """Bytes leave as they are, once, and any reply comes back with its meaning."""
    server.script = [response(429, {"message": "no"}, retry_after=7), response(200)]
    body = b'{"session":{"project":"p","session_name":"n","source":"s"}}'
    retries = RetryConfig.backoff()
    with HoneyHiveCore("key", server_url=server.url, retry_config=retries) as core:
        refused = core.send_json("POST", "/session/start", body)
        updated = core.send_json("PUT", "/events", b'{"event_id":"1"}')
    assert server.requests[0].body == body
    assert (refused.status_code, refused.retry_after) == (429, 7.0)
    assert refused.headers["Content-Type"] == "application/json"
    assert refused.body == b'{"message": "no"}'
    assert type(refused.error()) is SDKError
    assert (updated.status_code, updated.retry_after) == (200, None)
    assert updated.error(expects_json=False) is None
    with pytest.raises(ValidationError, match="not JSON"):
        updated.json()


def test_send_json_async(server: Loopback) -> None:
    """The async twin sends the same, and raises when there is no reply."""
    server.script = [STARTED, Reset()]
    body = b'{"session":{"project":"p","session_name":"n","source":"s"}}'

    async def main() -> None:
        async with HoneyHiveCore("key", server_url=server.url) as core:
            reply = await core.send_json_async("POST", "/session/start", body)
            assert reply.json() == {"session_id": "1"}
            with pytest.raises(APIConnectionError):
                await core.send_json_async("POST", "/session/start", body)

    asyncio.run(main())


def test_result(server: Loopback) -> None:
    """A Result matches, narrows and unwraps; any operation has that form."""
    server.script = [response(200, {"event_id": "1"}), response(404, b"no such session")]
    with HoneyHiveCore("key", server_url=server.url) as core:
        match core.call(operations.update_event(event_id="1", metadata={"a": 1})):
            case Ok(value):
                assert value is None
            case Err():
                pytest.fail("it succeeded")
        match session_get_session(core, "1"):
            case Err(error):
                assert isinstance(error, SessionNotFoundError)
            case Ok():
                pytest.fail("it failed")
    assert (Ok(1).ok, Ok(1).value, Ok(1).error, Ok(1).unwrap()) == (True, 1, None, 1)
    refusal = Err(ValidationError("no"))
    assert (refusal.ok, refusal.value) == (False, None)
    with pytest.raises(ValidationError, match="no"):
        refusal.unwrap()


def test_an_operation_runs_once(server: Loopback) -> None:
    """A second run of the same operation is refused, not taken for an empty success."""
    server.script = [STARTED]
    operation = operations.start_session(START)
    with HoneyHiveCore("key", server_url=server.url) as core:
        assert core.call(operation).ok
        assert type(core.call(operation).error) is ValidationError


@given(
    status=st.integers(200, 599),
    body=st.binary() | st.builds(lambda reply: json.dumps(reply).encode(), REPLY),
    content_type=st.sampled_from(["application/json", "text/html", ""]),
)
@settings(max_examples=200, deadline=None)
def test_no_reply_escapes(status: int, body: bytes, content_type: str) -> None:
    """Whatever a server answers, a function returns; and an error tells itself."""
    with Loopback() as server, HoneyHiveCore("key", server_url=server.url) as core:
        server.script = [response(status, body, content_type, connection="close")]
        for result in (
            session_get_session(core, "1"),
            core.call(operations.search_events_v1(filters=[])),
            core.call(operations.get_events(project="p", filters=[])),
            core.call(operations.get_event_v1("1")),
            core.call(operations.create_event_batch(events=[])),
        ):
            assert result.ok or isinstance(result.error, SDKError | ValidationError), result.error
            assert result.ok or str(result.error)
            if isinstance(result.error, PartialBatchError):
                assert isinstance(result.error.event_ids, list)
                assert isinstance(result.error.errors, list)


@pytest.mark.parametrize(
    "error",
    [
        ValidationError("no", 5, httpx.Response(200)),
        SDKError("no", httpx.Response(500, text="why")),
        SessionNotFoundError("no", httpx.Response(404), {"GET /": 404}, True),
        APIConnectionError("no"),
    ],
)
def test_errors_pickle(error: Exception) -> None:
    """Errors come back whole from another process."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(error).keys() == vars(copy).keys()


def test_importing_honeytrace_does_not_import_httpx() -> None:
    """httpx costs tens of milliseconds: only `honeytrace.api` pays them."""
    code = "import sys, honeytrace; sys.exit('httpx' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_stands_alone() -> None:
    """Nothing in the client imports the rest of honeytrace, but leaves that know nothing of it."""
    allowed = (
        "honeytrace.api",
        "honeytrace.errors",
        "honeytrace._base.version",
        "honeytrace._network",
    )
    for file in Path(honeytrace.api.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [str(node.module)]
            for name in names:
                assert not name.startswith("honeytrace") or name.startswith(allowed), file


def test_public_names() -> None:
    """`__all__` is sorted and whole."""
    public = honeytrace.api.__all__
    assert public == sorted(public)
    assert all(hasattr(honeytrace.api, name) for name in public)
