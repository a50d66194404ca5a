"""The HTTP library: httpx2, the maintained continuation of httpx, if it is installed, or httpx.

All other modules import `httpx` from here. Programs may pass clients, authentication and options of
either library, and their hooks may raise the errors of either, whichever library is in use.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import httpx
    import httpx2

    AnyClient: TypeAlias = httpx.Client | httpx2.Client
    AnyAsyncClient: TypeAlias = httpx.AsyncClient | httpx2.AsyncClient
    AnyAuth: TypeAlias = httpx.Auth | httpx2.Auth
    AnyHeaders: TypeAlias = httpx.Headers | httpx2.Headers
    AnyResponse: TypeAlias = httpx.Response | httpx2.Response
else:
    try:
        import httpx2 as httpx
    except ImportError:
        import httpx
    AnyClient = AnyAsyncClient = AnyAuth = AnyHeaders = AnyResponse = Any

__all__ = ["adapted", "httpx", "is_error", "library_of"]

_LIBRARIES = ("httpx", "httpx2")


def library_of(thing: object) -> Any:
    """Return the library of an object's class, or the library in use for any other object."""
    for kind in type(thing).__mro__:
        name = kind.__module__.partition(".")[0]
        if name in _LIBRARIES:
            return sys.modules[name]
    return httpx


def is_error(error: Exception, *names: str) -> bool:
    """Tell whether an exception is of one of these classes, in either library."""
    library = library_of(error)
    return isinstance(error, tuple(getattr(library, name) for name in names))


def adapted(library: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return request options with objects of the other library converted to this one's."""
    given = dict(options)
    for name, kind, plain in (
        ("headers", "Headers", _items),
        ("params", "QueryParams", _items),
        ("cookies", "Cookies", _jar),
        ("auth", "Auth", partial(_auth, library)),
    ):
        value = given.get(name)
        other = library_of(value)
        if other is not library and isinstance(value, getattr(other, kind)):
            given[name] = plain(value)
    return given


def _items(given: Any) -> Any:
    return given.multi_items()


def _jar(given: Any) -> Any:
    return given.jar


def _auth(library: Any, auth: Any) -> Any:
    """Return an authentication flow as this library's. Only the types of requests differ."""

    class Adapted(library.Auth):  # type: ignore[misc]
        requires_request_body = auth.requires_request_body
        requires_response_body = auth.requires_response_body

        def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
            yield from auth.sync_auth_flow(request)

        def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
            flow: AsyncGenerator[Any, Any] = auth.async_auth_flow(request)
            return flow

    return Adapted()
