"""The command line in a process of its own, in pipes or in a pseudo-terminal, and a small API."""

from __future__ import annotations

import codecs
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol, TypeVar

from answered import answered
from honeytrace._record.record import Record
from honeytrace.store.sqlite import SQLiteStore

COMMAND = [sys.executable, "-m", "honeytrace"]

ROOT = "01900000-0000-7000-8000-000000000001"
CHILD = "01900000-0000-7000-8000-000000000002"
OTHER = "01900001-0000-7000-8000-000000000003"
"""The sessions of the fixture `store`: a run, the call inside it, and a newer run."""


@dataclass
class Ran:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """Its output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Cli(Protocol):
    def __call__(self, *arguments: str) -> Ran: ...


def record(session_id: str, **fields: Any) -> Record:
    """A finished session with this id; `fields` are those of a startSession payload, or columns of
    a record."""
    columns = {name: fields.pop(name) for name in list(fields) if name in Record._fields[2:5]}
    return answered(session_id, **fields)._replace(**columns)


def stored(path: Path, *records: Record) -> Path:
    """The store at this path, with these in it."""
    store = SQLiteStore(path)
    store.insert(records)
    store.close()
    return path


def runs(tmp_path: Path) -> str:
    """A store with three runs, the second with a call inside."""
    return str(
        stored(
            tmp_path / "s.db",
            record("one", session_name="ask", start_time=1e12, metrics={"score": 0.5}),
            record("two", session_name="index", start_time=1e12 + 1, duration=90.0),
            record("two-inside", parent_id="two", root_id="two", start_time=1e12 + 2),
            record("three", session_name="ask", start_time=1e12 + 3),
        )
    )


def ids(path: Path) -> set[str]:
    """The ids of the sessions in a store."""
    store = SQLiteStore(path, readonly=True)
    try:
        return set(store.find_ids("", 10_000))
    finally:
        store.close()


def piped(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """The command line with its output in pipes."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, timeout=120, **options)


class Terminal:
    """The command line in a pseudo-terminal `columns` wide."""

    def __init__(self, *arguments: str, columns: int = 80, **env: str) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self._fd, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environ = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "CI")}
        environ |= {"TERM": "xterm-256color", **env}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=environ,
            start_new_session=True,
        )
        os.close(inside)
        self._told: list[str] = []
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode

    @property
    def text(self) -> str:
        """All it has shown so far."""
        return "".join(self._told)

    def until(self, words: str) -> str:
        """What it shows, up to these words at least."""
        while words not in self.text:
            self._read()
        return self.text

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C; again where the first came just before a read that then waits all the same.

        Not soon: a second one during the end of the process would kill it, on a busy machine."""
        while self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(15)

    def end(self) -> tuple[int, str]:
        """Its exit status and all it showed."""
        try:
            while True:
                self._read()
        except EOFError:
            pass
        return self.process.wait(60), self.text

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._fd)
        self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            data = b""
        if not data:
            raise EOFError(self.text[-2000:])
        self._told.append(self._decode(data))


def in_terminal(*arguments: str, columns: int = 80, **env: str) -> tuple[int, str]:
    """The exit status of a command that asks nothing, and all it showed in a pseudo-terminal."""
    with Terminal(*arguments, columns=columns, **env) as terminal:
        return terminal.end()


class Api(ThreadingHTTPServer):
    """An API that takes sessions; `answer` says with which status, by session id."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.taken: list[str] = []
        self.keys: set[str | None] = set()
        self.events: dict[str, Any] = {}
        """What it knows, by session id."""
        self.answer: Any = lambda session_id: 200
        self.lookup = True
        """Whether it has a route for one session."""


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/events/export":
            self._reply(200, {"events": [], "totalEvents": 0})
            return
        if self.path != "/session/start":
            self._reply(404, {"message": "no such route"})
            return
        session = json.loads(body)["session"]
        self.server.keys.add(self.headers["authorization"])
        status = self.server.answer(session["session_id"])
        if status == 200:
            self.server.taken.append(session["session_id"])
        self._reply(status, {"session_id": session["session_id"]})

    def do_GET(self) -> None:
        self.server.keys.add(self.headers["authorization"])
        status = self.server.answer(self.path)
        event = self.server.events.get(self.path.rpartition("/")[2])
        if status == 200 and event is None:
            status = 404
        told = "no such session" if self.server.lookup else "Cannot GET"
        self._reply(status, event or {"message": told})

    def _reply(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


Server = TypeVar("Server", bound=ThreadingHTTPServer)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
