"""`paused()`: nothing of what runs inside is recorded, here alone."""

from __future__ import annotations

import asyncio

import pytest

from honeytrace import current_session, paused, session, trace_session
from honeytrace.testing import capture


@trace_session
def call() -> None:
    pass


def test_nothing_inside_is_recorded() -> None:
    """Calls and blocks inside leave no trace, also none with the session around."""
    with capture() as sessions, session("outer") as outer:
        with paused():
            call()
            with session("inner") as inner:
                inner.outputs = 1
            assert (bool(inner), bool(current_session())) == (False, False)
        assert current_session() is outer
        call()
    assert [s.session_name for s in sessions] == ["call", "outer"]
    assert sessions[1].children_ids == [sessions[0].session_id]


def test_how_a_value_shows_itself_is_not_recorded() -> None:
    """A traced `__repr__` is not run to record a value of its class."""

    class Shown:
        @trace_session
        def __repr__(self) -> str:
            return "<shown>"

    with capture() as sessions, session("outer", inputs={"value": Shown()}):
        pass
    assert [s.session_name for s in sessions] == ["outer"]
    assert "<shown>" not in str(sessions[0].inputs)


def test_an_error_ends_the_pause() -> None:
    """After an error inside, recording goes on."""
    with capture() as sessions:
        with pytest.raises(ValueError), paused():
            raise ValueError
        call()
    assert len(sessions) == 1


def test_a_pause_may_be_entered_again() -> None:
    """One pause used twice, once inside itself, ends with the outermost."""
    pause = paused()
    with capture() as sessions:
        with pause:
            with pause:
                call()
            call()
        call()
    assert len(sessions) == 1


def test_a_pause_is_of_one_task() -> None:
    """Tasks made inside are paused for good; those beside are not."""

    async def main() -> None:
        inside, beside = asyncio.Event(), asyncio.Event()

        async def made_inside() -> None:
            await inside.wait()
            call()

        async def made_before() -> None:
            await beside.wait()
            with session("beside"):
                call()

        other = asyncio.create_task(made_before())
        with paused():
            task = asyncio.create_task(made_inside())
            beside.set()
            await other
        inside.set()
        await task

    with capture() as sessions:
        asyncio.run(main())
    assert [s.session_name for s in sessions] == ["call", "beside"]


def test_a_generator_paused_inside_does_not_pause_its_consumer() -> None:
    """A traced generator may hold a pause open over its yields."""

    @trace_session
    def items():  # type: ignore[no-untyped-def]
        with paused():
            call()
            yield 1
            call()

    with capture() as sessions:
        for _ in items():
            assert not current_session()
            with session("consumer"):
                pass
    assert sorted(s.session_name.rpartition(".")[2] for s in sessions) == ["consumer", "items"]
