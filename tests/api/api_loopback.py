"""A real HTTP server on loopback that answers as scripted, faults included."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """What arrived: headers by lower-case name."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Hang:
    """Send the bytes, then nothing more, with the connection left open."""

    sent: bytes = b""


@dataclass(frozen=True)
class Drip:
    """Send the bytes, then one part after the other until the client has gone."""

    sent: bytes
    part: bytes = b"a"


@dataclass(frozen=True)
class Reset:
    """Send the bytes, then reset the connection."""

    sent: bytes = b""


Script = bytes | Hang | Drip | Reset | Callable[[Request], "bytes | Hang | Drip | Reset"]


def response(
    status: int = 200,
    body: Any = b"",
    content_type: str | None = "application/json",
    **headers: object,
) -> bytes:
    """A reply; anything but bytes is sent as JSON. Header names are given with underscores."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"content-length": len(content), "content-type": content_type}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"HTTP/1.1 {status} Said", *lines, "", ""]).encode() + content


class Loopback(socketserver.ThreadingTCPServer):
    """Answers the nth request with the nth of `script`, and from then on with the last."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[Script] = []
        self.requests: list[Request] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, request: Request) -> bytes | Hang | Drip | Reset:
        self.requests.append(request)
        reply = self.script[min(len(self.requests), len(self.script)) - 1]
        return reply(request) if callable(reply) else reply

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(socketserver.StreamRequestHandler):
    server: Loopback

    def handle(self) -> None:
        self.server.connections += 1
        try:
            while (request := self._read()) is not None:
                reply = self.server.answer(request)
                self.wfile.write(reply if isinstance(reply, bytes) else reply.sent)
                if isinstance(reply, bytes) and b"connection: close" in reply:
                    return
                if isinstance(reply, Drip):
                    while not self.server.stopped.wait(0.01):
                        self.wfile.write(reply.part)
                    return
                if isinstance(reply, Hang):
                    self.server.stopped.wait()
                    return
                if isinstance(reply, Reset):
                    linger = struct.pack("ii", 1, 0)  # closing sends RST
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()
                    return
        except ConnectionError:
            return  # the client gave up, as some tests want it to

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            pass  # reset above

    def _read(self) -> Request | None:
        start = self.rfile.readline().decode()
        if not start:
            return None
        method, path, _ = start.split(" ")
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Request(
            method, path, headers, self.rfile.read(int(headers.get("content-length", 0)))
        )
