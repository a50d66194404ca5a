"""Callables that are no functions."""

from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Callable
from typing import Any

import pytest

from twins import (
    Trace,
    attempt,
    drained,
    raised,
    same_as_undecorated,
)


class Adder:
    """A callable object with state."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(self, n: int) -> int:
        """Add up."""
        self.total += n
        return self.total

    def reset(self) -> None:
        self.total = 0


class AsyncAdder(Adder):
    """A callable object that is awaited."""

    async def __call__(self, n: int) -> int:  # type: ignore[override]
        return super().__call__(n)


@same_as_undecorated
def test_callable_object(trace: Trace) -> Any:
    """A decorated callable object is still that object: its class, attributes, methods and
    state."""
    adder, later = trace(Adder()), trace(AsyncAdder())
    seen = [adder(1), adder(n=2), adder.total, isinstance(adder, Adder), callable(adder)]
    adder.total = 10
    seen += [adder(1), adder.reset(), adder(1), str(inspect.signature(adder)), raised(adder)]
    seen += [attempt(repr, adder), attempt(str, adder), adder == adder, bool(adder)]
    return seen, [drained(later(1)), drained(later(2)), later.total]


@same_as_undecorated
@pytest.mark.parametrize(
    "make",
    [
        lambda trace: trace(len)([1, 2]),
        lambda trace: trace("a-b".split)("-"),
        lambda trace: trace(operator.itemgetter(1))("xyz"),
        lambda trace: trace(math.hypot)(3, 4),
        lambda trace: trace([3, 1].index)(1),
        lambda trace: trace(str.upper)("a"),
        lambda trace: trace(Adder().__call__)(2),
        lambda trace: trace(dict.fromkeys)("ab"),
        lambda trace: list(map(trace(lambda x: x + 1), [1, 2])),
        lambda trace: sorted("bca", key=trace(lambda c: -ord(c))),
        lambda trace: functools.reduce(trace(operator.add), [1, 2, 3]),
    ],
)
def test_builtins_and_bound_methods(trace: Trace, make: Callable[[Trace], Any]) -> Any:
    """Built-in functions, bound methods and operators can be decorated, and serve as callbacks."""
    return make(trace)
