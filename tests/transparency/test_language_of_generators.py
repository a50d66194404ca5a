"""Generators behave as the language says."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from honeytrace import current_session, session, trace_session
from twins import (
    Trace,
    caught,
    parts,
    raised,
    recorded,
    same_as_undecorated,
)

sessions = pytest.fixture(recorded)


@same_as_undecorated
def test_generator_is_lazy_and_tells_its_state(trace: Trace) -> Any:
    """No line of the body runs before the first `next`, and `inspect` tells the same states."""
    log = []

    @trace
    def stream() -> Any:
        log.append("started")
        try:
            yield inspect.getgeneratorstate(items)
        finally:
            log.append("finally")

    items = stream()
    states = [list(log), inspect.getgeneratorstate(items), next(items)]
    states += [inspect.getgeneratorstate(items), items.gi_running, items.gi_frame is None]
    items.close()
    states += [inspect.getgeneratorstate(items), items.gi_frame is None, list(items)]
    return states, log


@same_as_undecorated
def test_generator_dropped_early(trace: Trace) -> Any:
    """`break`, `del` and a consumer's exception run the generator's `finally` at the same
    moment."""
    log: list[str] = []

    @trace
    def stream(name: str) -> Any:
        try:
            yield 1
            yield 2
        finally:
            log.append(name)

    for _ in stream("broken off"):
        break
    log.append("after the loop")
    items = stream("deleted")
    next(items)
    del items
    log.append("after del")

    def consume() -> None:
        for item in stream("consumer failed"):
            raise ValueError(item)

    return raised(consume), log


@same_as_undecorated(silent=True)
def test_generator_never_started(trace: Trace) -> Any:
    """A generator that is dropped, closed or thrown into before its start runs no line of its
    body."""
    log: list[str] = []

    @trace
    def stream() -> Any:
        log.append("started")
        yield

    stream()
    closed, thrown = stream(), stream()
    closed.close()
    answers = raised(thrown.throw, ValueError("v")), raised(next, thrown), raised(next, closed)
    return log, answers, raised(stream().send, "too early")


@same_as_undecorated
def test_generator_misuse(trace: Trace) -> Any:
    """Re-entering, ignoring close and leaking StopIteration raise what they raise undecorated."""

    @trace
    def reentrant() -> Any:
        yield 1
        yield next(again)

    @trace
    def stubborn() -> Any:
        with contextlib.suppress(GeneratorExit):
            yield 1
        yield 2

    @trace
    def leaking() -> Any:
        yield next(iter([]))

    again, deaf = reentrant(), stubborn()
    seen = [next(again), raised(next, again), next(deaf), raised(deaf.close)]
    deaf_ends = caught(deaf.throw, ValueError("enough"))
    return seen, parts(deaf_ends), raised(list, leaking())


@same_as_undecorated
def test_generator_close_and_throw(trace: Trace) -> Any:
    """`close` gives what it gives, an error raised while closing comes out, `throw` takes a bare
    type."""

    @trace
    def stream(on_close: BaseException | None) -> Any:
        try:
            yield 1
        except GeneratorExit:
            if on_close is not None:
                raise on_close from None
            return 7

    def closed(items: Any) -> Any:
        next(items)
        return items.close()

    bare = stream(None)
    next(bare)
    return (
        closed(stream(None)),
        raised(closed, stream(KeyError("while closing"))),
        raised(bare.throw, LookupError),
        raised(bare.throw, LookupError("again")),
    )


@same_as_undecorated
def test_yield_from_a_traced_generator(trace: Trace) -> Any:
    """`yield from` forwards values, errors and the result through several traced generators."""

    @trace
    def inner() -> Any:
        received = []
        for _ in range(3):
            with contextlib.suppress(KeyError):
                received.append((yield len(received)))
        return received

    @trace
    def middle() -> Any:
        return ("middle", (yield from inner()))

    def outer() -> Any:
        return ("outer", (yield from middle()))

    items = outer()
    seen = [next(items), items.send("a"), items.throw(KeyError("b"))]
    return seen, caught(items.send, "c").value  # type: ignore[attr-defined]  # StopIteration


@same_as_undecorated
def test_generator_read_by_several_threads(trace: Trace) -> Any:
    """Each item may be taken by another thread, and the last by none."""

    @trace
    def stream() -> Any:
        for number in range(3):
            yield number, threading.current_thread().name.split("_")[0]

    items = stream()
    seen = [next(items)]
    with ThreadPoolExecutor(1, "a") as a, ThreadPoolExecutor(1, "b") as b:
        seen += [a.submit(next, items).result(), b.submit(next, items).result()]
        a.submit(items.close).result()
    return [number for number, _ in seen], [name for _, name in seen[1:]], list(items)


@same_as_undecorated
def test_interleaved_generators(trace: Trace) -> Any:
    """Generators advanced in turns, and closed in the order of their start, do not disturb one
    another."""

    @trace
    def stream(name: str) -> Any:
        for number in range(3):
            yield name, number

    a, b, c = stream("a"), stream("b"), stream("c")
    seen = [next(a), next(b), next(c), next(a), next(b)]
    a.close()
    return seen, list(b), list(c), list(zip(stream("d"), stream("e"), strict=True))


def test_sessions_of_interleaved_generators_do_not_mix(sessions: Any) -> None:
    """What runs in one of several open generators becomes a child of that generator alone."""

    @trace_session
    def leaf(name: str) -> None: ...

    @trace_session
    def stream(name: str) -> Iterator[None]:
        for _ in range(2):
            leaf(name)
            yield

    with session("consumer") as consumer:
        for _ in zip(stream("a"), stream("b"), strict=True):
            assert current_session() is consumer
    streams = sessions.by_name("stream")
    for parent in streams:
        inside = [s for s in sessions.by_name("leaf") if s.inputs == parent.inputs]
        assert parent.children_ids == [s.session_id for s in inside]
    assert len(streams) == 2
    assert set(sessions.by_name("consumer")[0].children_ids) == {s.session_id for s in streams}
