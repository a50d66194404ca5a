"""Sessions that begin inside one that has ended: adopted for a while, then roots."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from honeytrace import current_session, session, trace_session
from honeytrace._capture import call
from honeytrace._capture.context import current
from honeytrace._capture.session import Session
from honeytrace.testing import capture


@trace_session
def job(n: int) -> int:
    return n


def test_a_worker_that_was_started_inside_a_request() -> None:
    """Of very many jobs the first become its children, the others roots with a link to it."""
    with capture() as sessions:
        with session("request"):
            inside = current.get()
        current.set(inside)
        for n in range(3 * call.MAX_LATE):
            job(n)
        current.set(None)
    request, *jobs = sessions
    adopted = [s for s in jobs if s.parent_id == request.session_id]
    others = [s for s in jobs if s.parent_id is None]
    assert len(adopted) == call.MAX_LATE
    assert len(adopted) + len(others) == len(jobs)
    assert {s.details["follows_from"] for s in others} == {request.session_id}
    assert {s.root_id for s in others} == {s.session_id for s in others}


def test_long_after_the_end() -> None:
    """A session that ended long ago adopts none."""
    with capture(start=1_700_000_000.0, tick=call.LATE_NS / 1e9) as sessions:
        with session("request"):
            inside = current.get()
        current.set(inside)
        job(1)
        current.set(None)
    assert sessions[1].parent_id is None
    assert sessions[1].details["follows_from"] == sessions[0].session_id


def test_steps_that_start_their_own_next_one() -> None:
    """Of a chain without end, finished steps are let go, whether they overlap or not."""
    steps: list[weakref.ref[Any]] = []
    with capture():
        for overlap in (False, True):
            steps.clear()
            current.set(None)
            before: Any = None
            for _ in range(50):
                block = session("step", inputs={"x": "y" * 100})
                steps.append(weakref.ref(block.__enter__()))
                if before is not None and overlap:
                    before.__exit__(None, None, None)
                if not overlap:
                    here = current.get()
                    block.__exit__(None, None, None)
                    current.set(here)
                before = block
            gc.collect()
            assert sum(step() is not None for step in steps) < 6
    current.set(None)


def test_coroutines_in_one_context_that_end_in_any_order() -> None:
    """What ended first does not become current again when the other ends."""

    @trace_session
    async def work() -> str:
        await Pause()
        return current_session().session_id

    class Pause:
        def __await__(self) -> Any:
            yield

    with capture() as sessions:
        first, second = work(), work()
        for running in (first, second):
            running.send(None)
        for running in (first, second):
            with pytest.raises(StopIteration):
                running.send(None)
        assert not current_session()
        job(1)
    assert sessions[-1].parent_id is None


def test_a_step_without_parent_stays_a_session() -> None:
    """What stands in for a session that was let go has its ids, and nothing else."""
    with capture() as sessions:
        with session("outer"), session("inner"):
            inner = current.get()
        assert isinstance(inner, Session)
        assert inner.parent_id == sessions[1].session_id
        assert inner._parent is not None
        assert inner._parent._inputs is None
