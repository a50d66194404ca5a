"""The exceptions of the HoneyHive client, raised or returned inside `Err`.

    HoneytraceError
    └── APIError
        ├── ValidationError (ValueError)              an invalid request, found before any I/O;
        │                                             or a 200 whose body cannot be read
        ├── SDKError                                  the server said no: 4xx, 5xx, or a reply that
        │   │                                         is not a 200 of the expected content type
        │   ├── PartialBatchError                     a 500 that may have stored a part of a batch
        │   └── SessionNotFoundError (LookupError)    no route of the server knows the session
        └── HTTPClientError                           no usable reply; `__cause__` is the reason
            ├── APIConnectionError (ConnectionError)  refused, reset, cut short, no such host
            ├── RequestTimeoutError (TimeoutError)    the call's deadline, or one network step's
            ├── InvalidRequestError                   cannot be sent: URL, header, redirect loop
            └── UnexpectedClientError                 anything else, as a `bearer_auth` that raises

The names are those of HoneyHive's TypeScript client where they do not hide a Python builtin.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from honeytrace.errors import HoneytraceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from honeytrace.api._httpx import AnyResponse

_SHOWN = 1000  # characters of a body in a message; `body` has it whole

_SECRET = 6  # characters of a key that is masked; a shorter key is part of ordinary words

_MOVED = "Set server_url to where the server now is; only GET, 307 and 308 are followed."

_ELSEWHERE = (
    "Set server_url to where the server now is: another host is sent nothing unless http_options "
    "has follow_redirects=True."
)

_CURES = {
    301: _MOVED,
    302: _MOVED,
    303: _MOVED,
    307: _ELSEWHERE,
    308: _ELSEWHERE,
    401: "Set bearer_auth to a valid HoneyHive API key.",
    403: "Use an API key that may act on this project.",
    405: "Check server_url: this server does not offer the route.",
    413: "Send fewer or smaller events in one request; HoneyHive takes 5 MB.",
    429: "Send less often, or pass retries=RetryConfig.backoff().",
}


def shown(text: str, bearer: str | None) -> str:
    """Return a text for a terminal or a log, without control characters and without the key."""
    key = (bearer or "").partition(" ")[2] or bearer
    if key and len(key) >= _SECRET:
        text = text.replace(key, "***")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class APIError(HoneytraceError):
    """Base of everything `honeytrace.api` raises."""


class ValidationError(APIError, ValueError):
    """An invalid request, found before any I/O, or a 200 whose body cannot be read.

    `raw_value` is the offending value, `raw_response` the reply when there was one.
    """

    def __init__(
        self, message: str, raw_value: Any = None, raw_response: AnyResponse | None = None
    ) -> None:
        super().__init__(message)
        self.raw_value = raw_value
        self.raw_response = raw_response

    def __reduce__(self) -> tuple[Any, ...]:
        # the attributes are not in `args`, so that a repr does not show a whole payload
        return type(self), (str(self), self.raw_value, self.raw_response)


class SDKError(APIError):
    """The server answered with something other than a 200 of the expected content type."""

    def __init__(self, message: str, raw_response: AnyResponse) -> None:
        super().__init__(message, raw_response)
        self.message = message
        self.raw_response = raw_response

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self.raw_response.status_code

    @property
    def content_type(self) -> str:
        """The Content-Type header, or the empty string."""
        return str(self.raw_response.headers.get("content-type", ""))

    @property
    def body(self) -> str:
        """The whole body as text."""
        return self.raw_response.text

    def __str__(self) -> str:
        body = self.body if len(self.body) <= _SHOWN else f"{self.body[:_SHOWN]}…"
        text = (
            f"{self.message}: Status {self.status_code} Content-Type {self.content_type or '-'}"
            f" Body {body or '(empty)'}"
        )
        cure = _CURES.get(self.status_code)
        return f"{shown(text, self._bearer)}\n{cure}" if cure else shown(text, self._bearer)

    @property
    def _bearer(self) -> str | None:
        """The Authorization header of the request. Some servers repeat it in their errors."""
        try:
            return self.raw_response.request.headers.get("authorization")
        except RuntimeError:  # a response without a request, as tests make them
            return None


class PartialBatchError(SDKError):
    """HTTP 500 from a batch route that names what it stored: never retried as it stands.

    `event_ids` were stored, `errors` says why others were not (OpenAPI 1.0.21, createEventBatch).
    """

    @property
    def event_ids(self) -> list[str]:
        """Ids of the events that were stored."""
        return self._listed("event_ids")

    @property
    def errors(self) -> list[str]:
        """One message for each event that was not stored."""
        return self._listed("errors")

    def _listed(self, key: str) -> list[str]:
        listed = json.loads(self.raw_response.content).get(key)
        return listed if isinstance(listed, list) else []


class SessionNotFoundError(SDKError, LookupError):
    """No route of this server knows the session.

    `tried` maps each route to the status it answered with. `conclusive` is false when every route
    may as well be missing from the server: then nobody knows whether the session exists.
    """

    def __init__(
        self,
        message: str,
        raw_response: AnyResponse,
        tried: Mapping[str, int],
        conclusive: bool,
    ) -> None:
        super().__init__(message, raw_response)
        self.args = (message, raw_response, tried, conclusive)
        self.tried = tried
        self.conclusive = conclusive

    def __str__(self) -> str:
        return self.message


class HTTPClientError(APIError):
    """No usable reply; `__cause__` is the exception of httpx or of the bearer callable."""


class APIConnectionError(HTTPClientError, ConnectionError):
    """The server could not be reached, or the connection ended before the reply did."""


class RequestTimeoutError(HTTPClientError, TimeoutError):
    """The deadline of the call passed, or one network step took longer than httpx allows."""


class InvalidRequestError(HTTPClientError):
    """No such request can be sent: an impossible URL or header, or redirects without end."""


class UnexpectedClientError(HTTPClientError):
    """Anything else that went wrong on this side, such as a `bearer_auth` callable that raised."""
