"""Coroutines and asynchronous generators behave as the language says."""

from __future__ import annotations

import asyncio
import gc
import inspect
import types
import warnings
from typing import Any

from twins import (
    Trace,
    caught,
    caught_async,
    parts,
    raised,
    same_as_undecorated,
)


@same_as_undecorated
def test_coroutine_driven_by_hand(trace: Trace) -> Any:
    """A coroutine starts at its first `send`, suspends, takes errors, closes, and tells its
    state."""

    @types.coroutine
    def suspend(value: Any) -> Any:
        return (yield value)

    log: list[Any] = []

    @trace
    async def steps() -> Any:
        log.append("started")
        try:
            log.append(await suspend(1))
            log.append(await suspend(2))
        except KeyError:
            return "caught"
        finally:
            log.append("finally")

    one, two, three = steps(), steps(), steps()
    states = [list(log), inspect.getcoroutinestate(one), one.send(None)]
    states += [inspect.getcoroutinestate(one), one.send("x"), raised(one.throw, KeyError("k"))]
    states += [inspect.getcoroutinestate(one), raised(one.send, None)]
    states += [two.send(None), two.close(), raised(two.send, None)]
    three.close()
    return states, log, [one.__name__, one.__qualname__, one.cr_frame is None]


@same_as_undecorated(silent=True)
def test_never_awaited_coroutine_warns(trace: Trace) -> Any:
    """A coroutine that nobody awaits gives the one RuntimeWarning that it gives undecorated."""

    @trace
    async def forgotten() -> None: ...

    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        forgotten()
        gc.collect()
    return [(w.category, str(w.message)) for w in caught_warnings]


@same_as_undecorated
async def test_cancellation(trace: Trace) -> Any:
    """Cancelling reaches the coroutine, keeps its message, may be refused, and ends the task
    cancelled."""
    log: list[Any] = []
    forever = asyncio.Event()

    @trace
    async def wait(name: str, refuse: bool = False) -> Any:
        log.append(f"{name} waits")
        started.set()
        try:
            await forever.wait()
        except asyncio.CancelledError as error:
            log.append((name, error.args))
            if refuse:
                return "refused"
            raise

    tasks = []
    for name, refuse in (("a", False), ("b", True)):
        started = asyncio.Event()
        tasks.append(asyncio.create_task(wait(name, refuse)))
        await started.wait()
    for task in tasks:
        task.cancel("because")
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return (
        log,
        [parts(r) if isinstance(r, BaseException) else r for r in results],
        [task.cancelled() for task in tasks],
    )


@same_as_undecorated
async def test_wait_for_time_out(trace: Trace) -> Any:
    """`asyncio.wait_for` cancels a decorated coroutine, waits for its `finally`, and raises its own
    error."""
    log: list[str] = []

    @trace
    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            log.append("finally")

    error = await caught_async(asyncio.wait_for(forever(), timeout=0.01))
    return isinstance(error, asyncio.TimeoutError), log


@same_as_undecorated
async def test_coroutines_side_by_side(trace: Trace) -> Any:
    """`gather`, `shield`, `to_thread` and futures of decorated coroutines keep order, results and
    errors."""

    @trace
    async def step(n: int) -> int:
        await asyncio.sleep(0)
        if n == 2:
            raise ValueError(n)
        return n

    @trace
    def blocking(n: int) -> int:
        return n * 10

    results = await asyncio.gather(*(step(n) for n in range(4)), return_exceptions=True)
    return (
        [parts(r) if isinstance(r, BaseException) else r for r in results],
        await asyncio.shield(step(5)),
        await asyncio.to_thread(blocking, 6),
        await asyncio.get_running_loop().run_in_executor(None, blocking, 7),
        await asyncio.ensure_future(step(8)),
    )


@same_as_undecorated
async def test_coroutine_iteration_errors(trace: Trace) -> Any:
    """StopIteration and StopAsyncIteration raised inside turn into what they turn into
    undecorated."""

    @trace
    async def coroutine(error: type[BaseException]) -> None:
        raise error("inside")

    @trace
    async def stream(error: type[BaseException]) -> Any:
        yield 1
        raise error("inside")

    found = []
    for error in (StopIteration, StopAsyncIteration):
        items = stream(error)
        found.append([parts(await caught_async(coroutine(error))), await anext(items)])
        found.append([parts(await caught_async(anext(items))), await anext(items, "over")])
    return found


@same_as_undecorated
async def test_async_generator_protocol(trace: Trace) -> Any:
    """`anext`, early `asend`, closing unstarted, twice or while ignored answer as undecorated."""
    log: list[str] = []

    @trace
    async def stream(name: str = "", stubborn: bool = False) -> Any:
        try:
            log.append(f"{name} started")
            yield 1
            yield 2
        except GeneratorExit:
            if not stubborn:
                raise
            yield "ignored"
        finally:
            log.append(f"{name} finally")

    unstarted, items, early, deaf = stream("u"), stream("i"), stream("e"), stream("d", True)
    await unstarted.aclose()
    seen = [await anext(unstarted, "closed"), await anext(items), await anext(items)]
    seen += [await anext(items, "over"), await items.aclose(), await items.aclose()]
    seen += [parts(await caught_async(early.asend("too early"))), await anext(early)]
    seen += [parts(await caught_async(early.athrow(KeyError("k")))), await anext(early, "over")]
    seen += [await anext(deaf), parts(await caught_async(deaf.aclose()))]
    return (
        [*seen, await anext(deaf, "over")],
        log,
        [items.ag_frame is None, items.ag_running, items.__name__],
    )


@same_as_undecorated
async def test_async_generator_abandoned(trace: Trace) -> Any:
    """A stream left by `break` is closed by the event loop, its `finally` awaited, nothing
    logged."""
    done = asyncio.Event()

    @trace
    async def stream() -> Any:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            done.set()

    async for _ in stream():
        break
    gc.collect()
    await asyncio.wait_for(done.wait(), timeout=30)
    return done.is_set()


@same_as_undecorated
def test_async_generator_open_when_the_loop_shuts_down(trace: Trace) -> Any:
    """A stream held when its loop ends is closed by the loop, once, and nothing is logged."""
    log: list[str] = []

    @trace
    async def stream(name: str) -> Any:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            log.append(name)

    held = [stream("a"), stream("b"), stream("never started")]

    async def main() -> list[int]:
        return [await anext(items) for items in held[:2]]

    return asyncio.run(main()), sorted(log), [items.ag_frame is None for items in held[:2]]


@same_as_undecorated
async def test_async_generator_used_twice_at_once(trace: Trace) -> Any:
    """Two tasks that pull on one stream at once get the error they get undecorated."""
    gate = asyncio.Event()

    @trace
    async def stream() -> Any:
        await gate.wait()
        yield 1

    async def pull() -> Any:
        return await anext(items)

    items = stream()
    first = asyncio.create_task(pull())
    await asyncio.sleep(0)
    error = parts(await caught_async(pull()))
    gate.set()
    return error, await first, await anext(items, "over")


@same_as_undecorated
def test_async_generator_without_an_event_loop(trace: Trace) -> Any:
    """Asynchronous generators are not bound to asyncio: `send` drives them by hand."""

    @types.coroutine
    def suspend(value: Any) -> Any:
        return (yield value)

    @trace
    async def stream() -> Any:
        yield await suspend("suspended")

    items = stream()
    step = items.__anext__()
    return step.send(None), raised(step.send, "resumed"), raised(items.__anext__().send, None)


@same_as_undecorated
def test_types_coroutine(trace: Trace) -> Any:
    """`types.coroutine` above and below gives an awaitable that forwards what is sent."""

    @trace
    @types.coroutine
    def below(value: Any) -> Any:
        return (yield value)

    @types.coroutine
    @trace
    def above(value: Any) -> Any:
        return (yield value)

    async def use() -> Any:
        return [await below(1), await above(2)]

    coro = use()
    steps = [coro.send(None), coro.send("a"), caught(coro.send, "b").value]  # type: ignore[attr-defined]
    return steps, [inspect.isawaitable(f(0)) for f in (below, above)]
