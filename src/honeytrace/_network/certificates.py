"""The TLS context that verifies servers.

The trusted authorities are those of SSL_CERT_FILE or SSL_CERT_DIR, or of certifi if neither is set.
REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE were set for other programs. Their authorities
are trusted in addition, because they usually include the one of a company's own proxy.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import TypeVar

from .._base.lazy import logger
from ..errors import HoneytraceError

T = TypeVar("T")

_INSTEAD = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_BESIDE = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_warned: set[str] = set()


class CertificatesError(HoneytraceError):
    """A variable names certificates that cannot be read. The text has its value and the cure."""


def ssl_context() -> ssl.SSLContext:
    """Return a context that verifies servers with the authorities of the environment.

    Raises CertificatesError if SSL_CERT_FILE or SSL_CERT_DIR cannot be read: another trust in their
    place would contradict them. If the other variables cannot be read, one warning says so.
    """
    variable = next((name for name in _INSTEAD if os.environ.get(name)), None)
    context = _context(_certifi(), None) if variable is None else _checked(variable, _context)
    for name in filter(os.environ.get, _BESIDE):
        try:
            _checked(name, context.load_verify_locations)
        except CertificatesError as error:  # noqa: PERF203 - two variables at most
            if name not in _warned:
                _warned.add(name)
                logger.warning("honeytrace does not use %s", error)
    # some servers choose HTTP/2 for a client that names no protocol
    context.set_alpn_protocols(["http/1.1"])
    return context


def _context(cafile: str | None, capath: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cafile, capath=capath)


def _certifi() -> str | None:
    """Return the file of certifi, or None for the system's authorities if it is not installed."""
    try:
        import certifi
    except ImportError:
        return None
    return certifi.where()


def _checked(variable: str, load: Callable[[str | None, str | None], T]) -> T:
    """Load the file or the directory that a variable names. Raises CertificatesError."""
    value = os.environ[variable]
    cure = "unset it, or name the file or the directory of the certificates to trust"
    try:
        return load(None, value) if os.path.isdir(value) else load(value, None)
    except ssl.SSLError:
        fault = "this file has no certificates"
    except OSError as error:
        fault = error.strerror or str(error)
    raise CertificatesError(f"{variable}={value}: {fault}; {cure}")
