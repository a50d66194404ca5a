"""The keys that open the server, and the tickets by which a browser shows that it knew one."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence

__all__ = ["TICKET_SECONDS", "Keys"]

TICKET_SECONDS = 14 * 24 * 3600
"""How long a browser stays logged in."""


class Keys:
    """Any of these keys opens the server; without one (then this is falsy) it is open.

    Every key is compared, and in constant time, so that the time taken tells nothing. `clock` gives
    epoch seconds.
    """

    def __init__(self, keys: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        self._digests = [_digest(key) for key in keys if key]
        self._clock = clock

    def __bool__(self) -> bool:
        return bool(self._digests)

    def open(self, key: str) -> bool:
        """Whether this is one of the keys."""
        digest = _digest(key)
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(matches)

    def ticket(self, key: str) -> str:
        """What a browser keeps instead of the key: when it expires, signed with that key.

        A key that is withdrawn takes its tickets with it.
        """
        expires = str(int(self._clock()) + TICKET_SECONDS)
        return f"{expires}.{_signed(_digest(key), expires)}"

    def admit(self, ticket: str) -> bool:
        """Whether this ticket was made with one of the keys, and still holds."""
        expires, _, signature = ticket.partition(".")
        given = signature.encode()
        known = [
            hmac.compare_digest(given, _signed(digest, expires).encode())
            for digest in self._digests
        ]
        return any(known) and int(expires) > self._clock()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _signed(secret: bytes, text: str) -> str:
    return hmac.new(secret, b"honeytrace ticket " + text.encode(), hashlib.sha256).hexdigest()
