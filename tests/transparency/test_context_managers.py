"""Context managers made of traced generators."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from twins import (
    Trace,
    both_orders,
    caught_async,
    parts,
    raised,
    same_as_undecorated,
    stacked,
)


@same_as_undecorated
@both_orders
def test_contextmanager(trace: Trace, order: str) -> Any:
    """`contextlib.contextmanager` above or below: enters, sees the error, may swallow it,
    decorates."""
    log: list[Any] = []

    @stacked(trace, contextlib.contextmanager, order)
    def managed(swallow: bool = False) -> Any:
        log.append("enter")
        try:
            yield "value"
        except ValueError as error:
            log.append(parts(error))
            if not swallow:
                raise
        finally:
            log.append("exit")

    @managed()
    def inside() -> str:
        return "result"

    def failing(swallow: bool, error: Exception) -> str:
        with managed(swallow):
            raise error
        return "swallowed"

    with managed() as value:
        log.append(value)
    return (
        inside(),
        failing(True, ValueError("v")),
        raised(failing, False, ValueError("v")),
        raised(failing, True, StopIteration("s")),
        raised(failing, True, KeyError("k")),
        log,
    )


@same_as_undecorated
@both_orders
async def test_asynccontextmanager(trace: Trace, order: str) -> Any:
    """`contextlib.asynccontextmanager` above or below behaves the same, cancellation included."""
    log: list[Any] = []

    @stacked(trace, contextlib.asynccontextmanager, order)
    async def managed() -> Any:
        log.append("enter")
        try:
            yield "value"
        finally:
            await asyncio.sleep(0)
            log.append("exit")

    async def fail(error: BaseException) -> None:
        async with managed() as value:
            log.append(value)
            raise error

    errors = ValueError("v"), asyncio.CancelledError("c"), StopAsyncIteration("s")
    return [parts(await caught_async(fail(error))) for error in errors], log
