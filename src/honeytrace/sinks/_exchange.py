"""A kept-alive connection in steps: connecting, sending a request, reading the reply.

No step blocks. Instead, the generator registers with the driver's selector and yields the seconds
after which it must go on even without an event, or None. It knows no deadlines: the driver closes a
connection whose time is up.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import ssl
import time
from collections.abc import Generator, Iterable
from contextlib import suppress

from ._answer import Answer
from ._endpoint import Endpoint
from ._reply import ReplyReader
from ._resolver import Address, Resolver

_REST = 30.0
"""Seconds of silence after which a connection is not used again: a firewall in between may have
dropped it silently."""

_ATTEMPT = 3.0
"""Seconds in which an address must answer while there are other addresses to try."""

_RECEIVE = 65_536
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_BLOCKED = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_HUNG_UP = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0))

Steps = Generator["float | None", None, Answer]
Selector = selectors.BaseSelector


class Connection:
    """A connection that opens when there is something to send, and reopens when it was closed."""

    def __init__(self, endpoint: Endpoint, resolver: Resolver) -> None:
        self._endpoint, self._resolver = endpoint, resolver
        self._sock: socket.socket | None = None
        self._reader = ReplyReader()
        self._process = 0
        self._used = 0.0
        self._selector: Selector | None = None
        self._events = 0

    def exchange(self, selector: Selector, parts: Iterable[bytes]) -> Steps:
        """Send a request and return the reply, whatever its status.

        `parts` are head and body. They may be iterated twice: if a kept connection turns out to be
        closed, the request goes over a new one. Raises OSError or HTTPException without a reply.
        """
        self._selector = selector
        if self._is_usable():
            try:
                return (yield from self._converse(parts))
            except OSError:  # the server has just closed the connection
                self.close()
                if self._reader.has_begun:
                    raise
        yield from self._connect()
        return (yield from self._converse(parts))

    def rest(self) -> None:
        """Forget the selector, which ends with the delivery."""
        self._selector, self._events = None, 0

    def close(self) -> None:
        """Close the socket, if it is open. The next request opens another one."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        if self._selector is not None and self._events:
            self._selector.unregister(sock)
        self._events = 0
        sock.close()  # a forked child closes its own descriptor only

    def _is_usable(self) -> bool:
        """Tell whether the kept connection can carry another request."""
        sock = self._sock
        if sock is None:
            return False
        if self._process == os.getpid() and time.monotonic() - self._used < _REST:
            try:
                sock.recv(1)  # reads the end, or a reply that nobody asked for
            except _BLOCKED:
                return True
            except OSError:
                pass
        self.close()
        return False

    # connecting

    def _connect(self) -> Generator[float | None, None, None]:
        addresses = yield from self._resolver.addresses()
        tls = self._endpoint.tls if self._endpoint.is_secure else None
        failure: OSError | None = None
        for number, address in enumerate(addresses, 1):
            try:
                yield from self._open(address, None if number == len(addresses) else _ATTEMPT)
                if tls is not None:
                    yield from self._shake_hands(tls)
            except OSError as error:  # noqa: PERF203 - few addresses
                self.close()
                failure = failure or error
            else:
                self._process, self._reader = os.getpid(), ReplyReader()
                self._resolver.succeeded(address)
                return
        self._resolver.failed()
        raise failure or OSError(f"{self._endpoint.host} has no address")

    def _open(self, address: Address, seconds: float | None) -> Generator[float | None, None, None]:
        sock = self._sock = socket.socket(address.family, address.kind, address.protocol)
        sock.setblocking(False)
        with suppress(OSError):  # a small request must not wait for more data
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(address.target)
        if code in _UNDER_WAY:
            self._want(_WRITE)
            yield seconds
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        try:
            sock.getpeername()
        except OSError:
            raise TimeoutError("the address does not answer") from None

    def _shake_hands(self, tls: ssl.SSLContext) -> Generator[float | None, None, None]:
        assert self._sock is not None
        # the descriptor stays the same, and so does its registration
        events, self._events = self._events, 0
        sock = tls.wrap_socket(
            self._sock, do_handshake_on_connect=False, server_hostname=self._endpoint.host
        )
        self._sock, self._events = sock, events
        while True:
            try:
                return sock.do_handshake()
            except ssl.SSLWantReadError:
                self._want(_READ)
            except ssl.SSLWantWriteError:
                self._want(_WRITE)
            yield None

    # conversing

    def _converse(self, parts: Iterable[bytes]) -> Steps:
        self._reader.begin()
        answer, is_whole = None, True
        try:
            for part in parts:
                rest = self._send(part)
                while rest:
                    yield None
                    answer = self._receive()  # a server may refuse a body before reading all of it
                    rest = b"" if answer is not None else self._send(rest)
                if answer is not None:
                    is_whole = False
                    break
        except _HUNG_UP:  # the reply may have come before that, as with 413
            is_whole = False
        else:
            if answer is None:
                self._want(_READ)
                yield None
        while answer is None:
            answer = self._receive()
            if answer is None:
                self._want(_READ)
                yield None
        if is_whole and self._reader.keeps_alive:
            self._used = time.monotonic()
        else:
            self.close()
        return answer

    def _send(self, part: bytes | memoryview) -> bytes | memoryview:
        """Send until the socket would block, and return the rest."""
        sock = self._sock
        assert sock is not None
        while part:
            try:
                sent = sock.send(part)
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._want(_READ | _WRITE)
                break
            except ssl.SSLWantReadError:
                self._want(_READ)
                break
            part = memoryview(part)[sent:] if sent < len(part) else b""
        return part

    def _receive(self) -> Answer | None:
        assert self._sock is not None
        try:
            data = self._sock.recv(_RECEIVE)
        except _BLOCKED:
            return None
        return self._reader.feed(data) if data else self._reader.end()

    def _want(self, events: int) -> None:
        """Register for these events, if that is not done yet."""
        if events == self._events:
            return
        assert self._selector is not None
        assert self._sock is not None
        if self._events:
            self._selector.modify(self._sock, events, self)
        else:
            self._selector.register(self._sock, events, self)
        self._events = events
