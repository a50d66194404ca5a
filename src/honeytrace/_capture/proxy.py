"""A traced callable that is no function: in every other way itself, through a wrapt proxy."""

from __future__ import annotations

import copy
from types import MethodType
from typing import Any

import wrapt

from .wrapper import build_any


class TracedCallable(wrapt.CallableObjectProxy):  # type: ignore[type-arg] # generic in wrapt 2 only
    """Pickles and copies as what it is made of."""

    def __init__(self, target: Any, options: dict[str, Any]) -> None:
        super().__init__(target)
        self._self_options = options
        self._self_traced = build_any(target, options)

    @property
    def __call__(self) -> Any:  # a property leaves no frame of its own in a traceback
        return self._self_traced

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        binds = hasattr(type(self.__wrapped__), "__get__")  # functools.lru_cache does
        return self if instance is None or not binds else MethodType(self, instance)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return TracedCallable, (self.__wrapped__, self._self_options)

    def __copy__(self) -> Any:
        return TracedCallable(copy.copy(self.__wrapped__), self._self_options)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return TracedCallable(copy.deepcopy(self.__wrapped__, memo), self._self_options)
