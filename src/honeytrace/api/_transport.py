"""The two drivers, which take the steps of a call: one blocks, one awaits.

`_call` writes each call once, as a generator. It yields the return values of `send`, `sleep` and
`resolve`: a value from `Blocking`, an awaitable from `Awaiting`.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import random
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar

from honeytrace._network.proxies import Proxy, proxy_for
from honeytrace.api import _clients
from honeytrace.api._bounds import Bounds
from honeytrace.api._httpx import AnyAsyncClient, AnyClient, httpx, library_of
from honeytrace.api.errors import ValidationError

T = TypeVar("T")
Steps: TypeAlias = Generator[Any, Any, T]


class Limits(NamedTuple):
    """The seconds of one exchange, and the bytes of its reply."""

    seconds: float
    size: int


async def _sleep_async(seconds: float) -> None:
    import anyio  # the async backend of httpx, which installs it

    await anyio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, in seconds. Tests bring their own."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    sleep_async: Callable[[float], Awaitable[None]] = _sleep_async
    jitter: Callable[[], float] = random.random


class Blocking:
    """Takes each step at once.

    A request with a deadline is sent by a thread, which is left behind when time is up. Nothing
    else ends a name lookup, a reply whose headers drip, or a hook of the program. With `overruns`,
    the calling thread sends the request, and may overrun the deadline by such a step.
    """

    def __init__(self, client: AnyClient | None, clock: Clock, *, overruns: bool = False) -> None:
        self._given = client
        # by process, because a forked child must not write to the connections of its parent
        self._own: dict[tuple[int, bool, Proxy | None], AnyClient] = {}
        self._clock = clock
        self._overruns = overruns

    def client(self, url: str) -> AnyClient:
        """Return the client given, or our own for this URL, made on first use.

        Raises ProxyError and CertificatesError.
        """
        if self._given is not None:
            return self._given
        proxy, secure = proxy_for(url), url.startswith("https:")
        key = os.getpid(), secure, proxy
        own = self._own.get(key)
        if own is None:
            made = httpx.Client(**_clients.options(proxy, secure=secure))
            # no lock, because a fork might find it taken; of two clients, one is dropped unused
            own = self._own.setdefault(key, made)
        return own

    @property
    def has_own(self) -> bool:
        """Whether the clients are our own. Only these use the proxies of the environment."""
        return self._given is None

    def send(self, client: Any, request: Any, limits: Limits, how: dict[str, Any]) -> Any:
        """Return the complete reply. Raises the errors of httpx, and TimeoutError in time."""
        seconds = limits.seconds
        until = self._clock.monotonic() + seconds
        bounds = Bounds(library_of(client), self._clock.monotonic, until, limits.size)

        def exchange() -> Any:
            bounds.sent(request)
            response = client.send(request, stream=True, **how)
            try:
                if not response.is_closed:  # a hook may have read the reply
                    encoding = bounds.received(response)
                    response.read()
                    if encoding is not None:
                        response.headers["content-encoding"] = encoding
            finally:
                response.close()
            return response

        return exchange() if math.isinf(seconds) or self._overruns else _in_time(exchange, seconds)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._clock.sleep(seconds)

    def resolve(self, value: Any, seconds: float) -> Any:
        """Return the value, which must not be an awaitable here."""
        if inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()  # otherwise Python warns that it was never awaited
            raise ValidationError("bearer_auth is async: use the async form, or a plain function")
        return value

    def close(self) -> None:
        """Close our own clients. A client that was given belongs to its owner."""
        for key in [key for key in self._own if key[0] == os.getpid()]:
            self._own.pop(key).close()


def _in_time(work: Callable[[], T], seconds: float) -> T:
    """Do the work in a thread, and return its result. Raises TimeoutError after `seconds`."""
    outcome: list[tuple[Any, BaseException | None]] = []
    context = copy_context()

    def run() -> None:
        try:
            outcome.append((context.run(work), None))
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            outcome.append((None, error))

    thread = threading.Thread(target=run, name="honeytrace-call", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # Python 3.12 starts no thread at exit
        return work()
    thread.join(min(seconds, threading.TIMEOUT_MAX))
    if not outcome:
        raise TimeoutError("no whole reply before the deadline")
    value, error = outcome.pop()
    if error is not None:
        raise error
    return value  # type: ignore[no-any-return]


class Awaiting:
    """Takes each step as an awaitable, which ends when its time is up."""

    def __init__(self, client: AnyAsyncClient | None, clock: Clock) -> None:
        self._given = client
        # by event loop, because connections belong to the loop that opened them
        self._own: dict[tuple[asyncio.AbstractEventLoop, bool, Proxy | None], AnyAsyncClient] = {}
        self._clock = clock

    def client(self, url: str) -> AnyAsyncClient:
        """Return the client given, or our own for this URL and the running event loop.

        Raises ProxyError and CertificatesError.
        """
        if self._given is not None:
            return self._given
        proxy, secure = proxy_for(url), url.startswith("https:")
        key = asyncio.get_running_loop(), secure, proxy
        if key not in self._own:
            for old in [old for old in self._own if old[0].is_closed()]:
                self._own.pop(old, None)  # nobody can use or close that client any more
            self._own[key] = httpx.AsyncClient(**_clients.options(proxy, secure=secure))
        return self._own[key]

    @property
    def has_own(self) -> bool:
        """Whether the clients are our own."""
        return self._given is None

    async def send(self, client: Any, request: Any, limits: Limits, how: dict[str, Any]) -> Any:
        """Return the complete reply. Raises the errors of httpx, and TimeoutError in time."""
        return await _within(limits.seconds, self._exchange(client, request, limits, how))

    async def _exchange(
        self, client: Any, request: Any, limits: Limits, how: dict[str, Any]
    ) -> Any:
        bounds = Bounds(library_of(client), self._clock.monotonic, math.inf, limits.size)
        response = await client.send(request, stream=True, **how)
        try:
            if not response.is_closed:
                encoding = bounds.received(response)
                await response.aread()
                if encoding is not None:
                    response.headers["content-encoding"] = encoding
        finally:
            await response.aclose()
        return response

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep_async(seconds)

    async def resolve(self, value: Any, seconds: float) -> Any:
        """Return the value, awaited if it is an awaitable."""
        return await _within(seconds, value) if inspect.isawaitable(value) else value

    async def aclose(self) -> None:
        """Close our own clients of the running event loop."""
        loop = asyncio.get_running_loop()
        for key in [key for key in self._own if key[0] is loop]:
            await self._own.pop(key).aclose()


Driver: TypeAlias = "Blocking | Awaiting"


async def _within(seconds: float, awaitable: Awaitable[T]) -> T:
    import anyio  # asyncio.wait_for may swallow a cancellation before Python 3.12

    with anyio.fail_after(None if math.isinf(seconds) else seconds):
        return await awaitable


def run(steps: Steps[T]) -> T:
    """Drive steps that yield values."""
    try:
        value = next(steps)
        while True:
            value = steps.send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def run_async(steps: Steps[T]) -> T:
    """Drive steps that yield awaitables."""
    try:
        awaitable = next(steps)
        while True:
            try:
                value = await awaitable
            except BaseException as error:  # noqa: BLE001, PERF203 - the steps decide
                awaitable = steps.throw(error)
            else:
                awaitable = steps.send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result
