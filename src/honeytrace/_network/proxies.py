"""The proxy that the environment names for a server, or none.

`urllib.request` reads the variables, and the settings of the system on macOS and Windows. NO_PROXY
is read here because people write it for curl, Go and Docker too: with networks (`10.0.0.0/8`,
`fd07::/64`), brackets (`[::1]`), wildcards (`*.internal`, `127.*`) and ports.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import HoneytraceError
from .server_url import without_user

_SCHEMES = ("http", "https", "socks5", "socks5h")


class ProxyError(HoneytraceError):
    """A proxy in the environment cannot be used. The text names variable, value and cure."""


class Proxy(NamedTuple):
    """A proxy, and the environment variable that names it."""

    url: str
    variable: str

    def __str__(self) -> str:
        return f"{self.variable}={without_user(self.url)}"

    def error(self, fault: str, cure: str) -> ProxyError:
        """Return the error for this proxy. Its password is masked."""
        return ProxyError(f"{self}: {fault}; {cure}")


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy for requests to `url`, or None if they go directly.

    Raises ProxyError if the environment names an impossible proxy.
    """
    parts = urlsplit(url)
    proxies = getproxies()
    found = next((name for name in (parts.scheme, "all") if proxies.get(name)), None)
    host = (parts.hostname or "").rstrip(".")
    if found is None or _is_direct(host, parts.port, proxies.get("no", "")):
        return None
    proxy = Proxy(proxies[found], _variable(found))
    if "://" not in proxy.url:
        proxy = proxy._replace(url=f"http://{proxy.url}")
    otherwise = "unset it, or name the server in NO_PROXY"
    try:
        told = urlsplit(proxy.url)
        is_possible = bool(told.hostname) and told.port != 0 and told.scheme.lower() in _SCHEMES
    except ValueError:
        is_possible = False
    if not is_possible:
        raise proxy.error("this is not the URL of a proxy", f"write http://host:port, {otherwise}")
    return proxy


def _variable(name: str) -> str:
    """Return the environment variable that urllib took a proxy from. Lower case wins."""
    lower = f"{name}_proxy"
    spellings = [lower, *(key for key in os.environ if key.lower() == lower)]
    return next((key for key in spellings if os.environ.get(key)), f"the system's {name} proxy")


def _is_direct(host: str, port: int | None, no_proxy: str) -> bool:
    """Tell whether the environment, or the system, exempts the host from the proxy."""
    entries = re.split(r"[\s,]+", no_proxy.strip().lower())
    if any(_matches(entry, host, port) for entry in entries if entry):
        return True
    # the system's exceptions on macOS and Windows; on others the same variable again
    return bool(proxy_bypass(host if port is None or ":" in host else f"{host}:{port}"))


def _matches(entry: str, host: str, port: int | None) -> bool:
    """Tell whether one entry of NO_PROXY covers the host. An unreadable entry covers nothing."""
    from ipaddress import ip_address, ip_network

    entry = entry.partition("://")[2] or entry
    if bracketed := re.fullmatch(r"\[([^]]*)\](?::(\d+))?(/\d+)?", entry):
        entry = bracketed[1] + (bracketed[3] or "")
        wanted = bracketed[2]
    else:
        name, _, digits = entry.rpartition(":")
        has_port = bool(name) and ":" not in name and digits.isdigit()
        entry, wanted = (name, digits) if has_port else (entry, None)
    if wanted is not None and (port is None or int(wanted) != port):
        return False
    try:
        address = ip_address(host)
    except ValueError:
        return _is_below(entry.rstrip("."), host)
    try:
        return address in ip_network(entry, strict=False)
    except ValueError:
        return "*" in entry and fnmatchcase(host, entry)


def _is_below(entry: str, host: str) -> bool:
    """Tell whether a host name is the entry's, or below it: `.internal`, `*.internal`, `*`."""
    if "*" in entry.removeprefix("*."):
        return fnmatchcase(host, entry)
    domain = entry.removeprefix("*").removeprefix(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))
