"""One call: its requests, its retries, its deadline; written once for both forms."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import httpx

from honeytrace._version import __version__
from honeytrace.api._options import Settings
from honeytrace.api._reply import Reply
from honeytrace.api._transport import Clock, Driver, Steps
from honeytrace.api._wire import encode
from honeytrace.api.errors import (
    APIConnectionError,
    APIError,
    InvalidRequestError,
    PartialBatchError,
    RequestTimeoutError,
    SDKError,
    UnexpectedClientError,
    ValidationError,
)
from honeytrace.api.operations import Exchange, Operation
from honeytrace.api.retry import matches

T = TypeVar("T")
BearerAuth: TypeAlias = "str | Callable[[], str | Awaitable[str]]"

_log = logging.getLogger("honeytrace.api")
USER_AGENT = f"honeytrace/{__version__}"
_SECRET = ("auth", "cookie", "key", "token", "secret")  # in the names of headers not to be logged


class Streamed(NamedTuple):
    """A body that comes in chunks, of so many bytes together; it may be asked for them again."""

    chunks: Iterable[bytes]
    size: int


class Call:
    """One call from its beginning; each method yields the steps its driver takes."""

    def __init__(
        self, settings: Settings, bearer: BearerAuth | None, driver: Driver, clock: Clock
    ) -> None:
        self._settings = settings
        self._bearer = bearer
        self._driver = driver
        self._clock = clock
        self._started = clock.monotonic()

    def converse(self, operation: Operation[T]) -> Steps[T]:
        """Answer what the operation asks until it returns; raises APIError."""
        try:
            exchange = next(operation)
        except StopIteration:
            raise ValidationError("this operation has been run: make another") from None
        try:
            while True:
                try:
                    reply = yield from self._exchange(exchange)
                except SDKError as error:  # noqa: PERF203 - the operation may know another route
                    exchange = operation.throw(error)
                else:
                    exchange = operation.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _exchange(self, exchange: Exchange) -> Steps[Reply]:
        """A successful reply, after retries; raises the last failure."""
        content = None if exchange.payload is None else encode(exchange.payload)
        retries = self._settings.retries
        attempt = 0
        while True:
            retry_after = None
            failure: APIError | None
            try:
                reply = yield from self.attempt(exchange, content)
            except (APIConnectionError, RequestTimeoutError) as error:
                failure, again = error, retries.retry_connection_errors
            else:
                failure = reply.error(expects_json=exchange.expects_json)
                if failure is None:
                    return reply
                # repeating a batch that was stored in part would store that part twice
                again = not isinstance(failure, PartialBatchError) and matches(
                    reply.status_code, self._settings.retry_codes
                )
                retry_after = reply.retry_after
            elapsed = self._elapsed()
            delay = retries.delay(attempt, elapsed, self._clock.jitter(), retry_after)
            if not again or delay is None or elapsed + delay >= self._settings.timeout:
                raise failure
            _log.debug("%s %s again in %.3f s", exchange.method, exchange.path, delay)
            yield self._driver.sleep(delay)
            attempt += 1

    def attempt(self, exchange: Exchange, content: bytes | Streamed | None) -> Steps[Reply]:
        """One request and its reply, whatever its status; raises APIError when there is none."""
        try:
            token: Any = self._bearer
            if callable(token):
                token = yield self._driver.resolve(token(), self._remaining())
            bearer = None if self._bearer is None else authorization(token)
            request, how = self._request(exchange, content, bearer)
            _log_headers("request", request.headers)
            response = yield self._driver.send(request, self._remaining(), **how)
        except Exception as error:  # noqa: BLE001 - a bearer callable may raise anything
            failure = as_api_error(error)
            _log.debug("%s %s: %r", exchange.method, exchange.path, failure)
            raise failure from failure.__cause__
        _log.debug("%s %s: %d", exchange.method, exchange.path, response.status_code)
        _log_headers("response", response.headers)
        return Reply(_unless_rewritten(request, response))

    def _request(
        self, exchange: Exchange, content: bytes | Streamed | None, bearer: str | None
    ) -> tuple[httpx.Request, dict[str, Any]]:
        """The request, and the options httpx takes on sending it."""
        how: dict[str, Any] = {"follow_redirects": True, **self._settings.http_options}
        headers = httpx.Headers({"accept": "application/json"})
        if content is not None:
            headers["content-type"] = "application/json"
        if isinstance(content, Streamed):  # httpx then sends no `transfer-encoding: chunked`
            headers["content-length"] = str(content.size)
        if bearer is not None:
            headers["authorization"] = bearer
        headers.update(how.pop("headers", None))
        headers["user-agent"] = USER_AGENT
        client = self._driver.client()
        request = client.build_request(
            exchange.method,
            self._settings.server_url + exchange.path,
            content=content.chunks if isinstance(content, Streamed) else content,
            headers=headers,
            timeout=_capped(client.timeout, self._remaining()),
            **{name: how.pop(name) for name in ("params", "cookies", "extensions") if name in how},
        )
        return request, how

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._started

    def _remaining(self) -> float:
        """Seconds to the deadline. Raises RequestTimeoutError when it has passed."""
        remaining = self._settings.timeout - self._elapsed()
        if remaining <= 0:
            raise RequestTimeoutError(f"Request timed out after {self._settings.timeout} s")
        return remaining


def authorization(token: Any) -> str:
    """The header for a key, which errors do not repeat. Raises ValidationError when it is none."""
    if not isinstance(token, str) or not token.strip():
        raise ValidationError("bearer_auth: pass an API key, or None to send none")
    token = token.strip()  # keys read from a file end in a newline
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ValidationError("bearer_auth: the key has characters that no header can carry")
    return f"Bearer {token}"


def as_api_error(error: Exception) -> APIError:
    """The error of our tree, with the original as its cause."""
    if isinstance(error, APIError):
        return error
    what = f"{type(error).__name__}: {error}"
    failure: APIError
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        failure = RequestTimeoutError(f"Request timed out: {what}")
    elif isinstance(error, httpx.DecodingError):
        failure = ValidationError(f"Response validation failed: {what}")
    elif isinstance(error, httpx.LocalProtocolError):  # its text repeats the header's value
        failure = InvalidRequestError("Unable to make this request: a header is not valid HTTP")
    elif isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects)):
        failure = InvalidRequestError(f"Unable to make this request: {what}")
    elif isinstance(error, httpx.TransportError):
        failure = APIConnectionError(f"Unable to make request: {what}")
    else:  # the text of a bearer callable's error may hold a secret
        failure = UnexpectedClientError(f"Unexpected {type(error).__name__}: see __cause__")
    failure.__cause__ = error
    return failure


def _capped(steps: httpx.Timeout, remaining: float) -> httpx.Timeout:
    """httpx's timeouts of the single network steps, none longer than what remains."""
    if math.isinf(remaining):
        return steps
    caps = {
        name: remaining if step is None else min(step, remaining)
        for name, step in steps.as_dict().items()
    }
    return httpx.Timeout(**caps)


def _unless_rewritten(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    """The redirect itself, where following it made a GET of our POST: that answer is not ours."""
    if response.history and response.request.method != request.method:
        return response.history[0]
    return response


def _log_headers(of: str, headers: httpx.Headers) -> None:
    if _log.isEnabledFor(logging.DEBUG):
        shown = {
            name: "***" if any(part in name.lower() for part in _SECRET) else value
            for name, value in headers.items()
        }
        _log.debug("%s headers: %s", of, shown)
