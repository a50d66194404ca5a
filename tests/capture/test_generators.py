"""Generators, sync and async: what is recorded of what they yield, and where they run."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest

from honeytrace import current_session, session, trace_session
from honeytrace._capture import stream
from honeytrace._capture.hooks import hooks
from honeytrace.testing import capture


def letters(n: int = 2) -> Iterator[str]:
    for i in range(n):
        yield chr(97 + i)
    return "end"


async def letters_later(n: int = 2) -> AsyncIterator[str]:
    for i in range(n):
        yield chr(97 + i)


def drain(generator: Any) -> list[Any]:
    async def collect() -> list[Any]:
        return [item async for item in generator]

    return asyncio.run(collect()) if hasattr(generator, "__anext__") else list(generator)


both = pytest.mark.parametrize("function", [letters, letters_later])


@both
@pytest.mark.parametrize(
    ("options", "outputs"),
    [
        ({}, {"yields": ["a", "b"], "count": 2}),
        ({"capture_outputs": False}, {}),
        ({"reduce": "".join}, {"result": "ab"}),
        ({"reduce": lambda items: {"n": len(items)}}, {"n": 2}),
        ({"reduce": lambda items: 1 / 0}, {"reduce_error": "ZeroDivisionError: division by zero"}),
        ({"reduce": "".join, "capture_outputs": False}, {}),
    ],
)
def test_what_is_recorded(
    function: Callable[..., Any], options: Any, outputs: dict[str, Any]
) -> None:
    """Yields are kept with their count, folded by `reduce`, or not kept."""
    with capture() as sessions:
        assert drain(trace_session(**options)(function)()) == ["a", "b"]
    if function is letters and outputs.get("count"):
        outputs = outputs | {"return": "end"}
    assert (sessions[0].outputs, sessions[0].status) == (outputs, "ok")


@both
@pytest.mark.parametrize("options", [{}, {"capture_outputs": False}, {"reduce": "".join}])
def test_the_first_item_has_its_time(
    monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any], options: Any
) -> None:
    """Details say how long the first item took, in milliseconds; without items they do not."""
    with capture() as sessions:
        ticks = iter(range(hooks.clock_ns(), 1 << 62, 1_000_000))  # a millisecond a look
        monkeypatch.setattr(hooks, "clock_ns", lambda: next(ticks))
        drain(trace_session(**options)(function)())
        drain(trace_session(**options)(function)(0))
        monkeypatch.undo()
    some, none = sessions
    assert some.duration is not None
    assert 0 < some.details["first_item"] < some.duration
    assert "first_item" not in none.details


def test_an_error_of_reduce_is_redacted() -> None:
    """What `reduce` raises is told without secrets."""

    def reduce(items: list[str]) -> None:
        raise ValueError("api_key=sk-abcdefghijklmnopqrstuvwxyz012345")

    with capture() as sessions:
        drain(trace_session(reduce=reduce)(letters)())
    assert "sk-abc" not in str(sessions[0].outputs)
    assert "ValueError" in sessions[0].outputs["reduce_error"]


def test_keys_of_yields() -> None:
    """Named outputs are the keys kept of every yielded dict."""
    with capture() as sessions:
        list(trace_session(capture_outputs=["a"])(lambda: (yield {"a": 1, "b": 2}))())
    assert sessions[0].outputs == {"yields": [{"a": 1}], "count": 1}


def test_yields_are_recorded_as_they_were() -> None:
    """A buffer that is yielded again and again is recorded with what it held each time."""

    @trace_session
    def buffers() -> Iterator[list[int]]:
        buffer: list[int] = []
        for i in range(3):
            buffer[:] = [i]
            yield buffer

    with capture() as sessions:
        list(buffers())
    assert sessions[0].outputs["yields"] == [[0], [1], [2]]


def iterate(items: Iterable[int]) -> Iterator[int]:
    yield from items


def test_yields_are_bounded_in_number() -> None:
    """Of very many yields the first are kept, and all are counted; pieces of text are many."""
    with capture() as sessions:
        for _ in trace_session(letters)(2_000):
            pass
        for _ in trace_session(iterate)(range(2_000)):
            pass
    assert len(sessions[0].outputs["yields"]) == 2_000
    assert sessions[1].outputs["count"] == 2_000
    assert len(sessions[1].outputs["yields"]) == stream.MAX_YIELDS


def test_yields_are_bounded_in_bytes() -> None:
    """Of huge yields as many are kept as there is room for, and all are counted."""

    @trace_session
    def huge() -> Iterator[str]:
        for _ in range(20):
            yield "x" * 300_000

    with capture() as sessions:
        for _ in huge():
            pass
    assert (len(sessions[0].outputs["yields"]), sessions[0].outputs["count"]) == (4, 20)


@pytest.mark.parametrize("function", [letters, letters_later])
def test_a_traced_reduce_is_not_inside(function: Callable[..., Any]) -> None:
    """What it records belongs to whoever exhausts the generator."""

    @trace_session
    def joined(items: list[str]) -> str:
        return "".join(items)

    async def exhaust(generator: Any) -> None:
        async for _ in generator:
            pass

    with capture() as sessions, session("consumer") as consumer:
        generator = trace_session(reduce=joined)(function)()
        list(generator) if function is letters else asyncio.run(exhaust(generator))
    assert [s.session_name for s in sessions] == ["joined", function.__name__, "consumer"]
    assert sessions[0].parent_id == consumer.session_id
    assert sessions[1].outputs == {"result": "ab"}


@both
@pytest.mark.parametrize("reduce", [None, "".join])
def test_a_partial_result_is_kept(function: Callable[..., Any], reduce: Any) -> None:
    """A generator that is closed early is recorded with what it yielded till then."""

    async def first(generator: Any) -> None:
        await generator.__anext__()
        await generator.aclose()

    with capture() as sessions:
        generator = trace_session(reduce=reduce)(function)()
        if function is letters:
            next(generator)
            generator.close()
        else:
            asyncio.run(first(generator))
    outputs = {"result": "a"} if reduce else {"yields": ["a"], "count": 1}
    assert (sessions[0].status, sessions[0].error, sessions[0].outputs) == ("closed", None, outputs)


def test_an_error_keeps_what_was_yielded() -> None:
    """A generator that fails in the middle is recorded with its yields and the error."""

    @trace_session
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("v")

    with capture() as sessions, pytest.raises(ValueError):
        list(failing())
    assert (sessions[0].error, sessions[0].outputs["yields"]) == ("ValueError: v", [1])


def test_outputs_set_inside_win() -> None:
    """What the generator itself says about its outputs is recorded in place of its yields."""

    @trace_session
    def speaking() -> Iterator[int]:
        current_session().outputs = {"said": True}
        yield 1

    with capture() as sessions:
        list(speaking())
    assert sessions[0].outputs == {"said": True}


@both
def test_a_generator_never_started_is_not_recorded(function: Callable[..., Any]) -> None:
    """Making a generator runs nothing, so there is nothing to record."""
    with capture() as sessions, session("outer"):
        trace_session(function)()
    assert [s.session_name for s in sessions] == ["outer"]
    assert sessions[0].children_ids == []


def test_interleaved_generators_keep_their_children() -> None:
    """Two generators stepped in turn have each their own children; the consumer has its own."""

    @trace_session
    def stage(name: str) -> Iterator[None]:
        for i in range(3):
            with session(f"{name}{i}"):
                pass
            yield

    with capture() as sessions, session("consumer"):
        for i, _ in enumerate(zip(stage("a"), stage("b"), strict=True)):
            with session(f"c{i}"):
                pass
    names = {s.session_id: s.session_name for s in sessions}
    inside = [[names[child] for child in s.children_ids] for s in sessions if s.children_ids]
    stages = ["a0", "a1", "a2"], ["b0", "b1", "b2"]
    assert sorted(inside[:2]) == sorted(stages)
    assert [n for n in inside[2] if len(n) == 2] == ["c0", "c1", "c2"]


def test_a_generator_stepped_in_many_threads() -> None:
    """A generator keeps its session whatever thread steps it, and leaves none of them in it."""

    @trace_session
    def stepped() -> Iterator[str]:
        for _ in range(3):
            yield current_session().session_name

    seen: list[str] = []
    dirty: list[bool] = []

    def step(generator: Iterator[str]) -> None:
        seen.append(next(generator))
        dirty.append(bool(current_session()))

    with capture() as sessions:
        generator = stepped()
        for _ in range(3):
            thread = threading.Thread(target=step, args=(generator,))
            thread.start()
            thread.join()
        assert next(generator, "exhausted") == "exhausted"
    assert (set(seen), dirty) == ({sessions[0].session_name}, [False] * 3)


def test_a_generator_collected_inside_another_session() -> None:
    """The garbage collector may end a generator anywhere: its last children are its own, and the
    session that runs there stays current."""

    @trace_session
    def source() -> Iterator[int]:
        try:
            yield 1
        finally:
            with session("cleanup"):
                pass

    with capture() as sessions:
        cycle: list[Any] = []
        with session("A"):
            generator = source()
            next(generator)
            cycle += [cycle, generator]
            del generator
        with session("B") as b:
            del cycle
            gc.collect()
            assert current_session() is b
    by_name = {s.session_name.rpartition(".")[2]: s for s in sessions}
    assert by_name["source"].children_ids == [by_name["cleanup"].session_id]
    assert by_name["source"].parent_id == by_name["A"].session_id
    assert by_name["B"].children_ids == []


@both
def test_sampled_out_generators_keep_nothing(function: Callable[..., Any]) -> None:
    """A generator that is not to be recorded is stepped as it is, with nothing of it looked at."""
    looked: list[Any] = []
    traced = trace_session(sample_rate=0.0, reduce=looked.append)(function)
    with capture() as sessions:
        assert drain(traced()) == ["a", "b"]
    assert (looked, list(sessions)) == ([], [])
    assert not current_session()


def test_a_yield_that_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect while keeping a yield does not reach the consumer."""
    monkeypatch.setattr("honeytrace._capture.call._reported", True)
    with capture() as sessions:
        encode = hooks.encode
        hooks.encode = lambda value, masked, name: (
            1 / 0 if value in ("a", "b") else encode(value, masked, name)
        )
        assert list(trace_session(letters)()) == ["a", "b"]
    assert (sessions[0].outputs["yields"], sessions[0].outputs["count"]) == ([], 2)
