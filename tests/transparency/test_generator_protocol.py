"""`send`, `throw` and `close`, and their asynchronous forms, reach the generator."""

from __future__ import annotations

import asyncio
from typing import Any

from twins import (
    Trace,
    caught,
    caught_async,
    parts,
    same_as_undecorated,
)


@same_as_undecorated
def test_generator_send(trace: Trace) -> Any:
    """What is sent reaches the generator, None included."""

    @trace
    def echo() -> Any:
        received = []
        while len(received) < 3:
            received.append((yield len(received)))
        return received

    items = echo()
    seen = [next(items), items.send("a"), items.send(None)]
    return seen, caught(items.send, "c").value  # type: ignore[attr-defined]  # StopIteration


@same_as_undecorated
def test_generator_throw(trace: Trace) -> Any:
    """What is thrown in is the very object caught inside, and the generator may go on or let it
    out."""
    error = KeyError("k")

    @trace
    def stubborn() -> Any:
        try:
            yield 1
        except KeyError as caught_inside:
            yield caught_inside is error
        yield 3

    items = stubborn()
    seen = [next(items), items.throw(error), next(items)]
    return seen, caught(items.throw, error) is error, list(items)


@same_as_undecorated
def test_generator_return_value(trace: Trace) -> Any:
    """The `return` value comes with StopIteration, and out of `yield from`."""

    @trace
    def inner() -> Any:
        received = yield 1
        return [received]

    @trace
    def outer() -> Any:
        return (yield from inner())

    direct, delegated = inner(), outer()
    firsts = next(direct), next(delegated)
    return firsts, [caught(g.send, "x").value for g in (direct, delegated)]  # type: ignore[attr-defined]


@same_as_undecorated
async def test_async_generator_asend_and_athrow(trace: Trace) -> Any:
    """What is sent or thrown reaches the asynchronous generator, which may go on."""
    error = KeyError("k")

    @trace
    async def echo() -> Any:
        received = yield "ready"
        try:
            yield received
        except KeyError as caught_inside:
            yield caught_inside is error

    items = echo()
    seen = [await items.asend(None), await items.asend("a"), await items.athrow(error)]
    return seen, parts(await caught_async(items.asend("b"))), [item async for item in items]


@same_as_undecorated
async def test_aclose_runs_finally_at_once(trace: Trace) -> Any:
    """When `aclose` returns, the generator's `finally` has run, awaits in it included."""
    log = []

    @trace
    async def stream() -> Any:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            log.append("finally")

    items = stream()
    log.append(await anext(items))
    await items.aclose()
    log.append("closed")
    return log, [item async for item in items]


@same_as_undecorated
async def test_aclose_from_another_task(trace: Trace) -> Any:
    """A stream may be closed by another task than the one that reads it, and nothing is logged."""
    log: list[Any] = []

    @trace
    async def stream() -> Any:
        try:
            yield 1
            yield 2
        finally:
            log.append("finally")

    async def pull(items: Any) -> Any:
        return await anext(items)

    items = stream()
    log.append(await asyncio.create_task(pull(items)))
    await asyncio.create_task(items.aclose())
    other = stream()
    log.append(await asyncio.create_task(pull(other)))
    log.append(await asyncio.create_task(pull(other)))
    await asyncio.create_task(caught_async(pull(other)))
    return log
