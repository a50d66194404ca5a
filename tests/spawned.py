"""What the conformance suite pickles: targets that any interpreter finds by module and name."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from honeytrace import trace_session


@trace_session
def double(number: int) -> int:
    return 2 * number


@trace_session
async def double_later(number: int) -> int:
    return 2 * number


@trace_session
def count(stop: int) -> Iterator[int]:
    yield from range(stop)


@trace_session
def refuse(reason: str) -> None:
    raise ValueError(reason)


def finish(function: Callable[[int], Any], number: int) -> Any:
    """Call what was sent here and wait for all that it gives."""

    async def awaited() -> Any:
        return await function(number)

    return (
        asyncio.run(awaited()) if inspect.iscoroutinefunction(function) else list(function(number))
    )


@trace_session
class Account:
    """A whole class, recorded: its instances travel between processes."""

    def __init__(self, balance: int) -> None:
        self.balance = balance

    def deposit(self, amount: int) -> Account:
        self.balance += amount
        return self

    @classmethod
    def empty(cls) -> Account:
        return cls(0)

    @staticmethod
    def fee(amount: int) -> int:
        return amount // 100
