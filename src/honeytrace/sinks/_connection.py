"""A kept-alive connection to the server, for one thread at a time.

By the standard library's http.client, whose request takes 0.1 ms of CPU where httpx takes 0.6. What
it does not do, proxies and redirects, goes through httpx.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection, HTTPSConnection
from urllib.request import getproxies

import httpx

from ..api import HoneyHiveCore
from ..api._call import USER_AGENT, Streamed, authorization
from ..api._reply import Reply

_REST = 30.0
"""Seconds of silence after which a connection is not used again: what lies between may have
forgotten it, and say nothing."""

_FOLLOWED = (307, 308)
"""Redirects of which a POST stays one (RFC 9110, 15.4)."""


class Address:
    """The server as every connection to it needs it, and how to get there.

    Raises ValidationError for an impossible URL or key.
    """

    def __init__(self, api_key: str | None, server_url: str) -> None:
        HoneyHiveCore(api_key, server_url=server_url)  # raises
        self.api_key, self.server_url = api_key, server_url.rstrip("/")
        self._url = httpx.URL(self.server_url)
        self._context = httpx.create_ssl_context() if self._url.scheme == "https" else None
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
        return self._url.raw_path.decode().rstrip("/") + path

    def line(self, timeout: float) -> HTTPConnection:
        """Not connected yet."""
        host = self._url.raw_host.decode()
        if self._context is None:
            return HTTPConnection(host, self._url.port, timeout=timeout)
        return HTTPSConnection(host, self._url.port, timeout=timeout, context=self._context)


class Connection:
    """Connects when it has something to send, and anew when that is needed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._core = HoneyHiveCore(address.api_key, server_url=address.server_url)
        self._line: HTTPConnection | None = None
        self._process = 0
        self._used = 0.0

    def send(self, method: str, path: str, body: bytes | Streamed, seconds: float) -> Reply:
        """Send JSON, and return the reply whatever its status.

        Each step takes `seconds` at most, and none begins after that. Raises OSError, HTTPException
        or APIError when there is no reply.
        """
        if self._address.is_direct:
            deadline = time.monotonic() + seconds
            reply = self._directly(method, path, body, deadline)
            if reply.status_code not in _FOLLOWED:
                return reply
            self._address.is_direct, seconds = False, _left(deadline)
        return self._core.send_json(method, path, body, options={"timeout": seconds})

    def close(self) -> None:
        """Close what is open; the next request opens it again."""
        line, self._line = self._line, None
        if line is not None:
            line.close()
        self._core.close()

    def _directly(self, method: str, path: str, body: bytes | Streamed, deadline: float) -> Reply:
        line = self._kept()
        if line is not None:
            try:
                return self._exchange(line, method, path, body, deadline)
            except TimeoutError:
                raise
            except OSError:  # the server closed it when it had been silent for long
                pass
        line = self._address.line(_left(deadline))
        return self._exchange(line, method, path, body, deadline)

    def _kept(self) -> HTTPConnection | None:
        """The connection of before, where it can be used again."""
        line, self._line = self._line, None
        if line is None or self._process != os.getpid():  # it is the parent's
            return None
        if time.monotonic() - self._used < _REST:
            return line
        line.close()
        return None

    def _exchange(
        self, line: HTTPConnection, method: str, path: str, body: bytes | Streamed, deadline: float
    ) -> Reply:
        size = body.size if isinstance(body, Streamed) else len(body)
        headers = {**self._address.headers, "Content-Length": str(size)}
        complete = True
        try:
            if line.sock is None:
                line.connect()
            line.sock.settimeout(_left(deadline))
            parts = body if isinstance(body, bytes) else _until(deadline, body.chunks)
            try:
                line.request(method, self._address.target(path), parts, headers)
            except (BrokenPipeError, ConnectionResetError):
                complete = False  # it may have answered before it hung up, as with 413
            response = line.getresponse()
            content = response.read()
        except BaseException:
            line.close()
            raise
        if not complete:
            line.close()
        if line.sock is not None:
            self._line, self._process, self._used = line, os.getpid(), time.monotonic()
        return Reply(
            httpx.Response(response.status, headers=response.getheaders(), content=content)
        )


def _until(deadline: float, parts: Iterable[bytes]) -> Iterator[bytes]:
    for part in parts:
        _left(deadline)
        yield part


def _left(deadline: float) -> float:
    """Seconds. Raises TimeoutError where there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no reply in time")
    return left
