"""One call: its requests, redirects, retries and deadline, written once for both forms."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

from honeytrace._base.version import __version__
from honeytrace._network.proxies import ProxyError, proxy_for
from honeytrace._network.streamed import Streamed
from honeytrace.api._bounds import ACCEPTED
from honeytrace.api._failures import as_api_error, authorization
from honeytrace.api._httpx import adapted, library_of
from honeytrace.api._options import Settings
from honeytrace.api._reply import Reply
from honeytrace.api._transport import Clock, Driver, Limits, Steps
from honeytrace.api._wire import encode
from honeytrace.api.errors import (
    APIConnectionError,
    APIError,
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
_SECRET = (
    "auth",
    "cookie",
    "key",
    "token",
    "secret",
)  # parts of the names of headers that are not logged


class Call:
    """One call. Each method yields the steps that the driver takes."""

    def __init__(
        self, settings: Settings, bearer: BearerAuth | None, driver: Driver, clock: Clock
    ) -> None:
        self._settings = settings
        self._bearer = bearer
        self._driver = driver
        self._clock = clock
        self._started = clock.monotonic()

    def converse(self, operation: Operation[T]) -> Steps[T]:
        """Send the requests of the operation until it returns its result. Raises APIError."""
        try:
            exchange = next(operation)
        except StopIteration:
            raise ValidationError("this operation has already run; create a new one") from None
        try:
            while True:
                try:
                    reply = yield from self._exchange(exchange)
                except SDKError as error:  # noqa: PERF203 - the operation may try another route
                    exchange = operation.throw(error)
                else:
                    exchange = operation.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _exchange(self, exchange: Exchange) -> Steps[Reply]:
        """Return a successful reply, after retries. Raises the last failure."""
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
                # a repetition of a batch that was stored in part would store that part twice
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
        """Send one request, and return the reply with any status. Raises APIError without one."""
        bearer = None
        try:
            if self._bearer is not None:
                bearer = authorization((yield from self._token()))
            reply: Reply = yield from self._sent(exchange, content, bearer)
        except Exception as error:  # noqa: BLE001 - hooks and authentication may raise anything
            failure = as_api_error(error, bearer, self._proxied())
            _log.debug("%s %s: %r", exchange.method, exchange.path, failure)
            raise failure from failure.__cause__
        _log.debug("%s %s: %d", exchange.method, exchange.path, reply.status_code)
        _log_headers("response", reply.headers)
        return reply

    def _proxied(self) -> str:
        """Return the part of an error text that names the proxy, if there is one."""
        try:
            proxy = proxy_for(self._settings.server_url) if self._driver.has_own else None
        except ProxyError:  # the failure itself
            return ""
        cure = "check it, unset it, or name the server in NO_PROXY"
        return "" if proxy is None else f" (through {proxy}: {cure})"

    def _token(self) -> Steps[Any]:
        """Return the key, or the result of the function for it."""
        if not callable(self._bearer):
            return self._bearer
        try:
            return (yield self._driver.resolve(self._bearer(), self._remaining()))
        except (APIError, TimeoutError):
            raise
        except Exception as error:  # the text may contain a secret
            raise UnexpectedClientError(
                f"bearer_auth raised {type(error).__name__}: see __cause__"
            ) from error

    def _sent(
        self, exchange: Exchange, content: bytes | Streamed | None, bearer: str | None
    ) -> Steps[Reply]:
        """Send one request, follow its redirects, and return the reply."""
        url = self._settings.server_url + exchange.path
        client = self._driver.client(url)
        library = library_of(client)
        how = adapted(library, self._settings.http_options)
        follows = how.pop("follow_redirects", None)
        request = self._request(client, exchange.method, url, content, bearer, how)
        _log_headers("request", request.headers)
        history: list[Any] = []
        while True:
            limits = Limits(self._remaining(), self._settings.max_reply_bytes)
            how["follow_redirects"] = False
            response = yield self._driver.send(client, request, limits, how)
            response.history = list(history)
            following = response.next_request
            if following is None or follows is False:
                break
            if _origin(following.url) != _origin(request.url):
                if not follows and not _is_upgrade(request.url, following.url):
                    break
                how["auth"] = None
                client = self._driver.client(str(following.url))
            history.append(response)
            if len(history) > client.max_redirects:
                raise library.TooManyRedirects("too many redirects", request=request)
            request = following
        return Reply(_unless_rewritten(exchange.method, response))

    def _request(
        self,
        client: Any,
        method: str,
        url: str,
        content: bytes | Streamed | None,
        bearer: str | None,
        how: dict[str, Any],
    ) -> Any:
        """Return the request. Options for sending it remain in `how`."""
        library = library_of(client)
        headers = library.Headers({"accept": "application/json", "accept-encoding": ACCEPTED})
        if content is not None:
            headers["content-type"] = "application/json"
        if isinstance(content, Streamed):  # prevents `transfer-encoding: chunked`
            headers["content-length"] = str(content.size)
        if bearer is not None:
            headers["authorization"] = bearer
        headers.update(how.pop("headers", None))
        headers["user-agent"] = USER_AGENT
        return client.build_request(
            method,
            url,
            content=content.chunks if isinstance(content, Streamed) else content,
            headers=headers,
            timeout=_capped(library, client.timeout, self._remaining()),
            **{name: how.pop(name) for name in ("params", "cookies", "extensions") if name in how},
        )

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._started

    def _remaining(self) -> float:
        """Return the seconds to the deadline. Raises RequestTimeoutError if it has passed."""
        remaining = self._settings.timeout - self._elapsed()
        if remaining <= 0:
            raise RequestTimeoutError(f"Request timed out after {self._settings.timeout} s")
        return remaining


def _capped(library: Any, steps: Any, remaining: float) -> Any:
    """Return the timeouts of single network steps, capped at the remaining time."""
    if math.isinf(remaining):
        return steps
    caps = {
        name: remaining if step is None else min(step, remaining)
        for name, step in steps.as_dict().items()
    }
    return library.Timeout(**caps)


def _origin(url: Any) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_upgrade(url: Any, other: Any) -> bool:
    """Tell whether a redirect asks for the same host over TLS, on the standard ports."""
    schemes, ports = (url.scheme, other.scheme), (url.port, other.port)
    return bool(schemes == ("http", "https") and url.host == other.host and ports == (None, None))


def _unless_rewritten(method: str, response: Any) -> Any:
    """Return the redirect itself if following it made a GET of our POST: it has no answer."""
    if response.history and response.request.method != method:
        return response.history[0]
    return response


def _log_headers(of: str, headers: Any) -> None:
    if _log.isEnabledFor(logging.DEBUG):
        secret = {
            name: "***" if any(part in name.lower() for part in _SECRET) else value
            for name, value in headers.items()
        }
        _log.debug("%s headers: %s", of, secret)
