"""Tracing of every kind of callable: functions, descriptors, classes and objects."""

from __future__ import annotations

import warnings
from functools import cached_property, partialmethod, singledispatchmethod
from types import FunctionType, MethodType
from typing import Any

from .._base.lazy import ready
from ..errors import ConfigurationError
from .wrapper import is_traced, trace_function

_REGISTERS = ("delay", "apply_async", "remote", "submit", "invoke", "ainvoke", "starmap")
"""Methods through which tasks, tools and flows call the function registered with them."""


def trace(target: Any, options: dict[str, Any]) -> Any:
    """Return `target` traced. Raises ConfigurationError if it cannot be called.

    Where nothing can be recorded in this interpreter, `target` is returned unchanged.

    options: the keyword arguments of a `Spec`; `session_name` may be None.
    """
    if not ready():
        return target
    if isinstance(target, FunctionType):
        return trace_function(target, options)
    if isinstance(target, (classmethod, staticmethod)):
        base = classmethod if isinstance(target, classmethod) else staticmethod
        return _remade(target, base, trace(target.__func__, options))
    if isinstance(target, property):
        parts = (part and trace(part, options) for part in (target.fget, target.fset, target.fdel))
        return _remade(target, property, *parts, target.__doc__)
    if isinstance(target, (cached_property, partialmethod)):
        target.func = trace(target.func, options)
        return target
    if isinstance(target, type):
        return _trace_class(target, options)
    if isinstance(target, MethodType):
        return MethodType(trace(target.__func__, options), target.__self__)
    return _trace_object(target, options)


def _trace_object(target: Any, options: dict[str, Any]) -> Any:
    if isinstance(target, singledispatchmethod):
        from .proxy import TracedDispatch

        return TracedDispatch(target, options)
    kind = target.__class__  # Celery's lazy proxy returns the class of its target here
    registered = [name for name in _REGISTERS if callable(getattr(kind, name, None))]
    if callable(target):
        from .proxy import traced_callable  # wrapt takes 30 ms to import

        if registered:
            warnings.warn(
                f"@trace_session is above the decorator that made a {kind.__qualname__}: calls by "
                f"its {registered[0]}() are not recorded. Put @trace_session below that decorator.",
                stacklevel=_outside(),
            )
        return traced_callable(target, options)
    raise ConfigurationError(
        f"trace_session takes a function, a method or a class, not {kind.__name__}"
        + (": put @trace_session below the decorator that made it" if registered else "")
    )


def _outside() -> int:
    """Return the stacklevel of the line of the program that uses the decorator."""
    import sys

    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        level, frame = level + 1, frame.f_back
    return level


def _remade(target: Any, base: Any, *parts: Any) -> Any:
    """Return a descriptor of the same class with other functions, and the attributes of this one.

    A subclass of `property` may take other arguments than `property` does, so it is not called.
    """
    made: Any = base.__new__(type(target))
    base.__init__(made, *parts)
    kept = getattr(target, "__dict__", {})
    for name, value in kept.items():
        if name != "__wrapped__":  # `__wrapped__` is the function itself
            made.__dict__.setdefault(name, value)
    return made


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
