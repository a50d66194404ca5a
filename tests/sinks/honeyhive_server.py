"""A small HoneyHive on loopback for the sink's tests: it keeps what it accepts, and can be told to
answer otherwise."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters

from honeytrace.sinks import Delivery

DOCUMENT = Path(__file__).parents[1] / "api" / "data" / "honeyhive-openapi-1.0.21.yaml"
BATCH = "/session/start/batch"
TAKEN = Delivery([], [])
"""What the sink says of a batch that was accepted whole."""


@dataclass(frozen=True)
class Request:
    """What arrived, in the shape that openapi-core reads."""

    method: str
    path: str
    body: bytes
    parameters: RequestParameters
    content_type: str = "application/json"
    host_url: str = "https://api.honeyhive.ai"

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


@cache
def published() -> OpenAPI:
    """HoneyHive's published document."""
    return OpenAPI.from_file_path(str(DOCUMENT))


class HoneyHiveServer(ThreadingHTTPServer):
    """`sessions`, `events` and `updates` hold what was accepted; `answer` may answer instead."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lock = threading.Lock()
        self.requests: list[Request] = []
        self.connections = 0
        self.stored: Counter[str] = Counter()
        self.sessions: dict[str, dict[str, Any]] = {}
        self.events: dict[str, dict[str, Any]] = {}
        self.updates: list[dict[str, Any]] = []
        self.answer: Callable[[Request], Reply | None] = lambda request: None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.done = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> HoneyHiveServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]

    def validate(self) -> None:
        """Raises for a request that the published document does not allow."""
        for request in self.requests:
            if request.path != BATCH:
                published().validate_request(replace(request, method=request.method.lower()))

    def reply(self, request: Request) -> Reply:
        with self.lock:
            self.requests.append(request)
        answered = self.answer(request)
        if answered is not None:
            return answered
        with self.lock:
            return self._stored(request)

    def _stored(self, request: Request) -> Reply:
        if request.method == "GET":
            return self._found(request.path.rpartition("/")[2])
        body = request.json
        if request.path == "/session/start":
            return Reply(body={"session_id": self._start(body["session"])})
        if request.path == BATCH:
            self.updates += body["updates"]
            ids = [self._start(session) for session in body["sessions"]]
            return Reply(body={"accepted": len(ids) + len(body["updates"]), "refused": []})
        if request.path == "/events/batch":
            return Reply(body={"event_ids": [self._keep(e) for e in body["events"]]})
        if request.path == "/events/export":
            root = body["filters"][0]["value"]
            return Reply(
                body={"events": [e for e in self.events.values() if e["session_id"] == root]}
            )
        self.updates.append(body)
        return Reply()

    def _start(self, session: dict[str, Any]) -> str:
        self.stored[session["session_id"]] += 1
        self.sessions[session["session_id"]] = session
        return str(session["session_id"])

    def _keep(self, event: dict[str, Any]) -> str:
        self.stored[event["event_id"]] += 1
        self.events[event["event_id"]] = event
        return str(event["event_id"])

    def _found(self, event_id: str) -> Reply:
        if event_id in self.sessions:
            session = self.sessions[event_id]
            event = {**session, "event_id": event_id, "event_name": session["session_name"]}
            return Reply(body={**event, "event_type": "session"})
        return Reply(404, {"message": "no such session"})


class _Handler(BaseHTTPRequestHandler):
    server: HoneyHiveServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.server.connections += 1
        try:
            super().handle()
        except ConnectionError:
            pass  # the client gave up, as some tests want it to

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        parameters = RequestParameters(header=httpx.Headers(dict(self.headers)))
        reply = self.server.reply(Request(self.command, self.path, body, parameters))
        content = b"" if reply.body is None else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in (*reply.headers, *self.server.headers):
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _do  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        pass
