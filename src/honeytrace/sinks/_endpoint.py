"""The server that connections lead to: its address, its TLS context, and the heads of requests."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - the first lookup would import it, while the program may fork
import ssl
from functools import cached_property
from urllib.parse import quote, urlsplit

from .._base.version import __version__
from .._network.certificates import ssl_context
from .._network.server_url import ascii_host, checked_key, checked_url
from ..errors import ConfigurationError

_PATH = "/%:@!$&'()*+,;=~"
"""Characters of a path that are not encoded. `%` is one of them: nothing is encoded twice."""


class Endpoint:
    """A server and the key for it. Raises ConfigurationError for an impossible URL or key."""

    def __init__(self, api_key: str | None, server_url: str) -> None:
        try:
            self.url = checked_url(server_url)
            self.api_key = None if api_key is None else checked_key(api_key)
            parts = urlsplit(self.url)
            self.host = ascii_host(parts.hostname or "")
        except ValueError as error:
            raise ConfigurationError(f"the API cannot be reached: {error}") from None
        self.is_secure = parts.scheme == "https"
        standard = 443 if self.is_secure else 80
        self.port = parts.port or standard
        name = f"[{self.host}]" if ":" in self.host else self.host
        self._authority = name if self.port == standard else f"{name}:{self.port}"
        self._base = quote(parts.path, safe=_PATH)
        self._heads: dict[tuple[str, str], bytes] = {}

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The TLS context. Raises CertificatesError, and looks again the next time it is asked."""
        return ssl_context()

    def head(self, method: str, path: str, size: int) -> bytes:
        """Return the head of a request whose body has `size` bytes."""
        head = self._heads.get((method, path))
        if head is None:
            head = self._heads[method, path] = self._made(method, path)
        return b"%b%d\r\n\r\n" % (head, size)

    def _made(self, method: str, path: str) -> bytes:
        lines = [
            f"{method} {self._base}{quote(path, safe=_PATH)} HTTP/1.1",
            f"Host: {self._authority}",
            "Accept: application/json",
            "Accept-Encoding: identity",  # replies are small, and unpacking costs more
            "Content-Type: application/json",
            f"User-Agent: honeytrace/{__version__}",
        ]
        if self.api_key is not None:
            lines.append(f"Authorization: Bearer {self.api_key}")
        return "\r\n".join([*lines, "Content-Length: "]).encode()
