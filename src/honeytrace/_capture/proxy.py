"""Proxies for traced callables that are not functions; in every other way they act as before."""

from __future__ import annotations

import copy
from types import MethodType
from typing import Any

import wrapt

from .wrapper import build_any


class TracedCallable(wrapt.CallableObjectProxy):  # type: ignore[type-arg] # generic in wrapt 2 only
    """A proxy that pickles and copies as the callable and the options it was made from."""

    def __init__(self, target: Any, options: dict[str, Any]) -> None:
        super().__init__(target)
        self._self_options = options
        self._self_traced = build_any(target, options)

    @property
    def __call__(self) -> Any:  # a property adds no frame to a traceback
        return self._self_traced

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return traced_callable, (self.__wrapped__, self._self_options)

    def __copy__(self) -> Any:
        return traced_callable(copy.copy(self.__wrapped__), self._self_options)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return traced_callable(copy.deepcopy(self.__wrapped__, memo), self._self_options)


class TracedDescriptor(TracedCallable):
    """A callable that binds itself to an instance; the bound callable is traced, too."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        bound = self.__wrapped__.__get__(instance, owner)
        if bound is self.__wrapped__:
            return self
        if isinstance(bound, MethodType) and bound.__func__ is self.__wrapped__:
            return MethodType(self, bound.__self__)
        return traced_callable(bound, self._self_options) if callable(bound) else bound

    def __set_name__(self, owner: type, name: str) -> None:
        tell = getattr(type(self.__wrapped__), "__set_name__", None)
        if tell is not None:
            tell(self.__wrapped__, owner, name)


class TracedDispatch(wrapt.ObjectProxy):  # type: ignore[type-arg] # generic in wrapt 2 only
    """A `functools.singledispatchmethod`; it is not callable, but the methods it returns are."""

    def __init__(self, target: Any, options: dict[str, Any]) -> None:
        super().__init__(target)
        self._self_options = options

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return traced_callable(self.__wrapped__.__get__(instance, owner), self._self_options)


def traced_callable(target: Any, options: dict[str, Any]) -> Any:
    """Return a traced callable, without a `__get__` if it has none, like a member of an Enum."""
    kind = TracedDescriptor if hasattr(type(target), "__get__") else TracedCallable
    return kind(target, options)
