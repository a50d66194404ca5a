"""The type surface: checked by mypy, never run. A decorator gives back the type it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

from typing_extensions import assert_type

import honeytrace
from honeytrace import (
    FlushResult,
    RecordedSession,
    Session,
    SessionList,
    Stats,
    propagate,
    session,
    trace_session,
)


@trace_session
def bare(question: str, *, k: int = 3) -> list[str]:
    return [question] * k


@trace_session("named")
def named(question: str) -> int:
    return len(question)


@trace_session(session_name="keyword", capture_inputs=["question"], metadata={"a": 1})
async def keyword(question: str) -> bytes:
    return question.encode()


@trace_session(reduce="".join)
def streamed() -> Iterator[str]:
    yield "a"


@trace_session()
async def astreamed() -> AsyncIterator[int]:
    yield 1


@trace_session
class Service:
    def method(self, x: int) -> str:
        return str(x)

    @trace_session
    @classmethod
    def above(cls, x: int) -> int:
        return x

    @staticmethod
    @trace_session
    def below(x: int) -> int:
        return x


assert_type(bare("q", k=2), list[str])
assert_type(named("q"), int)
assert_type(streamed(), Iterator[str])
assert_type(astreamed(), AsyncIterator[int])
assert_type(Service().method(1), str)
assert_type(Service.above(1), int)
assert_type(Service.below(1), int)
assert_type(trace_session(partial(bare, "q"))(), list[str])
bare(1)  # type: ignore[arg-type]
trace_session(3)  # type: ignore[call-overload]
carried: Callable[[str], int] = propagate(named)


async def blocks() -> None:
    assert_type(await keyword("q"), bytes)
    with session("a", inputs={"q": 1}) as s:
        assert_type(s, Session)
        assert_type(s.session_id, str)
        s.outputs = {"any": "thing"}
        s.metrics["score"] = 1.0
        s.update(feedback={"rating": 5})
    async with session() as t:
        assert_type(t, Session)
    found = honeytrace.get_session(s.session_id)
    assert_type(found, RecordedSession)
    assert_type(found.children, list[RecordedSession])
    assert_type(honeytrace.list_sessions(limit=5), SessionList)
    assert_type(honeytrace.stats(), Stats)
    assert_type(honeytrace.flush(1.5), FlushResult)
    assert_type(await honeytrace.aflush(), FlushResult)
    assert_type(honeytrace.current_session(), Session)
