"""functools and its like, above and below."""

from __future__ import annotations

import functools
import inspect
import typing
from typing import Any

from twins import (
    Trace,
    both_orders,
    raised,
    same_as_undecorated,
    stacked,
)


@same_as_undecorated
@both_orders
def test_lru_cache(trace: Trace, order: str) -> Any:
    """A cache above or below computes once, and its info, clear and parameters stay in reach."""
    computed: list[int] = []

    @stacked(trace, functools.lru_cache(maxsize=2), order)
    def square(n: int) -> list[int]:
        """The square."""
        computed.append(n)
        return [n * n]

    same = square(2) is square(2)
    info = square.cache_info(), square.cache_parameters()
    square.cache_clear()
    square(2)

    class Box:
        @stacked(trace, functools.cache, order)
        def m(self, n: int) -> int:
            return n

    box = Box()
    return (
        same,
        info,
        square.cache_info(),
        computed,
        square.__doc__,
        [box.m(1), box.m(1)],
        (Box.m.cache_info().hits),
    )


@same_as_undecorated
@both_orders
def test_cached_property(trace: Trace, order: str) -> Any:
    """A cached property above or below computes once, into the instance, under its own name."""
    computed: list[str] = []

    class Box:
        @stacked(trace, functools.cached_property, order)
        def x(self) -> list[int]:
            """The x."""
            computed.append("x")
            return [1]

    box, other = Box(), Box()
    seen = [box.x is box.x, vars(box), other.x, computed[:]]
    del box.x
    return (
        seen,
        box.x,
        computed,
        isinstance(Box.x, functools.cached_property),
        inspect.getdoc(Box.x),
    )


@same_as_undecorated
@both_orders
def test_singledispatch(trace: Trace, order: str) -> Any:
    """Dispatch above or below goes by type, with `register` and `dispatch` in reach."""

    @stacked(trace, functools.singledispatch, order)
    def show(value: Any) -> str:
        return "object"

    @show.register
    @trace
    def _(value: int) -> str:
        return "int"

    @show.register(list)
    @trace
    def show_list(value: Any) -> str:
        return "list"

    class Box:
        @functools.singledispatchmethod
        @trace
        def m(self, value: Any) -> str:
            return "object"

        @m.register
        @trace
        def _(self, value: str) -> str:
            return "str"

    results = [show(1.5), show(1), show(True), show([])]
    return results, show.dispatch(list) is show_list, [Box().m(1), Box().m("s")], len(show.registry)


@same_as_undecorated
@both_orders
def test_partial(trace: Trace, order: str) -> Any:
    """A partial above or below keeps its arguments, its attributes and its errors."""

    def f(a: int, b: int, *, c: int = 3) -> Any:
        return a, b, c

    p = stacked(trace, lambda function: functools.partial(function, 1, c=4), order)(f)
    attributes = p.args, p.keywords, inspect.signature(p), callable(p.func)
    nested = functools.partial(p, 2)
    return p(2), p(b=2, c=5), nested(), raised(p), attributes


@same_as_undecorated
@both_orders
def test_partialmethod(trace: Trace, order: str) -> Any:
    """A partialmethod above or below binds its instance or its class."""

    class Box:
        def _set(self, a: int, b: int = 2) -> Any:
            return type(self).__name__, a, b

        one = stacked(trace, lambda f: functools.partialmethod(f, 1), order)(_set)
        named = stacked(trace, lambda f: functools.partialmethod(f, b=5), order)(_set)

    class Sub(Box): ...

    return Box().one(), Sub().one(b=3), Box().named(4), raised(lambda: Box().named())


@same_as_undecorated
def test_total_ordering(trace: Trace) -> Any:
    """`total_ordering` fills in what decorated comparisons leave out."""

    @functools.total_ordering
    class Version:
        def __init__(self, n: int) -> None:
            self.n = n

        @trace
        def __eq__(self, other: object) -> Any:
            return self.n == other.n if isinstance(other, Version) else NotImplemented

        @trace
        def __lt__(self, other: Any) -> Any:
            return self.n < other.n if isinstance(other, Version) else NotImplemented

        __hash__ = None  # type: ignore[assignment]

    a, b = Version(1), Version(2)
    return [a < b, a <= b, a > b, a >= b, a == b, a != b], raised(lambda: a < 1), raised(hash, a)


@same_as_undecorated
@both_orders
def test_wraps(trace: Trace, order: str) -> Any:
    """`functools.wraps` carries a decorated function's name, attributes and signature onwards."""

    def shout(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return str(function(*args, **kwargs)).upper()

        return wrapper

    @stacked(trace, shout, order)
    def greet(name: str = "you") -> str:
        """Greet."""
        return f"hello {name}"

    greet.extra = 1
    return greet("a"), greet.__name__, greet.__doc__, greet.extra, str(inspect.signature(greet))


@same_as_undecorated
def test_decorated_twice(trace: Trace) -> Any:
    """Decorating a decorated function changes nothing either, and runs it once."""
    runs = []

    @trace
    @trace
    def f(a: int) -> int:
        runs.append(a)
        return a

    return f(1), runs, str(inspect.signature(f)), raised(f)


@same_as_undecorated(silent=True)
def test_typing_markers(trace: Trace) -> Any:
    """Marks that typing leaves on functions stay readable, above and below."""

    @trace
    @typing.final
    def below() -> None: ...

    @typing.final
    @trace
    def above() -> None: ...

    @typing.no_type_check
    @trace
    def unchecked(a: int) -> None: ...

    marks = [getattr(f, "__final__", None) for f in (below, above)]
    return marks, typing.get_type_hints(unchecked)
