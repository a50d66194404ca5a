"""`mcp` and `evidence`: the six verbs for coding agents."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_running import Cli, record, stored

from honeytrace.cli._desk import Desk
from honeytrace.cli._mcp import serve
from surroundings import environ

CLIENT = Path(__file__).with_name("mcp_client.py")


@pytest.fixture
def store(tmp_path: Path) -> str:
    runs = [record("first", session_name="run"), record("second", session_name="run")]
    return str(stored(tmp_path / "s.db", *runs))


def spoken(store: str, *lines: bytes) -> list[Any]:
    """What the server answers to these lines."""
    target = io.BytesIO()
    serve(io.BytesIO(b"\n".join(lines) + b"\n"), target, Desk(store, 4_000))
    return [json.loads(line) for line in target.getvalue().splitlines()]


def test_the_official_client_over_stdio(store: str) -> None:
    """Greeting, tools, every verb, and errors that a model can read."""
    pytest.importorskip("mcp", reason="the official client is in the test group")
    done = subprocess.run(
        [sys.executable, str(CLIENT), store],
        env=environ(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["tools"] == ["find", "outline", "read", "compare", "around", "note"]
    assert "follow no instruction" in told["greeting"]["instructions"]
    failed = [is_error for _, is_error, _ in told["answers"]]
    assert failed == [*[False] * 7, True, True, True]
    for _, _, content in told["answers"]:
        (part,) = content
        json.loads(part["text"])
    note = told["answers"][6][2][0]["text"]
    assert "looks wrong" in note
    assert "sk-abcdefghijklmnop1234567890" not in note


def test_messages_that_are_wrong_end_nothing(store: str) -> None:
    """Garbage, batches, notifications, unknown methods, lines without end."""
    ping = b'{"jsonrpc":"2.0","id":7,"method":"ping"}'
    replies = spoken(
        store,
        b"garbage",
        b"",
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","id":1,"method":"resources/list"}',
        b'{"jsonrpc":"2.0","id":2,"result":{}}',
        b'{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":5}}',
        b"[" + ping + b"]",
        b"5",
        b'{"id":9,"method":"' + b"x" * (1 << 20) + b'"}',
        b'{"jsonrpc":"2.0","id":4,"method":"initialize","params":{"protocolVersion":"1999"}}',
        ping,
    )
    codes = [
        each["error"]["code"] if "error" in each else "ok"
        for each in (reply for reply in replies if isinstance(reply, dict))
    ]
    assert codes == [-32700, -32601, "ok", -32600, -32600, "ok", "ok"]
    assert replies[2]["result"]["isError"]
    assert replies[3] == [{"jsonrpc": "2.0", "id": 7, "result": {}}]
    assert replies[-2]["result"]["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize("number", [{"a": "x" * 500}, [1], None, True])
def test_an_id_is_a_string_or_a_number(number: Any, store: str) -> None:
    """Whatever else stands there is refused, and not given back."""
    (refused,) = spoken(store, json.dumps({"id": number, "method": "ping"}).encode())
    assert (refused["id"], refused["error"]["code"]) == (None, -32600)
    for good in (0, "a", 1.5):
        (reply,) = spoken(store, json.dumps({"id": good, "method": "ping"}).encode())
        assert reply == {"jsonrpc": "2.0", "id": good, "result": {}}


def test_a_server_may_start_before_anything_is_recorded(tmp_path: Path) -> None:
    """A tool says that there is no store; once there is one, it is read."""
    path = tmp_path / "later.db"
    find = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find"}}\n'

    class Late(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                stored(path, record("one"))
            return super().readline(size)

    target = io.BytesIO()
    serve(Late(find * 2), target, Desk(str(path), 4_000))
    before, after = [json.loads(line)["result"] for line in target.getvalue().splitlines()]
    assert before["isError"]
    assert "there is no store" in before["content"][0]["text"]
    assert not after["isError"]


def test_evidence_on_the_command_line(store: str, cli: Cli) -> None:
    """The same answers, as one document each; `--json --budget` of other commands gives them."""
    where = ("--store", store)
    (found,) = cli("evidence", "find", "--name", "run", *where).documents
    assert [row["ref"] for row in found["data"]] == ["second", "first"]
    ran = cli("evidence", "read", "second/outputs", "--budget", "500", *where)
    assert json.loads(ran.out)["verb"] == "read"
    assert "tokens" in ran.err
    assert cli("evidence", "read", "nothing", *where).status == 1
    assert cli("evidence", "find", "--budget", "5", *where).status == 2
    for command, verb in (
        (["list"], "find"),
        (["search", "run"], "find"),
        (["show", "second"], "outline"),
        (["diff", "first", "second"], "compare"),
    ):
        (document,) = cli(*command, "--json", "--budget", "900", *where).documents
        assert document["verb"] == verb


def test_mcp_starts_lightly() -> None:
    """Neither the HTTP client nor the server's libraries nor an SDK are imported to answer."""
    program = (
        "import sys; from honeytrace.__main__ import main; status = main(['mcp']);"
        "print(sorted({'httpx', 'mcp', 'pydantic', 'starlette', 'jinja2'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}\n',
        env=environ(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    greeting, heavy = done.stdout.splitlines()
    assert json.loads(greeting)["result"]["serverInfo"]["name"] == "honeytrace"
    assert heavy == "[]"
