"""The TLS context by which a server's certificate is checked.

The authorities are those of certifi, as with httpx, or of SSL_CERT_FILE or SSL_CERT_DIR in their
place. REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE were set for other programs: what they name is trusted
in addition, since it mostly holds the authority of a company's own proxy.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import TypeVar

from .._lazy import logger
from ..errors import HoneytraceError

T = TypeVar("T")

_INSTEAD = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_BESIDE = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_warned: set[str] = set()


class CertificatesError(HoneytraceError):
    """A variable names certificates that cannot be read; the text has its value and the cure."""


def ssl_context() -> ssl.SSLContext:
    """Return a context that verifies servers, as the environment says.

    Raises CertificatesError for SSL_CERT_FILE or SSL_CERT_DIR that cannot be read: trusting others
    in their place is not what they ask for. The other variables cost one warning.
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
    # the requests are HTTP/1.1, and some servers choose another protocol for who names none
    context.set_alpn_protocols(["http/1.1"])
    return context


def _context(cafile: str | None, capath: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cafile, capath=capath)


def _certifi() -> str | None:
    """certifi's file; None, for the system's authorities, where it is not installed."""
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
