"""The keys that open the server, and the tickets by which a browser shows that it knew one."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence

from ..store._tenant import tenant_name

__all__ = ["TICKET_SECONDS", "Keys"]

TICKET_SECONDS = 14 * 24 * 3600
"""How long a browser stays logged in."""


class Keys:
    """Any of these keys opens the server, each for one tenant; without one (then this is falsy)
    the server is open to everybody.

    A key is written `key` or `key=tenant`; the tenant of the first form is the default one, `""`.
    Every key is compared, and in constant time, so that the time taken tells nothing. `clock` gives
    epoch seconds. Raises ConfigurationError for an invalid name of a tenant.
    """

    def __init__(self, keys: Sequence[str], clock: Callable[[], float] = time.time) -> None:
        self._tenants = dict(_parse(key) for key in keys if key)
        self._clock = clock

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def open(self, key: str) -> str | None:
        """Return the tenant of a key; None for a key that is not valid."""
        digest = _digest(key)
        return self._matching(lambda known: hmac.compare_digest(digest, known))

    def ticket(self, key: str) -> str:
        """Return what a browser keeps instead of the key: when it expires, signed with that key.

        A key that is withdrawn takes its tickets with it.
        """
        expires = str(int(self._clock()) + TICKET_SECONDS)
        return f"{expires}.{_signed(_digest(key), expires)}"

    def admit(self, ticket: str) -> str | None:
        """Return the tenant of the key that a ticket was made with; None for a ticket that was
        made with no valid key, or has expired."""
        expires, _, signature = ticket.partition(".")
        given = signature.encode()
        tenant = self._matching(
            lambda known: hmac.compare_digest(given, _signed(known, expires).encode())
        )
        return tenant if tenant is not None and int(expires) > self._clock() else None

    def _matching(self, matches: Callable[[bytes], bool]) -> str | None:
        # every key is looked at, whichever matches
        found = [tenant for digest, tenant in self._tenants.items() if matches(digest)]
        return found[0] if found else None


def _parse(text: str) -> tuple[bytes, str]:
    """The digest of a key and its tenant. An equals sign at the end belongs to the key, as base64
    has it."""
    key, _, tenant = text.rpartition("=")
    return (_digest(key), tenant_name(tenant)) if key and tenant else (_digest(text), "")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _signed(secret: bytes, text: str) -> str:
    return hmac.new(secret, b"honeytrace ticket " + text.encode(), hashlib.sha256).hexdigest()
