"""Name lookups that end at a deadline.

`getaddrinfo` cannot be interrupted, and hangs for half a minute when the network is gone. It runs
in a thread of its own, which is left behind when time is up. There is one lookup at a time.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any, NamedTuple

_LASTING = 60.0
"""Seconds for which addresses are used without another lookup."""

_POLL = 0.005
"""Seconds between two checks whether a lookup has finished."""


class Address(NamedTuple):
    """The arguments of `socket.socket` and `connect`."""

    family: int
    kind: int
    protocol: int
    target: Any


class Resolver:
    """Looks up the addresses of a host and port, and remembers which address answered."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._addresses: list[Address] = []
        self._expires = 0.0
        self._lookup: _Lookup | None = None

    def addresses(self) -> Generator[float, None, list[Address]]:
        """Return the addresses, the best first. Yields the seconds to wait before it goes on.

        Raises OSError if the name has no address.
        """
        if not self._addresses or time.monotonic() >= self._expires:
            yield from self._renewed()
        return list(self._addresses)

    def succeeded(self, address: Address) -> None:
        """Note that this address answered: it is tried first from now on."""
        if address in self._addresses:
            self._addresses.remove(address)
            self._addresses.insert(0, address)

    def failed(self) -> None:
        """Note that no address answered: the next connection looks the name up again."""
        self._expires = 0.0

    def _renewed(self) -> Generator[float, None, None]:
        with suppress(OSError):  # an IP address, which needs no lookup
            self._remember(_found(self._host, self._port, socket.AI_NUMERICHOST))
            return
        lookup = self._lookup
        if lookup is None or lookup.process != os.getpid():
            lookup = self._lookup = _Lookup(self._host, self._port)
        while not lookup.done:
            yield _POLL
        self._lookup = None
        if lookup.error is not None:
            raise lookup.error
        self._remember(lookup.addresses)

    def _remember(self, addresses: list[Address]) -> None:
        self._addresses = addresses
        self._expires = time.monotonic() + _LASTING


class _Lookup:
    """A lookup in a thread, or in the calling thread if no thread can be started any more."""

    def __init__(self, host: str, port: int) -> None:
        self.process = os.getpid()
        self.done = False
        """True when the result is there; a plain value, which no patched lock can hold up."""
        self.addresses: list[Address] = []
        self.error: OSError | None = None
        self._host, self._port = host, port
        try:
            threading.Thread(target=self._run, name="honeytrace-lookup", daemon=True).start()
        except RuntimeError:  # Python 3.12 starts no thread at exit
            self._run()

    def _run(self) -> None:
        try:
            self.addresses = _found(self._host, self._port)
        except OSError as error:
            self.error = OSError(error.errno, f"cannot look up {self._host}: {error.strerror}")
        except UnicodeError:  # the codec refuses a label that is too long
            self.error = OSError(f"cannot look up {self._host}: no such name is possible")
        finally:
            self.done = True


def _found(host: str, port: int, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [Address(family, kind, protocol, to) for family, kind, protocol, _, to in found]
