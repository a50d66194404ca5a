"""Hot reload: a traced function whose code was exchanged calls the function of the new code.

IPython's autoreload, and tools like it, give the functions of the old module the `__code__` of the
new ones. The closure stays, and with it the decorated function of the old module. Traced functions
therefore carry a generation: how often a function of this name was traced before. The code reads
the field `on_<generation>` of its switch. The switch in the cells is of the generation that the
cells were made for, and any other field of it is a property that exchanges what the cells hold.
This costs a call nothing.
"""

from __future__ import annotations

import sys
from collections import Counter
from types import CellType, CodeType, FunctionType
from typing import Any, Final

from . import registry
from .hooks import Switch, switches
from .parameters import Binder
from .templates import cells_of

_GENERATIONS: Final = 8
"""Switches; after so many reloads the numbers begin anew."""

_FIELD: Final = "on_{}"
_traced_before: Counter[str] = Counter()


def generation_of(target: Any) -> int:
    """Return the generation of a function that is about to be traced."""
    name = f"{getattr(target, '__module__', None)}:{getattr(target, '__qualname__', '')}"
    if "<" in name:  # a function inside another one, or a lambda, is made again by its own code
        return 0
    _traced_before[name] += 1
    return (_traced_before[name] - 1) % _GENERATIONS


def field_of(generation: int) -> str:
    """Return the field of the switch that code of this generation reads."""
    return _FIELD.format(generation)


def switch_of(generation: int) -> Switch:
    """Return the switch of a generation."""
    return switches[generation + 1]


def _exchanged(view: Any) -> bool:
    """Exchange what the cells of the calling function hold, and return whether it records."""
    code = sys._getframe(1).f_code
    try:
        _exchange(code)
    except Exception:  # noqa: BLE001 - the function goes on with the cells it has
        pass
    return switches[0].on


def _exchange(code: CodeType) -> None:
    field = next(name for name in code.co_names if name.startswith("on_"))
    wanted = switch_of(int(field[3:]))
    same = [traced for traced in registry.traced_functions() if traced.__code__ is code]
    cells = [(traced, cells_of(traced)) for traced in same]
    new = next((c for _, c in cells if c["_ht_switch"].cell_contents is wanted), None)
    for traced, held in cells:
        if held["_ht_switch"].cell_contents is not wanted:
            _fill(traced, held, new)
            held["_ht_switch"].cell_contents = wanted


def _fill(traced: FunctionType, held: dict[str, CellType], new: dict[str, CellType] | None) -> None:
    if new is not None:
        for name in ("_ht_fn", "_ht_spec", "_ht_bind"):
            held[name].cell_contents = new[name].cell_contents
        return
    target = traced.__wrapped__  # type: ignore[attr-defined] # from the new function's `__dict__`
    held["_ht_fn"].cell_contents = target
    held["_ht_bind"].cell_contents = Binder(target, {"capture_inputs": True})


def _view(generation: int) -> Switch:
    """Return a switch that has one field of its own."""
    fields: dict[str, Any] = {
        field_of(i): property(_exchanged) for i in range(_GENERATIONS) if i != generation
    }
    fields[field_of(generation)] = vars(Switch)["on"]
    fields |= {"__slots__": (), "__reduce__": lambda self: (switch_of, (generation,))}
    view: Switch = type("Switch", (Switch,), fields)()
    view.on = switches[0].on
    return view


switches.extend(_view(i) for i in range(_GENERATIONS))
