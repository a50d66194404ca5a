"""The source of the functions that stand in for decorated ones, and their compilation.

Every name of honeytrace in a template is a free variable, held in the cells of the function's
closure. Its globals are those of the decorated function: annotations resolve as before, and tools
that reload code can exchange the decorated function for an undecorated one and back.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from types import CellType, CodeType, FunctionType
from typing import Any, Final

PLAIN: Final = """\
{define} {name}({params}):
    if not _ht_switch.on:
        return {await_}_ht_fn({call})
    _ht_outer = _ht_get()
    if _ht_outer is not None and _ht_outer.off:
        return {await_}_ht_fn({call})
    _ht_s = None
    try:
        _ht_s = _ht_begin(_ht_spec, _ht_outer, {bound})
        return _ht_done(_ht_s, {await_}_ht_fn({call}), _ht_outer)
    except _ht_Raised as _ht_exc:
        _ht_fail(_ht_s, _ht_exc, _ht_outer)
        raise
    _ht_bind
"""

GENERATOR_STEPS: Final = """\
def {name}({params}):
    _ht_outer = _ht_get()
    _ht_off = not _ht_switch.on or _ht_outer is not None and _ht_outer.off
    _ht_stream = (_ht_Bystander if _ht_off else _ht_Stream)(_ht_spec, _ht_outer, {bound})
    try:
        _ht_gen = _ht_fn({call})
        _ht_step, _ht_in = _ht_gen.send, None
        while True:
            try:
                _ht_stream.resume()
                _ht_item = _ht_step(_ht_in)
                _ht_stream.suspend(_ht_item)
            except _ht_Stop as _ht_stop:
                _ht_stream.returned(_ht_stop.value)
                return _ht_stop.value
            except _ht_Raised as _ht_exc:
                _ht_in = None
                _ht_stream.raised(_ht_exc)
                raise
            try:
                _ht_in = yield _ht_item
                _ht_step = _ht_gen.send
            except _ht_Raised as _ht_exc:
                _ht_step, _ht_in = _ht_gen.throw, _ht_thrown(_ht_exc)
    except _ht_Raised as _ht_exc:
        _ht_stream.raised(_ht_exc)
        raise
    _ht_bind
"""

ASYNC_STEPS: Final = """\
async def {name}({params}):
    _ht_outer = _ht_get()
    _ht_off = not _ht_switch.on or _ht_outer is not None and _ht_outer.off
    _ht_stream = (_ht_Bystander if _ht_off else _ht_Stream)(_ht_spec, _ht_outer, {bound})
    try:
        _ht_gen = _ht_fn({call})
        _ht_step, _ht_in = _ht_first(_ht_gen), None
        while True:
            try:
                _ht_stream.resume()
                _ht_item = await _ht_step(_ht_in)
                _ht_stream.suspend(_ht_item)
            except _ht_AsyncStop:
                _ht_stream.returned(None)
                return
            except _ht_Raised as _ht_exc:
                _ht_in = None
                _ht_stream.raised(_ht_exc)
                raise
            try:
                _ht_in = yield _ht_item
                _ht_step = _ht_gen.asend
            except _ht_Raised as _ht_exc:
                _ht_step, _ht_in = _ht_gen.athrow, _ht_thrown(_ht_exc)
    except _ht_Raised as _ht_exc:
        _ht_stream.raised(_ht_exc)
        raise
    _ht_bind
"""
# The outer `try` of the generators is for an interrupt between two steps. It also sees every other
# exception, but ending a session twice changes nothing.
# The last line of each template never runs. It makes `_ht_bind` a free variable of all of them, so
# that two functions of one template have the same cells.

_SWITCH: Final = "_ht_switch"
_numbers = count(1)


def is_wrapper(code: CodeType) -> bool:
    """Return whether code was compiled from a template."""
    return _SWITCH in code.co_freevars


def cells_of(traced: FunctionType) -> dict[str, CellType]:
    """Return the cells of a function that was compiled from a template, by name."""
    return dict(zip(traced.__code__.co_freevars, traced.__closure__ or (), strict=True))


def code_of(template: str, free: frozenset[str], on: str, target: Any, **parts: str) -> CodeType:
    """Return the code of the function that stands in for `target`.

    Args:
        template: one of the three above.
        free: names of honeytrace that the templates use.
        on: name of the switch's field; see reload.py.
        target: the callable whose name profilers and tracebacks show.
        parts: text for the template's fields.
    """
    code = _compile(template.format(name="_ht_traced", **parts), free)
    names = tuple(on if name == "on" else name for name in code.co_names)
    shown: dict[str, Any] = {"co_name": getattr(target, "__name__", type(target).__name__)}
    if hasattr(code, "co_qualname"):  # since 3.11
        shown["co_qualname"] = getattr(target, "__qualname__", shown["co_name"])
    return code.replace(co_names=names, **shown)


@lru_cache(maxsize=4096)
def _compile(source: str, free: frozenset[str]) -> CodeType:
    """Return the code of a template's function; tracebacks and debuggers can show its lines."""
    import linecache  # imports tokenize

    # `warnings.warn(stacklevel=2)` skips frames of files with both words in the name. The warning
    # is then attributed to the caller, as without tracing; otherwise filters would hide it.
    filename = f"<honeytrace {next(_numbers)}: skipped by warnings as importlib._bootstrap is>"
    source = f"def _ht_make({', '.join(sorted(free))}):\n{textwrap.indent(source, '    ')}"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    made = _inner(compile(source, filename, "exec"))
    return _inner(made)


def _inner(code: CodeType) -> CodeType:
    return next(const for const in code.co_consts if isinstance(const, CodeType))


def function_of(
    code: CodeType, shared: Mapping[str, CellType], own: dict[str, Any], space: dict[str, Any]
) -> FunctionType:
    """Return a function with these globals; `own` values get cells, others share theirs."""
    cells = (CellType(own[name]) if name in own else shared[name] for name in code.co_freevars)
    return FunctionType(code, space, closure=tuple(cells))
