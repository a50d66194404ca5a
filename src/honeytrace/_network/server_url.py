"""Checks of the URL and the key that a program configures.

The error texts end up in logs, so they never repeat a password or a key.
"""

from __future__ import annotations

import re

_FORM = "write https://host[:port][/path], without user, query or fragment"
_HOST = re.compile(r"[A-Za-z0-9._~\u0080-\U0010ffff-]+")


def checked_url(url: str) -> str:
    """Return the URL with its scheme in lower case and without slashes at the end.

    Raises ValueError with a text that names the fault and the form to write.
    """
    from urllib.parse import urlsplit  # 3 ms, paid only by programs with a server

    # urlsplit drops tabs and newlines silently
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError(f"a URL has no spaces or control characters; {_FORM}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{_cause(error)}; {_FORM}") from None
    # a user in the URL would become Basic authentication and replace the key
    if "@" in parts.netloc:
        raise ValueError(f"the URL names a user; give the key by api_key and {_FORM}")
    if "?" in url or "#" in url:
        raise ValueError(f"the URL has a query or a fragment; {_FORM}")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"a URL begins with http:// or https://; {_FORM}")
    if port == 0:
        raise ValueError(f"a port is a number from 1 to 65535; {_FORM}")
    host = parts.hostname or ""
    if not (_is_ipv6(host) if "[" in parts.netloc else _HOST.fullmatch(host)):
        raise ValueError(f"the URL has no host that a request could go to; {_FORM}")
    ascii_host(host)
    return parts.scheme + url[len(parts.scheme) :].rstrip("/")


def without_user(url: str) -> str:
    """Return a URL for a message, with the user and password in it masked."""
    return re.sub(r"//[^/?#]*@", "//***@", url)


def _cause(error: ValueError) -> str:
    """Return the fault that urlsplit found, in words that do not repeat the URL."""
    return "a port is a number from 1 to 65535" if "ort" in str(error) else "this is not a URL"


def _is_ipv6(host: str) -> bool:
    from ipaddress import IPv6Address

    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def ascii_host(host: str) -> str:
    """Return a host name as DNS knows it. Raises ValueError for an impossible name."""
    if host.isascii():
        return host
    import idna  # a dependency of httpx

    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"the host cannot be looked up ({error}); {_FORM}") from None


def checked_key(key: str) -> str:
    """Return the key without the whitespace around it: keys read from a file end in a newline.

    Raises ValueError, without the key in its text, if no header can carry the key.
    """
    key = key.strip()
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ValueError("the key has characters that no header can carry; copy it again")
    return key
