"""Our own httpx clients, made from the environment.

httpx does not read the environment itself: it knows fewer spellings of NO_PROXY, its errors do not
name the variable, and it fails on a proxy for another scheme than the server's.
"""

from __future__ import annotations

import importlib.util
import ssl
from functools import cache
from typing import Any

from honeytrace._network.certificates import ssl_context
from honeytrace._network.proxies import Proxy
from honeytrace.api._httpx import httpx


def options(proxy: Proxy | None, *, secure: bool) -> dict[str, Any]:
    """Return the arguments for a client. Raises ProxyError and CertificatesError."""
    # without TLS, a context that trusts nobody saves 20 ms of loading certificates
    is_secure = secure or (proxy is not None and proxy.url.startswith("https"))
    made: dict[str, Any] = {
        "trust_env": False,
        "verify": _context() if is_secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        # generous, because users set the deadline of a call; but no step hangs for ever
        "timeout": httpx.Timeout(60.0),
        # every connection is worth keeping: the API accepts one session per request
        "limits": httpx.Limits(max_connections=100, max_keepalive_connections=100),
        # the `http2` extra; servers without HTTP/2 get HTTP/1.1
        "http2": importlib.util.find_spec("h2") is not None,
    }
    if proxy is not None:
        if proxy.url.startswith("socks") and importlib.util.find_spec("socksio") is None:
            package = f"{httpx.__name__}[socks]"
            cure = f"pip install '{package}', unset it, or name the server in NO_PROXY"
            raise proxy.error("SOCKS needs a package that is not installed", cure)
        made["proxy"] = proxy.url
    return made


@cache
def _context() -> ssl.SSLContext:
    """Return one context for all clients: it costs 20 ms, and each event loop has its own client.

    An error is not kept, so that the next call looks again.
    """
    return ssl_context()
