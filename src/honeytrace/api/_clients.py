"""The httpx clients that are ours, made as the environment says.

The environment is read here and not by httpx: NO_PROXY in all its spellings, certificates, and
errors that name the variable. Proxies of other schemes than the server's are not even looked at.
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
    """Return what a client is made with. Raises ProxyError, CertificatesError."""
    # one that trusts nobody costs no 20 ms, and there is no certificate to check
    is_secure = secure or (proxy is not None and proxy.url.startswith("https"))
    made: dict[str, Any] = {
        "trust_env": False,
        "verify": _context() if is_secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        # generous, since the deadline of a call is the user's to set; yet no step hangs for ever
        "timeout": httpx.Timeout(60.0),
        # every connection is worth keeping: the API takes one session a request
        "limits": httpx.Limits(max_connections=100, max_keepalive_connections=100),
        # the `http2` extra; servers that do not speak it get HTTP/1.1
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
    """One context for all clients: it costs some 20 ms, and there may be a client per event loop.

    An error is not kept: the next call looks again.
    """
    return ssl_context()
