"""One kept-alive connection, as steps: connecting, sending a request, reading its reply.

A step never blocks. Where it would, the generator registers with the driver's selector for what it
waits for and yields, with the seconds after which it wants to go on in any case, or None. Deadlines
are the driver's: it closes the connection.
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
"""Seconds of silence after which a connection is not used again: what lies between may have
forgotten it, and say nothing."""

_ATTEMPT = 3.0
"""Seconds that an address has to answer while there are others to try."""

_RECEIVE = 65_536
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_BLOCKED = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_HUNG_UP = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0))

Steps = Generator["float | None", None, Answer]
Selector = selectors.BaseSelector


class Connection:
    """Connects when there is something to send, and anew when that is needed."""

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

        `parts` are head and body, and may be iterated twice: where a kept connection turns out to
        be closed, the request goes over a new one. Raises OSError or HTTPException when there is
        no reply.
        """
        self._selector = selector
        if self._is_usable():
            try:
                return (yield from self._converse(parts))
            except OSError:  # the server closed it just now
                self.close()
                if self._reader.has_begun:
                    raise
        yield from self._connect()
        return (yield from self._converse(parts))

    def rest(self) -> None:
        """Leave the selector, which ends with the delivery."""
        self._selector, self._events = None, 0

    def close(self) -> None:
        """Close what is open; the next request opens it again."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        if self._selector is not None and self._events:
            self._selector.unregister(sock)
        self._events = 0
        sock.close()  # in a forked child its own descriptor alone

    def _is_usable(self) -> bool:
        """Tell whether the connection of before can carry a request."""
        sock = self._sock
        if sock is None:
            return False
        if self._process == os.getpid() and time.monotonic() - self._used < _REST:
            try:
                sock.recv(1)  # the end, or a reply that nobody has asked for
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
        with suppress(OSError):  # a small request must not wait for more
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
        events, self._events = self._events, 0  # of the same descriptor, from here on
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
                    answer = self._receive()  # a server may refuse a body before it has read it
                    rest = b"" if answer is not None else self._send(rest)
                if answer is not None:
                    is_whole = False
                    break
        except _HUNG_UP:  # a reply may have come before, as with 413
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
        """Send until it would block, and return what is left."""
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
        """Have the selector wait for these events."""
        if events == self._events:
            return
        assert self._selector is not None
        assert self._sock is not None
        if self._events:
            self._selector.modify(self._sock, events, self)
        else:
            self._selector.register(self._sock, events, self)
        self._events = events
