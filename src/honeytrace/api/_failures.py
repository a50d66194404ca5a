"""Every exception as one of the client's own, without secrets in its text."""

from __future__ import annotations

from typing import Any

from honeytrace._network.server_url import checked_key
from honeytrace.api._httpx import is_error
from honeytrace.api.errors import (
    APIConnectionError,
    APIError,
    InvalidRequestError,
    RequestTimeoutError,
    UnexpectedClientError,
    ValidationError,
    shown,
)
from honeytrace.errors import HoneytraceError


def authorization(token: Any) -> str:
    """Return the Authorization header for a key.

    Raises ValidationError, without the key in its text, if it is not a key.
    """
    if not isinstance(token, str) or not token.strip():
        raise ValidationError("bearer_auth: pass an API key, or None to send none")
    try:
        return f"Bearer {checked_key(token)}"
    except ValueError as error:
        raise ValidationError(f"bearer_auth: {error}") from None


def as_api_error(error: Exception, bearer: str | None = None, proxied: str = "") -> APIError:
    """Return an error of our tree with the original as its cause.

    The key in `bearer` is masked in the text. `proxied` is added to failures to connect.
    """
    if isinstance(error, APIError):
        return error
    what = f"{type(error).__name__}: {error}"
    failure: APIError
    if isinstance(error, TimeoutError) or is_error(error, "TimeoutException"):
        failure = RequestTimeoutError(shown(f"Request timed out: {what}{proxied}", bearer))
    elif is_error(error, "DecodingError"):
        failure = ValidationError(shown(f"Response validation failed: {what}", bearer))
    elif is_error(error, "LocalProtocolError"):  # its text repeats the value of the header
        failure = InvalidRequestError("Unable to make this request: a header is not valid HTTP")
    elif isinstance(error, HoneytraceError):  # names a variable of the environment and the cure
        failure = InvalidRequestError(shown(f"Unable to make this request: {error}", bearer))
    elif is_error(error, "InvalidURL", "UnsupportedProtocol", "TooManyRedirects"):
        failure = InvalidRequestError(shown(f"Unable to make this request: {what}", bearer))
    elif is_error(error, "TransportError"):
        failure = APIConnectionError(shown(f"Unable to make request: {what}{proxied}", bearer))
    else:
        failure = UnexpectedClientError(shown(f"Unexpected {what}", bearer))
    failure.__cause__ = error
    return failure
