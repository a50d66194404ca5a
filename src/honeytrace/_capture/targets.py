"""Which kind of callable is to be traced: a function, a descriptor, a class, or an object."""

from __future__ import annotations

from functools import cached_property, partialmethod
from types import FunctionType, MethodType
from typing import Any

from ..errors import ConfigurationError
from .wrapper import is_traced, trace_function


def trace(target: Any, options: dict[str, Any]) -> Any:
    """Return `target` traced. Raises ConfigurationError for what cannot be called.

    options: the keyword arguments of a `Spec`; `session_name` may be None.
    """
    if isinstance(target, (classmethod, staticmethod)):
        return type(target)(trace(target.__func__, options))
    if isinstance(target, property):
        get, set_, del_ = (
            part and trace(part, options) for part in (target.fget, target.fset, target.fdel)
        )
        return type(target)(get, set_, del_, target.__doc__)
    if isinstance(target, (cached_property, partialmethod)):
        target.func = trace(target.func, options)
        return target
    if isinstance(target, type):
        return _trace_class(target, options)
    if isinstance(target, MethodType):
        return MethodType(trace(target.__func__, options), target.__self__)
    if isinstance(target, FunctionType):
        return trace_function(target, options)
    if callable(target):
        from .proxy import TracedCallable  # wrapt takes 30 ms to import

        return TracedCallable(target, options)
    raise ConfigurationError(
        f"trace_session takes a function, a method or a class, not {type(target).__name__}"
    )


def _trace_class(cls: type, options: dict[str, Any]) -> type:
    """Trace the public methods of a class (and `__call__`) in place, and return the class."""
    if options["session_name"] is not None:
        raise ConfigurationError("a class records its methods under their own names; give no name")
    for name, member in list(vars(cls).items()):
        under = isinstance(member, (classmethod, staticmethod))
        fn = member.__func__ if under else member
        public = not name.startswith("_") or name == "__call__"
        if public and isinstance(fn, FunctionType) and not is_traced(fn):
            setattr(cls, name, trace(member, options))
    return cls
