"""The parameters of a traced function: how it is called, and which of its inputs are recorded."""

from __future__ import annotations

from collections.abc import Iterable
from keyword import iskeyword
from types import FunctionType
from typing import Any

from ..errors import ConfigurationError

# flags of code objects, as `inspect` names them: https://docs.python.org/3/library/inspect.html
VARARGS, VARKEYWORDS = 0x4, 0x8
_CAUGHT = ("BaseException", "StopIteration", "StopAsyncIteration")
"""Builtins that the templates use."""
_FIRST = ("self", "cls", "mcs", "mcls")


def all_free(names: Iterable[str]) -> bool:
    """Return whether the templates can have parameters of these names; generated code has any."""
    return all(
        name.isidentifier() and not (name.startswith("_ht_") or name in _CAUGHT or iskeyword(name))
        for name in names
    )


def parameters(fn: FunctionType) -> tuple[list[str], str, str]:
    """Return what a function takes, whatever its `__signature__` says.

    The names; the parameter list as source, where None stands for every default (the real ones are
    put in later); and the arguments that pass every parameter on as it came.
    """
    plain, rest, named, keywords = _names(fn)
    code = fn.__code__
    first_default = len(plain) - len(fn.__defaults__ or ())
    params = [name if i < first_default else f"{name}=None" for i, name in enumerate(plain)]
    names, call = list(plain), list(plain)
    if code.co_posonlyargcount:
        params.insert(code.co_posonlyargcount, "/")
    if rest:
        names.append(rest)
        params.append(f"*{rest}")
        call.append(f"*{rest}")
    elif named:
        params.append("*")
    names += named
    params += [f"{name}=None" if name in (fn.__kwdefaults__ or ()) else name for name in named]
    call += [f"{name}={name}" for name in named]
    if keywords:
        names.append(keywords)
        params.append(f"**{keywords}")
        call.append(f"**{keywords}")
    return names, ", ".join(params), ", ".join(call)


def call_as_tuple(fn: FunctionType) -> str:
    """Return source for what a function was called with: a tuple, and a dict."""
    plain, rest, named, keywords = _names(fn)
    args = "".join(f"{name}, " for name in plain) + (f"*{rest}, " if rest else "")
    kwargs = [f"{name!r}: {name}" for name in named]
    if keywords:
        kwargs.append(f"**{keywords}")
    return f"({args}), {{{', '.join(kwargs)}}}"


def _names(fn: FunctionType) -> tuple[list[str], str | None, list[str], str | None]:
    """Return the names of positional parameters, `*args`, keyword-only ones, and `**kwargs`."""
    code = fn.__code__
    count, end = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    names, rest = code.co_varnames, None
    after = end
    if code.co_flags & VARARGS:
        rest = names[after]
        after += 1
    keywords = names[after] if code.co_flags & VARKEYWORDS else None
    return list(names[:count]), rest, list(names[count:end]), keywords


class Binder:
    """Gives the inputs by name of a callable that binds its arguments itself.

    `inspect.signature` follows `__wrapped__`, so decorators below leave the names as they are.
    """

    __slots__ = ("_recorded", "_signature")

    def __init__(self, target: Any, options: dict[str, Any]) -> None:
        import inspect  # 7 ms that functions do not need

        try:
            self._signature = inspect.signature(target)
        except (TypeError, ValueError):  # some builtins have none
            self._signature = inspect.signature(lambda *args, **kwargs: None)
        self._recorded = recorded(target, list(self._signature.parameters), options)

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
        if self._recorded is None:
            return None
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:  # the call raises it, or a decorator below takes other arguments
            return {"args": args, "kwargs": kwargs}
        bound.apply_defaults()
        return {name: bound.arguments[name] for name in self._recorded}


def recorded(target: Any, names: list[str], options: dict[str, Any]) -> list[str] | None:
    """Return the parameters to record; None for none.

    All but a method's `self` or `cls`, or those of `capture_inputs`, without `ignore_inputs`.
    Raises ConfigurationError for a name that is no parameter.
    """
    wanted, ignored = options["capture_inputs"], options.get("ignore_inputs") or frozenset()
    if wanted is False:
        return None
    qualname = getattr(target, "__qualname__", "")
    named = wanted if isinstance(wanted, frozenset) else frozenset()
    for option, given in (("capture_inputs", named), ("ignore_inputs", ignored)):
        unknown = sorted(given - set(names))
        if unknown:
            raise ConfigurationError(
                f"{option} names {unknown}, but the parameters of {qualname} are {names}"
            )
    if named or isinstance(wanted, frozenset):
        return [name for name in names if name in named and name not in ignored]
    in_class = "." in qualname.rpartition("<locals>.")[2]
    first = 1 if in_class and names and names[0] in _FIRST else 0
    return [name for name in names[first:] if name not in ignored]
