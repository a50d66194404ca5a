"""Functions and generators of every kind give what they give undecorated."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import gc
import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from honeytrace import current_session, trace_session
from twins import (
    KINDS,
    Trace,
    drained,
    every_kind,
    recorded,
    same_as_undecorated,
)

sessions = pytest.fixture(recorded)


@same_as_undecorated
@every_kind
def test_every_kind_of_callable_gives_its_result(trace: Trace, kind: str) -> Any:
    """A call gives what it gives undecorated, through every kind of callable."""
    subject = KINDS[kind](trace)
    bind = (None,) if kind == "unbound method" else ()
    return drained(subject(*bind, 1)), drained(subject(*bind, 2, b="two"))


def test_function_and_coroutine_are_recorded(sessions: Any) -> None:
    """One call is one session: named, with inputs by parameter name, its output, and times that
    fit."""

    @trace_session
    def add(a: int, b: int = 2) -> int:
        return a + b

    @trace_session
    async def scale(*factors: int, **named: int) -> dict[str, Any]:
        return {"product": math.prod(factors) * math.prod(named.values())}

    assert add(1) == 3
    assert asyncio.run(scale(2, 3, c=4)) == {"product": 24}
    first, second = sessions
    assert (first.session_name, first.inputs, first.outputs) == (
        "add",
        {"a": 1, "b": 2},
        {"result": 3},
    )
    assert (second.session_name, second.outputs) == ("scale", {"product": 24})
    assert second.inputs == {"factors": [2, 3], "named": {"c": 4}}
    assert first.error is None
    assert first.duration >= 0
    assert first.start_time <= first.end_time <= math.ceil(second.start_time)


def test_generator_body_is_recorded_until_exhaustion(sessions: Any) -> None:
    """A generator's session spans its body, not its creation, and is never current in its
    consumer."""

    @trace_session
    def leaf(where: str) -> None: ...

    @trace_session
    def stream() -> Iterator[str]:
        leaf("body")
        yield current_session().session_id
        leaf("body")
        yield current_session().session_id

    items = stream()
    seen = []
    for item in items:
        seen.append(item)
        assert not current_session()
        assert not sessions.by_name("stream")
        leaf("consumer")
    (recorded,) = sessions.by_name("stream")
    leaves = sessions.by_name("leaf")
    inside = [s.session_id for s in leaves if s.inputs == {"where": "body"}]
    assert seen == [recorded.session_id] * 2
    assert recorded.children_ids == inside
    assert [s.parent_id for s in leaves] == [recorded.session_id, None] * 2
    assert recorded.session_id in str(recorded.outputs)


def test_async_generator_body_is_recorded_until_exhaustion(sessions: Any) -> None:
    """An asynchronous generator's session spans its body and is never current in its consumer."""

    @trace_session
    async def leaf(where: str) -> None: ...

    @trace_session
    async def stream() -> AsyncIterator[str]:
        await leaf("body")
        yield current_session().session_id
        await leaf("body")
        yield current_session().session_id

    async def consume() -> list[str]:
        seen = []
        async for item in stream():
            seen.append(item)
            assert not current_session()
            assert not sessions.by_name("stream")
            await leaf("consumer")
        return seen

    seen = asyncio.run(consume())
    (recorded,) = sessions.by_name("stream")
    leaves = sessions.by_name("leaf")
    inside = [s.session_id for s in leaves if s.inputs == {"where": "body"}]
    assert seen == [recorded.session_id] * 2
    assert recorded.children_ids == inside
    assert [s.parent_id for s in leaves] == [recorded.session_id, None] * 2


def _end_by_close(items: Any) -> None:
    items.close()


def _end_by_error(items: Any) -> None:
    with contextlib.suppress(ValueError):
        items.throw(ValueError("late"))


def _end_by_exhaustion(items: Any) -> None:
    collections.deque(items, maxlen=0)


def _end_by_collection(items: Any) -> None: ...


@pytest.mark.parametrize(
    "end", [_end_by_close, _end_by_error, _end_by_exhaustion, _end_by_collection]
)
def test_generator_session_ends_however_it_ends(sessions: Any, end: Callable[[Any], None]) -> None:
    """Exhaustion, close, an error and being dropped each end the session once, with what was
    yielded."""

    @trace_session
    def stream() -> Iterator[str]:
        yield "first-item"
        yield "second-item"

    items = stream()
    assert next(items) == "first-item"
    end(items)
    del items
    gc.collect()
    (recorded,) = sessions
    assert "first-item" in str(recorded.outputs)
    assert bool(recorded.error) == (end is _end_by_error)
