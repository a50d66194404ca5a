"""Traced code runs in its caller's task and context, on the same objects."""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading
from typing import Any

import pytest

from twins import (
    Trace,
    caught,
    same_as_undecorated,
)


@same_as_undecorated
async def test_coroutine_runs_in_callers_task_and_context(trace: Trace) -> Any:
    """A coroutine runs in the caller's task, and context variables it sets stay visible to the
    caller."""
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")

    @trace
    async def outer() -> Any:
        await asyncio.sleep(0)
        await inner()
        return asyncio.current_task()

    @trace
    async def inner() -> None:
        var.set("inner")

    return await outer() is asyncio.current_task(), var.get()


@same_as_undecorated
def test_function_runs_in_callers_thread_and_context(trace: Trace) -> Any:
    """A function runs in the caller's thread, and context variables it sets or resets stay so."""
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")

    @trace
    def enter() -> Any:
        return var.set("set"), threading.get_ident()

    @trace
    def leave(token: contextvars.Token[str]) -> None:
        var.reset(token)

    token, thread = enter()
    seen = [var.get(), thread == threading.get_ident()]
    leave(token)
    return seen, var.get()


@same_as_undecorated
def test_generator_shares_its_consumers_context(trace: Trace) -> Any:
    """A context variable set in a generator is seen by its consumer at once, and the other way
    round."""
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var", default="unset")

    @trace
    def stream() -> Any:
        yield var.get()
        token = var.set("body")
        yield var.get()
        var.reset(token)
        yield var.get()

    seen = []
    for item in stream():
        seen.append((item, var.get()))
        if item == "unset":
            var.set("consumer")
    return seen


@same_as_undecorated
async def test_anext_runs_in_callers_task_and_context(trace: Trace) -> Any:
    """Each `__anext__` runs in the task that awaits it, and what it sets there stays visible."""
    var: contextvars.ContextVar[int] = contextvars.ContextVar("var", default=0)

    @trace
    async def stream() -> Any:
        for number in (1, 2):
            var.set(number)
            await asyncio.sleep(0)
            yield asyncio.current_task()

    async def pull(items: Any) -> Any:
        return await anext(items) is asyncio.current_task(), var.get()

    same_task = [(task is asyncio.current_task(), var.get()) async for task in stream()]
    items = stream()
    return same_task, [await asyncio.create_task(pull(items)) for _ in range(2)]


class Marked(str):
    """A str with a type of its own."""


RESULTS: dict[str, Any] = {
    "None": None,
    "int": 12345678901234567890,
    "float": math.nan,
    "str subclass": Marked("m"),
    "bytes": bytearray(b"b"),
    "list": [1],
    "dict": {"k": "v"},
    "tuple": (1, [2]),
    "object": object(),
    "exception": ValueError("a value"),
    "iterator": iter("abc"),
    "class": Marked,
    "function": len,
    "NotImplemented": NotImplemented,
    "Ellipsis": ...,
}


@same_as_undecorated
@pytest.mark.parametrize("value", RESULTS)
def test_the_same_object_goes_in_and_out(trace: Trace, value: str) -> Any:
    """Arguments, results, yields and return values are the very objects of the caller and the
    callee."""
    given = RESULTS[value]

    @trace
    def function(x: Any, *rest: Any, **extra: Any) -> Any:
        return x if all(y is x for y in (*rest, *extra.values())) else "another object"

    @trace
    async def coroutine(x: Any) -> Any:
        return x

    @trace
    def generator(x: Any) -> Any:
        return (yield x)

    async def awaited() -> Any:
        return await coroutine(given)

    items = generator(given)
    yielded = next(items)
    returned = caught(items.send, given).value  # type: ignore[attr-defined]  # StopIteration
    results = function(given, given, y=given), asyncio.run(awaited()), yielded, returned
    return [result is given for result in results]
