"""The parameters of a traced function, and the choice of those that are recorded."""

from __future__ import annotations

from collections.abc import Iterable
from keyword import iskeyword
from opcode import opmap
from types import CodeType, FunctionType
from typing import Any

from ..errors import ConfigurationError

# flags of code objects, as `inspect` names them: https://docs.python.org/3/library/inspect.html
VARARGS, VARKEYWORDS = 0x4, 0x8
_CHANGES_LOCAL = {opmap[name] for name in ("STORE_FAST", "DELETE_FAST")}
_CHANGES_CELL = {opmap[name] for name in ("STORE_DEREF", "DELETE_DEREF")}
_CHANGES_TWO = {opmap.get(f"STORE_FAST_{name}_FAST", -1) for name in ("STORE", "LOAD")}
"""Since 3.13, one instruction may name two variables."""
_FIRST = ("self", "cls", "mcs", "mcls")


def all_free(names: Iterable[str]) -> bool:
    """Return whether the templates can use these parameter names; generated code may have any."""
    return all(
        name.isidentifier() and not (name.startswith("_ht_") or iskeyword(name)) for name in names
    )


def parameters(fn: FunctionType) -> tuple[list[str], str, str]:
    """Return the real parameters of a function, whatever its `__signature__` says.

    The result is the names; the parameter list as source, with None for every default (the real
    defaults are set later); and the arguments that pass every parameter on unchanged. If the
    function lets go of a parameter, the arguments do, too: a large one is freed as early as before.
    """
    plain, rest, named, keywords = _names(fn)
    code = fn.__code__
    first_default = len(plain) - len(fn.__defaults__ or ())
    params = [name if i < first_default else f"{name}=None" for i, name in enumerate(plain)]
    passed = [("", name) for name in plain]
    if code.co_posonlyargcount:
        params.insert(code.co_posonlyargcount, "/")
    if rest:
        params.append(f"*{rest}")
        passed.append(("*", rest))
    elif named:
        params.append("*")
    params += [f"{name}=None" if name in (fn.__kwdefaults__ or ()) else name for name in named]
    passed += [(f"{name}=", name) for name in named]
    if keywords:
        params.append(f"**{keywords}")
        passed.append(("**", keywords))
    names = [name for _, name in passed]
    call = [prefix + name for prefix, name in passed]
    if _lets_go(code):
        cleared = "None"
        for name in names:
            cleared = f"({name} := {cleared})"
        prefix, last = passed[-1]
        call[-1] = f"{prefix}[{last}, {cleared}][0]"  # no longer held here while the function runs
    return names, ", ".join(params), ", ".join(call)


def _lets_go(code: CodeType) -> bool:
    """Return whether a function deletes or rebinds a parameter while it runs.

    It may say so of one that does not: an index above 255 is not told from a small one.
    """
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & VARARGS) + bool(code.co_flags & VARKEYWORDS)
    cells = [name in code.co_varnames[:count] for name in code.co_cellvars]
    for operation, index in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        if operation in _CHANGES_LOCAL and index < count:
            return True
        if operation in _CHANGES_TWO and (index >> 4 < count or index & 15 < count):
            return True
        if operation in _CHANGES_CELL and any(cells):
            return True
    return False


def call_as_tuple(fn: FunctionType) -> str:
    """Return source for the arguments of a call: a tuple and a dict."""
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
    """A callable that returns the inputs by name, for callables that bind arguments themselves.

    `inspect.signature` follows `__wrapped__`, so decorators below leave the names as they are.
    """

    __slots__ = ("_recorded", "_signature")

    def __init__(self, target: Any, options: dict[str, Any]) -> None:
        import inspect  # costs 7 ms; functions do not need it

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
    """Return the parameters to record, or None if no inputs are recorded.

    These are all except a method's `self` or `cls`, or those of `capture_inputs`, without those of
    `ignore_inputs`. Raises ConfigurationError for a name that is not a parameter.
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
