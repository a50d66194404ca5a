"""The four forms of the session reference, and a clock that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from honeytrace.api import (
    HoneyHive,
    session_get_session,
    session_get_session_async,
    session_start_session,
    session_start_session_async,
)
from honeytrace.api._transport import Clock


class FakeClock:
    """Time that passes only in sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep, self.sleep_async, lambda: 0.25)


class Form:
    """One of the four forms of the session reference, brought to one shape: value or exception."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.returns_result = name.startswith("function")

    def start(self, client: HoneyHive, *args: Any, **kwargs: Any) -> Any:
        calls: dict[str, Callable[[], Any]] = {
            "method": lambda: client.session.start_session(*args, **kwargs),
            "method-async": lambda: client.session.start_session_async(*args, **kwargs),
            "function": lambda: session_start_session(client, *args, **kwargs),
            "function-async": lambda: session_start_session_async(client, *args, **kwargs),
        }
        return self._outcome(client, calls[self.name])

    def get(self, client: HoneyHive, *args: Any, **kwargs: Any) -> Any:
        calls: dict[str, Callable[[], Any]] = {
            "method": lambda: client.session.get_session(*args, **kwargs),
            "method-async": lambda: client.session.get_session_async(*args, **kwargs),
            "function": lambda: session_get_session(client, *args, **kwargs),
            "function-async": lambda: session_get_session_async(client, *args, **kwargs),
        }
        return self._outcome(client, calls[self.name])

    def _outcome(self, client: HoneyHive, call: Callable[[], Any]) -> Any:
        if self.returns_result:  # an exception here is a failure of the test
            result = self._run(client, call)
            return result.value if result.ok else result.error
        try:
            return self._run(client, call)
        except Exception as error:
            return error

    def _run(self, client: HoneyHive, call: Callable[[], Any]) -> Any:
        if not self.name.endswith("async"):
            with client:
                return call()

        async def main() -> Any:
            async with client:
                awaitable: Awaitable[Any] = call()
                return await awaitable

        return asyncio.run(main())
