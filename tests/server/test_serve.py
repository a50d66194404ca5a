"""`honeytrace serve` as a process: where it listens, what it refuses, how it ends."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from serving import served, start

from honeytrace._durability import quarantine as _aside
from honeytrace.errors import ConfigurationError
from honeytrace.server import serve
from honeytrace.store.sqlite import SQLiteStore
from surroundings import environ


def test_it_serves_the_store_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """What it took is there afterwards, in one file: the store was closed."""
    path = tmp_path / "sessions.db"
    with served(path) as url:
        reply = httpx.post(f"{url}/session/start", json={"session": {"session_id": "s"}})
        assert reply.status_code == 200
    assert not Path(f"{path}-wal").exists()
    store = SQLiteStore(path, readonly=True)
    assert store.get("s") is not None
    store.close()


def test_it_takes_in_what_dead_processes_left(tmp_path: Path) -> None:
    """A program that was killed before it could deliver is found in the viewer all the same."""
    program = """
import os, honeytrace
with honeytrace.session("killed", session_id="k"):
    pass
os._exit(9)
"""
    store = tmp_path / ".honeytrace" / "sessions.db"
    env = environ(HONEYTRACE_FLUSH_INTERVAL="1000")
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, check=False)
    assert not store.exists()
    with served(store) as url:
        assert httpx.get(f"{url}/session/k").json()["event_name"] == "killed"
    assert list((tmp_path / ".honeytrace" / "journal").iterdir()) == []


def test_what_the_store_refuses_of_them_is_set_aside(tmp_path: Path) -> None:
    """It is said, and kept for `honeytrace refused --retry`; the others are taken in."""
    program = """
import os, honeytrace
for name in ("bad", "good"):
    with honeytrace.session(name, session_id=name):
        pass
os._exit(9)
"""
    store = tmp_path / ".honeytrace" / "sessions.db"
    SQLiteStore(store).close()
    with closing(sqlite3.connect(store)) as conn:
        conn.execute(
            "CREATE TRIGGER picky BEFORE INSERT ON events WHEN NEW.event_id = 'bad'"
            " BEGIN SELECT RAISE(ABORT, 'no bad ones'); END"
        )
    env = environ(HONEYTRACE_FLUSH_INTERVAL="1000")
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=env, check=False)
    with start("--store", str(store)) as process:
        assert process.stderr is not None
        assert "1 refused: `honeytrace refused` says why" in process.stderr.readline()
        url = process.stderr.readline().rpartition(" ")[2].strip()
        assert httpx.get(f"{url}/session/good").status_code == 200
        process.terminate()
        assert process.wait(30) == 0
    (kept,) = _aside.refused(str(tmp_path / ".honeytrace" / "journal"))
    assert (kept.item.event_id, "no bad ones" in kept.reason) == ("bad", True)


def test_what_dead_processes_left_does_not_keep_it_from_its_start(tmp_path: Path) -> None:
    """However much that is: it answers meanwhile, and ends when it is told to."""
    program = """
from honeytrace._record.wire import from_start_session
from honeytrace.server import run
def endless(journal, deliver):
    while not deliver([from_start_session({"session_id": "again"}, str)]).retry:
        pass
run.recover_all, run._PATIENCE = endless, 0.01
run.serve("sessions.db", port=0)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        url = process.stderr.readline().rpartition(" ")[2].strip()
        assert httpx.get(f"{url}/v1/events").status_code == 200
        process.terminate()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_an_interrupt_ends_it_as_well(tmp_path: Path) -> None:
    """Ctrl-C leaves no traceback."""
    with start("--store", str(tmp_path / "sessions.db")) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_beyond_loopback_it_wants_a_key(host: str, tmp_path: Path) -> None:
    """And says how to set one; nothing was bound or created."""
    with pytest.raises(ConfigurationError, match="HONEYTRACE_SERVER_KEYS"):
        serve(tmp_path / "sessions.db", host=host, port=0, keys=["", ""])
    assert not list(tmp_path.iterdir())


def test_with_a_key_it_listens_to_the_world(tmp_path: Path) -> None:
    """Keys come from the environment, where no process list shows them."""
    env = {**os.environ, "HONEYTRACE_SERVER_KEYS": "one, two"}
    store = str(tmp_path / "sessions.db")
    with start("--host", "0.0.0.0", "--store", store, env=env) as process:
        assert process.stderr is not None
        port = process.stderr.readline().rpartition(":")[2].strip()
        url = f"http://127.0.0.1:{port}/v1/events"
        headers = {"host": "any.example"}
        assert httpx.get(url, headers=headers).status_code == 401
        headers["authorization"] = "Bearer two"
        assert httpx.get(url, headers=headers).status_code == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET /health HTTP/1.1\r\nhost: localhost\r\n"])
def test_half_a_request_does_not_hold_a_connection(sent: bytes, tmp_path: Path) -> None:
    """A connection whose request does not come is closed, and whole requests are answered."""
    program = """
from honeytrace.server import Limits, serve
serve("sessions.db", port=0, limits=Limits(head_seconds=0.2, connections=3))
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        port = int(process.stderr.readline().rpartition(":")[2])
        with ExitStack() as opened:
            held = [
                opened.enter_context(socket.create_connection(("127.0.0.1", port), 30))
                for _ in range(3)
            ]
            for each in held:
                each.sendall(sent)
            assert [each.recv(100) for each in held] == [b""] * 3
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
        process.terminate()
        assert process.wait(30) == 0


def test_an_address_in_use_is_told(tmp_path: Path) -> None:
    """With a way out, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with start("--port", port, cwd=tmp_path) as process:
            assert process.stderr is not None
            said = process.stderr.read()
            assert process.wait(30) == 1
    assert said.startswith(f"honeytrace: cannot listen on 127.0.0.1:{port}")
    assert said.count("\n") == 1


def test_without_the_extra_it_says_what_to_install() -> None:
    """One line, not a traceback."""
    code = (
        "import sys; sys.modules['starlette'] = None\n"
        "from honeytrace.__main__ import main; sys.exit(main(['serve']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr == (
        'honeytrace: the server needs starlette: pip install "honeytrace[server]"\n'
    )
