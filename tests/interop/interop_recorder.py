"""A proxy that keeps what clients ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.request import Request, urlopen

Client: TypeAlias = Callable[[str, dict[str, Any]], dict[str, Any]]
"""An official client in its own process: server URL and session in, what it printed out."""


class Recorder(ThreadingHTTPServer):
    """Passes everything on to `target` and keeps what was asked: method, path, key, JSON body."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.target = target
        self.requests: list[tuple[str, str, str | None, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def asked(self, method: str, path: str) -> list[tuple[str | None, Any]]:
        """Key and body of the requests to a route, in order."""
        return [(k, body) for m, p, k, body in self.requests if (m, p) == (method, path)]


class _Forward(BaseHTTPRequestHandler):
    server: Recorder

    def _forward(self) -> None:
        length = self.headers.get("content-length")
        body = self.rfile.read(int(length)) if length else self._chunks()
        media_type = self.headers.get("content-type", "")
        parsed = json.loads(body) if body and media_type.startswith("application/json") else None
        key = self.headers.get("authorization")
        self.server.requests.append((self.command, self.path, key, parsed))
        request = Request(self.server.target + self.path, body or None, method=self.command)
        for name in ("content-type", "content-encoding"):
            if self.headers.get(name):
                request.add_header(name, self.headers[name])
        with urlopen(request) as reply:
            content = reply.read()
            self.send_response(reply.status)
            self.send_header("content-type", reply.headers["content-type"])
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = _forward  # noqa: N815 - http.server's own names

    def _chunks(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return b""
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *arguments: object) -> None:
        """Silence."""
