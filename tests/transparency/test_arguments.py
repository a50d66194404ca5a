"""Arguments arrive as they were passed."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import pytest

from twins import (
    Trace,
    same_as_undecorated,
)

#: Names that tracers have taken for their own, and those any wrapper is tempted to use.
NAMES = """
    self cls fn func function wrapped wrapper instance args kwargs config name tracer trace session
    session_name session_id source project inputs outputs error metadata metrics feedback parent
    parent_id children_ids event_name event_type tags run_id user_properties user_id start_time
    end_time duration capture_inputs capture_outputs reduce sample_rate target
"""


@same_as_undecorated
@pytest.mark.parametrize("name", NAMES.split())
def test_user_keyword_is_untouched(trace: Trace, name: str) -> Any:
    """A keyword of any name reaches the function, declared or not, beside a positional one of that
    name."""
    scope: dict[str, Any] = {}
    exec(  # a parameter's name cannot be parametrised otherwise
        f"def declared({name}): return {name}\n"
        f"def defaulted(*, {name}=1): return {name}\n"
        f"def collected(**extra): return extra\n"
        f"def both({name}, /, **extra): return {name}, extra\n"
        f"async def later(x=0, **extra): return x, extra\n"
        f"def stream(x=0, **extra): yield x, extra\n",
        scope,
    )
    declared, defaulted, collected, both, later, stream = (
        trace(scope[f]) for f in ("declared", "defaulted", "collected", "both", "later", "stream")
    )
    return (
        declared(**{name: "v"}),
        defaulted(**{name: "v"}),
        defaulted(),
        collected(**{name: "v"}),
        both("p", **{name: "v"}),
        asyncio.run(later(**{name: "v"})),
        list(stream(**{name: "v"})),
    )


@same_as_undecorated
def test_user_dictionary_is_not_shared(trace: Trace) -> Any:
    """The dictionary spread into a call stays the caller's own, and a masked name reaches the
    function."""

    @trace
    def take(**extra: Any) -> Any:
        extra["added"] = True
        return extra

    given = {"password": "hunter2", "nested": {"api_key": "k"}}
    taken = take(**given)
    return given, taken, taken["nested"] is given["nested"]


class Big:
    """An object that can be watched."""


@same_as_undecorated
def test_argument_that_the_function_lets_go_of_is_freed_at_once(trace: Trace) -> Any:
    """A temporary that a function deletes or rebinds is freed there, not at the end of the call."""

    @trace
    def deleted(x: Any) -> Any:
        watched = weakref.ref(x)
        del x
        return watched() is None

    @trace
    def rebound(x: Any, y: int = 1, *, z: Any) -> Any:
        watched = weakref.ref(x), weakref.ref(z)
        x = z = None
        return watched[0]() is watched[1]() is None, x, y, z

    @trace
    def in_a_cell(x: Any) -> Any:
        watched = weakref.ref(x)
        x = None
        return watched() is None, (lambda: x)()

    @trace
    def generator(x: Any) -> Any:
        watched = weakref.ref(x)
        del x
        yield watched() is None

    @trace
    async def coroutine(x: Any, *rest: Any, **more: Any) -> Any:
        watched = weakref.ref(x)
        del x
        return watched() is None, rest, more

    return (
        deleted(Big()),
        rebound(Big(), z=Big()),
        in_a_cell(Big()),
        next(generator(Big())),
        asyncio.run(coroutine(Big(), k=2)),
    )
