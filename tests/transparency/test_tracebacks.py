"""Tracebacks show the program's frames."""

from __future__ import annotations

import asyncio
import functools
import operator
from collections.abc import Callable
from typing import Any

import pytest

from honeytrace import session, trace_session
from twins import (
    Trace,
    caught,
    drained,
    recorded,
    undecorated,
)

sessions = pytest.fixture(recorded)


def _frames(error: BaseException) -> list[str]:
    modules, traceback = [], error.__traceback__
    while traceback is not None:
        ours = traceback.tb_frame.f_code.co_filename.startswith("<honeytrace")
        name = "honeytrace" if ours else traceback.tb_frame.f_globals["__name__"]
        modules.append(name.partition(".")[0])
        traceback = traceback.tb_next
    return modules


def _failing(trace: Trace) -> dict[str, Callable[[], Any]]:
    """One failing call of each kind."""

    @trace
    def function() -> Any:
        raise ValueError("v")

    @trace
    async def coroutine() -> Any:
        raise ValueError("v")

    @trace
    def generator() -> Any:
        yield 1
        raise ValueError("v")

    @trace
    async def async_generator() -> Any:
        yield 1
        raise ValueError("v")

    class Box:
        @trace
        def method(self) -> Any:
            raise ValueError("v")

        @trace
        @staticmethod
        def static() -> Any:
            raise ValueError("v")

        @trace
        @classmethod
        def of_class(cls) -> Any:
            raise ValueError("v")

    @trace
    class Whole:
        def method(self) -> Any:
            raise ValueError("v")

    def thrown() -> Any:
        items = generator()
        next(items)
        items.throw(ValueError("v"))

    return {
        "function": function,
        "coroutine": lambda: asyncio.run(coroutine()),
        "generator": lambda: list(generator()),
        "thrown into a generator": thrown,
        "async generator": lambda: drained(async_generator()),
        "method": Box().method,
        "staticmethod": Box.static,
        "classmethod": Box.of_class,
        "whole class": Whole().method,
        "lambda": trace(lambda: 1 / 0),
        "partial": trace(functools.partial(operator.truediv, 1, 0)),
        "wrong call": lambda: function("one too many"),
    }


@pytest.mark.parametrize("kind", _failing(undecorated))
def test_traceback_has_at_most_one_frame_of_ours(sessions: Any, kind: str) -> None:
    """The traceback that the user sees is the undecorated one plus at most one frame."""
    plain = _frames(caught(_failing(undecorated)[kind]))
    traced = _frames(caught(_failing(trace_session)[kind]))
    assert [module for module in traced if module not in ("honeytrace", "wrapt")] == plain
    assert len(traced) - len(plain) <= 1


def test_with_block_adds_no_frame(sessions: Any) -> None:
    """An error that leaves a with-block shows no frame of ours."""

    def block() -> None:
        with session("block"):
            raise ValueError("v")

    async def async_block() -> None:
        async with session("block"):
            raise ValueError("v")

    assert "honeytrace" not in _frames(caught(block))
    assert "honeytrace" not in _frames(caught(lambda: asyncio.run(async_block())))
    assert [s.error for s in sessions] == ["ValueError: v"] * 2
