"""Blocks, manual start and end, and what a call costs."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

import honeytrace
from honeytrace import current_session, session, trace_session
from twins import (
    caught,
    recorded,
)

sessions = pytest.fixture(recorded)


def test_with_block_sync_and_async(sessions: Any) -> None:
    """`with` and `async with` record one session each, nest, and restore what was current."""

    async def main() -> None:
        async with session("async", inputs={"a": 1}) as outer:
            assert current_session() is outer
            with session("sync") as inner:
                inner.outputs = {"b": 2}
                assert current_session() is inner
            assert current_session() is outer
        assert not current_session()

    asyncio.run(main())
    inner, outer = sessions
    assert (outer.session_name, outer.inputs, outer.children_ids) == (
        "async",
        {"a": 1},
        [inner.session_id],
    )
    assert (inner.session_name, inner.outputs, inner.parent_id) == (
        "sync",
        {"b": 2},
        outer.session_id,
    )


def test_manual_start_and_end(sessions: Any) -> None:
    """A session may begin in one function and end in another, by hand or on an ExitStack."""
    stack, by_hand = contextlib.ExitStack(), session("by hand")

    def begin() -> Any:
        stack.enter_context(session("stacked"))
        return by_hand.__enter__()

    def end() -> None:
        by_hand.__exit__(None, None, None)
        stack.close()

    assert begin() is current_session()
    end()
    assert [s.session_name for s in sessions] == ["by hand", "stacked"]


@pytest.mark.parametrize("error", [None, ValueError("v"), KeyboardInterrupt(), StopIteration(1)])
def test_with_block_lets_errors_through(sessions: Any, error: BaseException | None) -> None:
    """A with-block neither swallows nor changes what leaves it."""

    def block() -> None:
        with session("block"):
            if error is not None:
                raise error

    assert (caught(block) if error else block()) is error
    assert not current_session()


def _python_calls(call: Callable[[], Any]) -> int:
    events: list[str] = []
    call()  # what happens on first use only does not count
    sys.setprofile(lambda frame, event, arg: events.append(event))
    try:
        call()
    finally:
        sys.setprofile(None)
    return sum(event in ("call", "c_call") for event in events)


@pytest.mark.parametrize(("recording", "bound"), [(True, 100), (False, 4)])
def test_cost_of_a_call_counted_in_calls(sessions: Any, recording: bool, bound: int) -> None:
    """A tiny call costs a bounded number of calls, `capture`'s included; not recorded, next to
    none."""

    def tiny(a: int) -> int:
        return a

    traced = trace_session(tiny)
    with contextlib.nullcontext() if recording else honeytrace.paused():
        extra = _python_calls(lambda: traced(1)) - _python_calls(lambda: tiny(1))
    assert extra <= bound
    assert len(sessions) == (2 if recording else 0)
