"""Tracing above and below staticmethod and classmethod."""

from __future__ import annotations

from typing import Any

import pytest

from twins import (
    FLAGS,
    Trace,
    both_orders,
    drained,
    public_attributes,
    raised,
    same_as_undecorated,
    stacked,
)


@same_as_undecorated
@both_orders
def test_staticmethod_and_classmethod(trace: Trace, order: str) -> Any:
    """In either order they bind as undecorated: through class, instance, subclass and super()."""

    class Base:
        @stacked(trace, staticmethod, order)
        def static(a: int, b: int = 2) -> Any:  # noqa: N805 - a static method, either way
            return a, b

        @stacked(trace, classmethod, order)
        def made_by(cls, a: int = 1) -> Any:  # noqa: N805 - a class method, either way
            return cls.__name__, a

    class Derived(Base):
        @stacked(trace, classmethod, order)
        def made_by(cls, a: int = 3) -> Any:  # noqa: N805 - a class method, either way
            return "derived", super().made_by(a)

    return (
        [owner.static(1) for owner in (Base, Base(), Derived, Derived())],
        [owner.static(a=1, b=3) for owner in (Base, Derived())],
        [owner.made_by() for owner in (Base, Base(), Derived, Derived())],
        [owner.made_by(a=5) for owner in (Base, Derived())],
        raised(Base.static),
        [Derived.made_by.__self__ is Derived, Base().made_by.__self__ is Base],
        [(a.name, a.kind, a.defining_class.__name__) for a in public_attributes(Derived)],
    )


@same_as_undecorated
@both_orders
@pytest.mark.parametrize("kind", ["coroutine", "generator", "async generator"])
def test_static_and_class_methods_of_other_kinds(trace: Trace, order: str, kind: str) -> Any:
    """Class methods that are coroutines or generators keep their kind and their class."""

    async def coroutine(cls: Any, a: int) -> Any:
        return cls.__name__, a

    def generator(cls: Any, a: int) -> Any:
        yield cls.__name__, a

    async def async_generator(cls: Any, a: int) -> Any:
        yield cls.__name__, a

    function = {"coroutine": coroutine, "generator": generator}.get(kind, async_generator)

    class Base:
        m = stacked(trace, classmethod, order)(function)
        s = stacked(trace, staticmethod, order)(function)

    class Derived(Base): ...

    flags = [flag(f) for f in (Base.m, Derived().m, Base.s) for flag in FLAGS]
    return flags, drained(Derived().m(1)), drained(Base.m(a=2)), drained(Derived.s(int, 3))
