"""`HoneyHiveCore`: a connection to HoneyHive.

The timeout is one deadline for the whole call: the bearer callable, every attempt, every wait, and
every route that `get_session` tries. Nothing starts after it. It ends both forms wherever they are:
in a name lookup, in headers that drip, in an event hook. Without a timeout, the httpx client still
bounds every network step (60 s for our own clients).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TypeVar

from honeytrace._network.streamed import Streamed
from honeytrace.api._call import BearerAuth, Call
from honeytrace.api._failures import as_api_error, authorization
from honeytrace.api._httpx import AnyAsyncClient, AnyClient
from honeytrace.api._options import HttpOptions, RequestOptions, Settings
from honeytrace.api._reply import Reply
from honeytrace.api._transport import Awaiting, Blocking, Clock, Driver, Steps, run, run_async
from honeytrace.api.errors import APIError
from honeytrace.api.operations import Exchange, Operation
from honeytrace.api.result import Err, Ok, Result
from honeytrace.api.retry import RetryConfig

T = TypeVar("T")


class HoneyHiveCore:
    """A connection without methods for the API. `call` and `call_async` run any operation.

    `bearer_auth` is the API key, or a function (sync or async) that is asked for it before each
    attempt; None sends no Authorization header. It is never logged or shown. `timeout` is seconds,
    see the module. `http_options` go to httpx with every request.

    Inject `client=` / `async_client=` for anything else httpx can do, event hooks among it; they
    stay yours to close. Our own are made on first use and closed by `close()`, `aclose()` or a
    with-block, and may be used from many threads.

    Raises ValidationError for an impossible option.
    """

    def __init__(
        self,
        bearer_auth: BearerAuth | None = None,
        *,
        server_url: str | None = None,
        timeout: float | None = None,
        retry_config: RetryConfig | None = None,
        retry_codes: Sequence[str | int] | None = None,
        http_options: HttpOptions | None = None,
        client: AnyClient | None = None,
        async_client: AnyAsyncClient | None = None,
        max_reply_bytes: int | None = None,
        _clock: Clock | None = None,
        _overruns: bool = False,
    ) -> None:
        self._bearer_auth = bearer_auth
        if bearer_auth is not None and not callable(bearer_auth):
            authorization(bearer_auth)  # raises now rather than at the first call
        self._settings = Settings().merged(
            {
                "server_url": server_url,
                "timeout": timeout,
                "retries": retry_config,
                "retry_codes": retry_codes,
                "http_options": http_options,
                "max_reply_bytes": max_reply_bytes,
            }
        )
        self._clock = _clock or Clock()
        self._blocking = Blocking(client, self._clock, overruns=_overruns)
        self._awaiting = Awaiting(async_client, self._clock)

    def __repr__(self) -> str:
        bearer = None if self._bearer_auth is None else "***"
        url = self._settings.server_url
        return f"{type(self).__name__}(bearer_auth={bearer!r}, server_url={url!r})"

    def call(
        self, operation: Operation[T], options: RequestOptions | None = None
    ) -> Result[T, APIError]:
        """Run an operation of `honeytrace.api.operations`; its errors are in the result."""
        return run(self._result(operation, options, self._blocking))

    async def call_async(
        self, operation: Operation[T], options: RequestOptions | None = None
    ) -> Result[T, APIError]:
        """Await `call`. A cancellation passes through."""
        return await run_async(self._result(operation, options, self._awaiting))

    def send_json(
        self,
        method: str,
        path: str,
        body: bytes | Streamed | None = None,
        *,
        options: RequestOptions | None = None,
    ) -> Reply:
        """Send JSON bytes as they are, once, and return the reply whatever its status.

        `path` starts with a slash and is percent-encoded. `reply.error()` says what the reply means
        (with `expects_json=False` for `PUT /events`); retries are the caller's. Raises
        HTTPClientError when there is no reply, ValidationError for impossible options.
        """
        return run(self._reply(Exchange(method, path), body, options, self._blocking))

    async def send_json_async(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        options: RequestOptions | None = None,
    ) -> Reply:
        """Await `send_json`."""
        return await run_async(self._reply(Exchange(method, path), body, options, self._awaiting))

    def close(self) -> None:
        """Close the connections of the sync form."""
        self._blocking.close()

    async def aclose(self) -> None:
        """Close the connections the running event loop opened, and those of the sync form."""
        self._blocking.close()
        await self._awaiting.aclose()

    def __enter__(self: T) -> T:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self: T) -> T:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _result(
        self, operation: Operation[T], options: RequestOptions | None, driver: Driver
    ) -> Steps[Result[T, APIError]]:
        try:
            return Ok((yield from self._begin(options, driver).converse(operation)))
        except Exception as error:  # noqa: BLE001 - a Result lets no error escape
            return Err(as_api_error(error))

    def _reply(
        self,
        exchange: Exchange,
        body: bytes | Streamed | None,
        options: RequestOptions | None,
        driver: Driver,
    ) -> Steps[Reply]:
        return (yield from self._begin(options, driver).attempt(exchange, body))

    def _begin(self, options: RequestOptions | None, driver: Driver) -> Call:
        return Call(self._settings.merged(options), self._bearer_auth, driver, self._clock)
