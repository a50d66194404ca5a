"""httpx and httpx2 are taken alike: clients, authentication, options, hooks, errors of either."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from api_loopback import Loopback, Reset, response

import honeytrace
from honeytrace.api import APIConnectionError, HoneyHive, RequestTimeoutError
from honeytrace.api._httpx import httpx as chosen

START = {"project": "p", "session_name": "n", "source": "s"}
STARTED = response(200, {"session_id": "1"})


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


def test_a_client_of_either(library: Any, server: Loopback) -> None:
    """An injected client, hooks and all, works with a deadline, a redirect and an error."""
    server.script = [response(307, location="/session/start"), STARTED, Reset()]
    seen: list[Any] = []
    with library.Client(event_hooks={"response": [seen.append]}) as mine:
        client = HoneyHive("key", server_url=server.url, client=mine, timeout=30)
        assert client.session.start_session(START).session_id == "1"
        with pytest.raises(APIConnectionError) as raised:
            client.session.start_session(START)
    assert [type(each) for each in seen] == [library.Response] * 2
    assert isinstance(raised.value.__cause__, library.TransportError)


def test_a_deadline_with_a_client_of_either(library: Any, server: Loopback) -> None:
    """A timeout of the client's own is one of ours."""

    def late(request: Any) -> None:
        raise library.ReadTimeout("late", request=request)

    with library.Client(event_hooks={"request": [late]}) as mine:
        client = HoneyHive("key", server_url=server.url, client=mine)
        with pytest.raises(RequestTimeoutError, match="late"):
            client.session.start_session(START)


@pytest.mark.parametrize("form", ["sync", "async"])
def test_options_of_either(form: str, library: Any, server: Loopback) -> None:
    """Headers, parameters, cookies and authentication may be objects of either library."""
    server.script = [STARTED]
    http: Any = {
        "headers": library.Headers({"x-team": "support"}),
        "params": library.QueryParams([("a", "1"), ("a", "2")]),
        "cookies": library.Cookies({"c": "3"}),
        "auth": library.BasicAuth("user", "pass"),
    }

    async def awaited() -> None:
        async with HoneyHive("key", server_url=server.url, http_options=http) as client:
            await client.session.start_session_async(START)

    if form == "async":
        asyncio.run(awaited())
    else:
        with HoneyHive("key", server_url=server.url, http_options=http) as client:
            client.session.start_session(START)
    request = server.requests.pop()
    assert request.path == "/session/start?a=1&a=2"
    assert (request.headers["x-team"], request.headers["cookie"]) == ("support", "c=3")
    assert request.headers["authorization"].startswith("Basic ")


def test_httpx2_is_taken_where_it_is_installed() -> None:
    """The choice falls at the import, and without httpx2 on httpx."""
    pytest.importorskip("httpx2")
    code = "from honeytrace.api._httpx import httpx; print(httpx.__name__)"
    hidden = f"import sys; sys.modules['httpx2'] = None; {code}"
    found = [
        subprocess.run([sys.executable, "-c", each], capture_output=True, check=True).stdout
        for each in (code, hidden)
    ]
    assert [each.decode().strip() for each in found] == ["httpx2", "httpx"]
    assert chosen.__name__ in ("httpx", "httpx2")


def test_one_module_chooses_the_library() -> None:
    """Every other module takes httpx from there, and so from the library that is in use."""
    package = Path(honeytrace.__file__).parent
    importing = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            if any(name.partition(".")[0] in ("httpx", "httpx2") for name in names):
                importing.add(path.relative_to(package).as_posix())
    assert importing == {"api/_httpx.py"}
