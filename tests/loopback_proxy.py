"""A TCP proxy on loopback whose connections can hang, and that can refuse new ones."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count

__all__ = ["Proxy", "proxied"]


class Proxy:
    """Forwards connections to the first of its targets that accepts, in turn.

    It starts to forward at once. `hang` keeps all connections open without forwarding a byte,
    `refuse` closes everything, and `resume` forwards again at the same port.
    """

    def __init__(self, targets: Sequence[int]) -> None:
        self._targets = targets
        self._turn = count()
        self._forwards = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.waiting = threading.Semaphore(0)
        """Released for each connection or message that hangs."""
        self.resume()

    def hang(self) -> None:
        """Forward nothing more; connections stay open, and new ones are accepted."""
        self._forwards.clear()

    def refuse(self) -> None:
        """Close all connections, and refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _close(listener)
        with self._lock:
            for each in self._sockets:
                _close(each)
            self._sockets.clear()
        self._forwards.set()

    def resume(self) -> None:
        """Forward, also what hangs."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
            self.port = self._listener.getsockname()[1]
            _thread(self._accept, self._listener)
        self._forwards.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._keep(client)
            _thread(self._connect, client)

    def _connect(self, client: socket.socket) -> None:
        self._wait()
        for _ in self._targets:
            target = self._targets[next(self._turn) % len(self._targets)]
            with suppress(OSError):
                server = socket.create_connection(("127.0.0.1", target), timeout=10)
                server.settimeout(None)
                self._keep(server)
                _thread(self._pump, client, server)
                self._pump(server, client)
                return
        _close(client)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._wait()
                target.sendall(data)
        for each in (source, target):
            _close(each)
            with self._lock:
                self._sockets.discard(each)

    def _wait(self) -> None:
        if not self._forwards.is_set():
            self.waiting.release()
            self._forwards.wait()

    def _keep(self, each: socket.socket) -> None:
        with self._lock:
            self._sockets.add(each)


@contextmanager
def proxied(*targets: int) -> Iterator[Proxy]:
    """A proxy to these ports on loopback, closed at the end."""
    proxy = Proxy(targets)
    try:
        yield proxy
    finally:
        proxy.refuse()


def _thread(act: object, *arguments: object) -> None:
    threading.Thread(target=act, args=arguments, daemon=True).start()  # type: ignore[arg-type]


def _close(each: socket.socket) -> None:
    # A thread that waits in accept or recv only wakes when the socket is shut down.
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
