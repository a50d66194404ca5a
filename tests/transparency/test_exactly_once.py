"""A traced function runs exactly once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from honeytrace import trace_session
from twins import (
    Trace,
    raised,
    recorded,
    same_as_undecorated,
)

sessions = pytest.fixture(recorded)


@same_as_undecorated
@pytest.mark.parametrize("error", [RuntimeError, TypeError, ValueError, AttributeError])
def test_function_runs_exactly_once(trace: Trace, error: type[Exception]) -> Any:
    """A function runs once for each call, also when what it raises looks like an error of the
    tracer."""
    runs: list[str] = []

    @trace
    def function() -> Any:
        runs.append("function")
        raise error("Tracer error: honeytrace could not start a session")

    @trace
    async def coroutine() -> Any:
        runs.append("coroutine")
        raise error("Tracer error: honeytrace could not start a session")

    @trace
    def generator() -> Any:
        runs.append("generator")
        yield 1
        raise error("Tracer error: honeytrace could not start a session")

    return (
        raised(function),
        raised(lambda: asyncio.run(coroutine())),
        raised(lambda: list(generator())),
        runs,
    )


def test_one_call_is_one_session(sessions: Any) -> None:
    """A method that is reached through class, instance and super() is recorded once for each
    call."""

    class Base:
        @trace_session
        def m(self) -> str:
            return "base"

    class Derived(Base):
        @trace_session
        def m(self) -> str:
            return "derived " + super().m()

    assert Derived().m() == "derived base"
    assert Base.m(Derived()) == "base"
    assert [s.session_name for s in sessions] == ["Base.m", "Derived.m", "Base.m"]
    assert sessions[1].children_ids == [sessions[0].session_id]
