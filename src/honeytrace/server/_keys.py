"""The keys that open the server, and the tickets that browsers keep instead of a key."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence

from ..store._tenant import tenant_name

__all__ = ["TICKET_SECONDS", "Keys"]

TICKET_SECONDS = 14 * 24 * 3600
"""Seconds for which a browser stays logged in."""


class Keys:
    """The keys that open the server, each for one tenant. Without a key the object is falsy, and
    the server is open to everybody.

    A key is written `key` or `key=tenant`; the first form belongs to the default tenant, `""`.
    Every key is compared in constant time, so that response times reveal nothing. `clock` returns
    epoch seconds. Raises ConfigurationError for an invalid tenant name.
    """

    def __init__(self, keys: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        self._tenants = dict(_parse(key) for key in keys if key)
        self._clock = clock

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def open(self, key: str) -> str | None:
        """Return the tenant of a key, or None if the key is not valid."""
        digest = _digest(key)
        return self._matching(lambda known: hmac.compare_digest(digest, known))

    def ticket(self, key: str) -> str:
        """Return the ticket that a browser keeps instead of the key: its expiry, signed with the
        key.

        Removing a key also invalidates its tickets.
        """
        expires = str(int(self._clock()) + TICKET_SECONDS)
        return f"{expires}.{_signed(_digest(key), expires)}"

    def admit(self, ticket: str) -> str | None:
        """Return the tenant of the key that signed a ticket; None if no valid key signed it or the
        ticket has expired."""
        expires, _, signature = ticket.partition(".")
        given = signature.encode()
        tenant = self._matching(
            lambda known: hmac.compare_digest(given, _signed(known, expires).encode())
        )
        return tenant if tenant is not None and int(expires) > self._clock() else None

    def _matching(self, matches: Callable[[bytes], bool]) -> str | None:
        # The loop never stops early: its time must not depend on the key that matches.
        found = [tenant for digest, tenant in self._tenants.items() if matches(digest)]
        return found[0] if found else None


def _parse(text: str) -> tuple[bytes, str]:
    """Return the digest of a key, and its tenant. A trailing equals sign belongs to the key, as in
    base64."""
    key, _, tenant = text.rpartition("=")
    return (_digest(key), tenant_name(tenant)) if key and tenant else (_digest(text), "")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _signed(secret: bytes, text: str) -> str:
    return hmac.new(secret, b"honeytrace ticket " + text.encode(), hashlib.sha256).hexdigest()
