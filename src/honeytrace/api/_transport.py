"""The two drivers: how a step of a call is really taken, blocking or awaited.

`_call` writes each call once, as a generator that yields what `send`, `sleep` and `resolve` return:
a value from `Blocking`, an awaitable from `Awaiting`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import math
import os
import random
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

import httpx

from honeytrace.api.errors import ValidationError

T = TypeVar("T")
Steps: TypeAlias = Generator[Any, Any, T]


async def _sleep_async(seconds: float) -> None:
    import anyio  # httpx's own async backend: there whenever httpx is

    await anyio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, in seconds; tests bring their own."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    sleep_async: Callable[[float], Awaitable[None]] = _sleep_async
    jitter: Callable[[], float] = random.random


class Blocking:
    """Takes each step at once."""

    def __init__(self, client: httpx.Client | None, clock: Clock) -> None:
        self._given = client
        # by process: a forked child must not write to its parent's connections
        self._own: dict[int, httpx.Client] = {}
        self._clock = clock

    def client(self) -> httpx.Client:
        """The client given, or our own: made on first use."""
        own = self._given or self._own.get(os.getpid())
        if own is None:
            made = httpx.Client(**_client_options())
            # no lock, which a fork might find taken: of two made at once, one is dropped unused
            own = self._own.setdefault(os.getpid(), made)
        return own

    def send(self, request: httpx.Request, seconds: float, **how: Any) -> httpx.Response:
        """The reply, read whole. Raises httpx's errors, a TimeoutException after `seconds` too."""
        if math.isinf(seconds):
            return self.client().send(request, **how)
        now = self._clock.monotonic
        give_up_at = now() + seconds
        unsent = httpx.WriteTimeout("the deadline passed while the body was sent")
        unread = httpx.ReadTimeout("the deadline passed while the body arrived")
        assert isinstance(request.stream, httpx.SyncByteStream)
        request.stream = _Deadlined(request.stream, now, give_up_at, unsent)
        response = self.client().send(request, stream=True, **how)
        try:
            assert isinstance(response.stream, httpx.SyncByteStream)
            response.stream = _Deadlined(response.stream, now, give_up_at, unread)
            response.read()
        finally:
            response.close()
        return response

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._clock.sleep(seconds)

    def resolve(self, value: Any, seconds: float) -> Any:
        """The value, which cannot be awaited here."""
        if inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()  # or Python warns that it was never awaited
            raise ValidationError("bearer_auth is async: use the async form, or a plain function")
        return value

    def close(self) -> None:
        """Close our own client; one that was given is its owner's."""
        own = self._own.pop(os.getpid(), None)
        if own is not None:
            own.close()


class _Deadlined(httpx.SyncByteStream):
    """A body that ends in `late` when time is up: httpx's timeouts start anew with every part."""

    def __init__(
        self,
        stream: httpx.SyncByteStream,
        now: Callable[[], float],
        give_up_at: float,
        late: httpx.TimeoutException,
    ) -> None:
        self._stream = stream
        self._now = now
        self._give_up_at = give_up_at
        self._late = late

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            if self._now() >= self._give_up_at:
                raise self._late
            yield part

    def close(self) -> None:
        self._stream.close()


class Awaiting:
    """Takes each step as an awaitable, cut short when its seconds are over."""

    def __init__(self, client: httpx.AsyncClient | None, clock: Clock) -> None:
        self._given = client
        # by event loop: connections belong to the one that opened them
        self._own: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}
        self._clock = clock

    def client(self) -> httpx.AsyncClient:
        """The client given, or our own for the running event loop: made on first use."""
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        if loop not in self._own:
            for old in list(self._own):
                if old.is_closed():
                    self._own.pop(old, None)  # nobody can use or close that client any more
            self._own[loop] = httpx.AsyncClient(**_client_options())
        return self._own[loop]

    async def send(self, request: httpx.Request, seconds: float, **how: Any) -> httpx.Response:
        """The reply, read whole. Raises httpx's errors, and TimeoutError after `seconds`."""
        return await _within(seconds, self.client().send(request, **how))

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep_async(seconds)

    async def resolve(self, value: Any, seconds: float) -> Any:
        """The value, awaited when it can be."""
        return await _within(seconds, value) if inspect.isawaitable(value) else value

    async def aclose(self) -> None:
        """Close our own client of the running event loop; one that was given is its owner's."""
        own = self._own.pop(asyncio.get_running_loop(), None)
        if own is not None:
            await own.aclose()


Driver: TypeAlias = "Blocking | Awaiting"


async def _within(seconds: float, awaitable: Awaitable[T]) -> T:
    import anyio  # as above; asyncio.wait_for may swallow a cancellation before Python 3.12

    with anyio.fail_after(None if math.isinf(seconds) else seconds):
        return await awaitable


@cache
def _client_options() -> dict[str, Any]:
    """What our own httpx clients are made with."""
    return {
        # read once: it costs some 20 ms, and there may be a client for every event loop
        "verify": httpx.create_ssl_context(),
        # generous, since the deadline of a call is the user's to set; yet no step hangs for ever
        "timeout": httpx.Timeout(60.0),
        # every connection is worth keeping: the API takes one session a request
        "limits": httpx.Limits(max_connections=100, max_keepalive_connections=100),
        # the `http2` extra; servers that do not speak it get HTTP/1.1
        "http2": importlib.util.find_spec("h2") is not None,
    }


def run(steps: Steps[T]) -> T:
    """Drive steps that were taken as they were yielded."""
    try:
        value = next(steps)
        while True:
            value = steps.send(value)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def run_async(steps: Steps[T]) -> T:
    """Drive steps that are awaitables."""
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
