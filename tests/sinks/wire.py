"""A server on loopback, of connections that each do as a test says, down to the bytes."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

PATIENCE = 30.0
"""Seconds after which a test has failed."""

Talk = Callable[["Line"], Any]


class Line:
    """The server's end of a connection."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock, self.number = sock, number
        self._file = sock.makefile("rb")

    def head(self) -> list[str]:
        """The lines of a request before its body; none where the client has gone."""
        lines: list[str] = []
        while line := self._file.readline().decode().rstrip("\r\n"):
            lines.append(line)
        return lines

    def request(self) -> tuple[list[str], bytes] | None:
        """Head and body; None where the client has gone."""
        lines = self.head()
        if not lines:
            return None
        (size,) = (int(x.partition(":")[2]) for x in lines if x.lower().startswith("content-le"))
        return lines, self._file.read(size)

    def answer(self, status: str = "200 OK", *headers: str, body: bytes = b"{}") -> None:
        lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")
        self.sock.sendall("\r\n".join(lines).encode() + body)

    def close(self) -> None:
        self._file.close()
        self.sock.close()


class Wire:
    """A server of connections that each do as `talk` says, and are closed when it returns."""

    def __init__(
        self, talk: Talk, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        name = f"[{host}]" if ":" in host else host
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://{name}:{self._listener.getsockname()[1]}"
        self.count = 0
        self._talk, self._context = talk, context
        self._thread = threading.Thread(target=self._accept)
        self._talks: list[threading.Thread] = []
        self._lines: list[Line] = []

    def __enter__(self) -> Wire:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self._listener.close()
        for line in list(self._lines):  # kept alive by the client
            with suppress(OSError):
                line.sock.shutdown(socket.SHUT_RD)
        for talk in self._talks:
            talk.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.count += 1
            self._talks.append(threading.Thread(target=self._serve, args=(sock, self.count)))
            self._talks[-1].start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            line = Line(sock, number)
            self._lines.append(line)
        except OSError:
            sock.close()
            return
        try:
            self._talk(line)
        except ConnectionError:
            pass  # the client gave up, as some tests want it to
        finally:
            line.close()
