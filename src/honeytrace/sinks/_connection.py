"""A kept-alive connection to the server, for one thread at a time.

By the standard library's http.client, whose request takes 0.2 ms of CPU where httpx takes 0.7. What
it cannot do goes through httpx, from then on: proxies, redirects, replies that it cannot read.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - else the first connection imports it, where a fork may come
import os
import select
import ssl
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from io import BufferedReader, RawIOBase
from socket import socket
from typing import Any
from urllib.request import getproxies

import httpx

from ..api import HoneyHiveCore
from ..api._call import USER_AGENT, Streamed, authorization
from ..api._reply import Reply

_REST = 30.0
"""Seconds of silence after which a connection is not used again: what lies between may have
forgotten it, and say nothing."""

_LONGEST = 32_000_000
"""Bytes of a reply: a reason for each of a batch, and no more than memory can hold."""

_HUNG_UP = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


class Address:
    """The server as every connection to it needs it, and how to get there.

    Raises ValidationError for an impossible URL or key.
    """

    def __init__(self, api_key: str | None, server_url: str) -> None:
        HoneyHiveCore(api_key, server_url=server_url)  # raises
        self.api_key, self.server_url = api_key, server_url.rstrip("/")
        self._url = httpx.URL(self.server_url)
        self._context = httpx.create_ssl_context() if self._url.scheme == "https" else None
        self._targets: dict[str, str] = {}
        self.is_direct = not getproxies().keys() & {self._url.scheme, "all"}
        self.headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
        }
        if api_key is not None:
            self.headers["Authorization"] = authorization(api_key)

    def target(self, path: str) -> str:
        """What the request line names."""
        found = self._targets.get(path)
        if found is None:
            found = self._targets[path] = httpx.URL(self.server_url + path).raw_path.decode()
        return found

    def line(self, deadline: float) -> HTTPConnection:
        """A new connection."""
        host, left = self._url.raw_host.decode(), _left(deadline)
        line = (
            HTTPConnection(host, self._url.port or 80, timeout=left)
            if self._context is None
            else HTTPSConnection(host, self._url.port or 443, timeout=left, context=self._context)
        )
        try:
            line.connect()
        except BaseException:
            line.close()
            raise
        line.sock = _Timed(line.sock)
        return line


class Connection:
    """Connects when it has something to send, and anew when that is needed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._core = HoneyHiveCore(address.api_key, server_url=address.server_url)
        self._line: HTTPConnection | None = None
        self._process = 0
        self._used = 0.0

    def send(self, method: str, path: str, body: bytes | Streamed, seconds: float) -> Reply:
        """Send JSON, and return the reply, within so many seconds, whatever its status.

        Raises OSError, HTTPException or APIError when there is none.
        """
        deadline = time.monotonic() + seconds
        if self._address.is_direct:
            reply = self._directly(method, path, body, deadline)
            if reply is not None:
                return reply
            self._address.is_direct = False
        return self._core.send_json(method, path, body, options={"timeout": _left(deadline)})

    def close(self) -> None:
        """Close what is open; the next request opens it again."""
        line, self._line = self._line, None
        if line is not None:
            line.close()
        self._core.close()

    def _directly(
        self, method: str, path: str, body: bytes | Streamed, deadline: float
    ) -> Reply | None:
        """The reply; None where it is for httpx to have."""
        try:
            line = self._kept()
            if line is not None:
                try:
                    return self._exchange(line, method, path, body, deadline)
                except TimeoutError:
                    raise
                except OSError:  # the server closed it just now
                    pass
            return self._exchange(self._address.line(deadline), method, path, body, deadline)
        except (ConnectionError, IncompleteRead):
            raise
        except HTTPException:
            return None

    def _kept(self) -> HTTPConnection | None:
        """The connection of before, where it can be used again."""
        line, self._line = self._line, None
        if line is None:
            return None
        timed: Any = line.sock
        rested = time.monotonic() - self._used
        if self._process == os.getpid() and rested < _REST and timed.is_quiet():
            return line
        line.close()  # in a forked child its own descriptor alone
        return None

    def _exchange(
        self, line: HTTPConnection, method: str, path: str, body: bytes | Streamed, deadline: float
    ) -> Reply | None:
        timed: Any = line.sock
        timed.deadline = deadline
        size = body.size if isinstance(body, Streamed) else len(body)
        headers = {**self._address.headers, "Content-Length": str(size)}
        parts = body.chunks if isinstance(body, Streamed) else body
        whole = True
        try:
            try:
                line.request(method, self._address.target(path), parts, headers)
            except _HUNG_UP:
                whole = False  # it may have answered before, as with 413
            response = line.getresponse()
            content = response.read()
        except BaseException:
            line.close()
            raise
        if not whole:
            line.close()
        status = response.status
        if status < 200 or status in (307, 308):  # an interim reply, or where a POST stays one
            line.close()
            return None
        if line.sock is not None:
            self._line, self._process, self._used = line, os.getpid(), time.monotonic()
        raw = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in response.getheaders()]
        return Reply(httpx.Response(status, headers=raw, content=content))


class _Timed:
    """A socket all of whose steps end at a deadline, as http.client uses one."""

    def __init__(self, sock: socket) -> None:
        self.sock = sock
        self.deadline = 0.0

    def sendall(self, data: bytes) -> None:
        self.sock.settimeout(_left(self.deadline))
        self.sock.sendall(data)

    def makefile(self, mode: str) -> BufferedReader:
        return BufferedReader(_Reading(self.sock, self.deadline))

    def close(self) -> None:
        self.sock.close()

    def is_quiet(self) -> bool:
        """Whether nothing has come over it that nobody has asked for: the end, or a reply."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return False
        if not hasattr(select, "poll"):
            return not select.select([self.sock], (), (), 0)[0]
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)


class _Reading(RawIOBase):
    """What a socket gives until the deadline, however slowly, up to the length of a reply."""

    def __init__(self, sock: socket, deadline: float) -> None:
        self._sock, self._deadline, self._room = sock, deadline, _LONGEST
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._deadline))
        size = self._raw.readinto(buffer)
        self._room -= size or 0
        if self._room < 0:
            raise IncompleteRead(b"")
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


def _left(deadline: float) -> float:
    """Seconds. Raises TimeoutError where there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no reply in time")
    return left
