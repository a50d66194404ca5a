"""Middleware and clients over loopback HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest

import honeytrace
from honeytrace._capture.context import current
from honeytrace._capture.hooks import hooks
from honeytrace.propagation import (
    ASGIMiddleware,
    WSGIMiddleware,
    aiohttp_trace_config,
    httpx_hooks,
    requests_adapter,
)
from honeytrace.testing import CapturedSessions, capture


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[CapturedSessions]:
    """What is recorded, in order of its end."""
    monkeypatch.setattr(hooks, "adopt", None)
    with capture() as sessions:
        yield sessions


class Quiet(WSGIRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(recorded: CapturedSessions) -> Iterator[str]:
    """A WSGI service whose handler is traced, for trusted callers; its address."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        with honeytrace.session("handler"):
            return [b"done"]

    served = make_server("127.0.0.1", 0, WSGIMiddleware(app, trust=True), handler_class=Quiet)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}/"
    served.shutdown()
    thread.join()
    served.server_close()


def handled(recorded: CapturedSessions) -> None:
    """The handler's session is the child of the caller's."""
    names = {each.session_name: each for each in recorded}
    assert names["handler"].parent_id == names["caller"].session_id


def test_httpx(recorded: CapturedSessions, server: str) -> None:
    """One set of hooks serves the client and the async client."""

    async def ask() -> None:
        async with httpx.AsyncClient(event_hooks=httpx_hooks()) as client:
            await client.get(server)

    with honeytrace.session("caller"), httpx.Client(event_hooks=httpx_hooks()) as client:
        client.get(server)
        asyncio.run(ask())
    handled(recorded)
    assert [each.session_name for each in recorded] == ["handler", "handler", "caller"]
    assert len({each.root_id for each in recorded}) == 1


def test_requests(recorded: CapturedSessions, server: str) -> None:
    """The adapter of requests."""
    requests = pytest.importorskip("requests")
    with honeytrace.session("caller"), requests.Session() as session:
        session.mount("http://", requests_adapter(max_retries=1))
        assert session.get(server).text == "done"
    handled(recorded)


def test_aiohttp(recorded: CapturedSessions, server: str) -> None:
    """The trace configuration of aiohttp."""
    aiohttp = pytest.importorskip("aiohttp")

    async def ask() -> None:
        configs = [aiohttp_trace_config()]
        async with (
            aiohttp.ClientSession(trace_configs=configs) as client,
            client.get(server) as got,
        ):
            assert await got.text() == "done"

    with honeytrace.session("caller"):
        asyncio.run(ask())
    handled(recorded)


def headers() -> dict[str, str]:
    """The headers of a call from a session named `caller`."""
    with honeytrace.session("caller"):
        return honeytrace.inject()


@pytest.mark.parametrize("trust", [True, False])
def test_asgi(recorded: CapturedSessions, trust: bool) -> None:
    """The application runs inside the caller's session, if callers are trusted."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with honeytrace.session("handler"):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})

    async def ask(sent: dict[str, str]) -> None:
        transport = httpx.ASGITransport(ASGIMiddleware(app, trust=trust))
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            await client.get("/", headers=sent)
        assert current.get() is None

    asyncio.run(ask(headers()))
    caller, handler = recorded
    assert handler.parent_id == (caller.session_id if trust else None)
    if not trust:
        assert handler.metadata["links"][0]["session_id"] == caller.session_id


def test_the_life_of_an_asgi_application_is_nobodys(recorded: CapturedSessions) -> None:
    """Startup and shutdown go through as they are."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(ASGIMiddleware(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


def test_a_wsgi_body_that_is_made_while_it_is_sent(recorded: CapturedSessions) -> None:
    """Pieces of a streamed body are made inside the caller's session; between them nothing is."""
    closed: list[bool] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        try:
            for number in range(2):
                with honeytrace.session(f"piece {number}"):
                    pass
                yield b"x"
        finally:
            closed.append(True)

    environ = {f"HTTP_{name.upper()}": value for name, value in headers().items()}
    body = WSGIMiddleware(app, trust=True)(environ, lambda *arguments: None)
    for _ in body:
        assert current.get() is None
    body.close()  # type: ignore[attr-defined]
    caller, *pieces = recorded
    assert [each.parent_id for each in pieces] == [caller.session_id] * 2
    assert closed == [True]


def test_files_and_lists_go_as_they_are(recorded: CapturedSessions) -> None:
    """A server recognises its file wrapper by its type, so that is not wrapped."""

    class FileWrapper:
        def __init__(self, file: Any) -> None:
            self.file = file

    environ = {"wsgi.file_wrapper": FileWrapper}
    for body in ([b"x"], FileWrapper(None)):
        assert WSGIMiddleware(lambda e, s, body=body: body)(environ, print) is body  # type: ignore[misc]
