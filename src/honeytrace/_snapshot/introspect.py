"""Reads of types and instances that run none of the program's code.

`type(x)` instead of `x.__class__`, identity and the MRO instead of `isinstance`, descriptors taken
out of class dictionaries instead of `getattr`: properties, `__getattr__`, metaclasses and lazy
proxies never notice that they were looked at.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from types import GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any

_mro = type.__dict__["__mro__"].__get__
_namespace = type.__dict__["__dict__"].__get__
_qualname = type.__dict__["__qualname__"].__get__
_module = type.__dict__["__module__"].__get__
_module_namespace = vars(ModuleType)["__dict__"].__get__
_LONGEST = 100  # characters of a type's name
_MOST_TYPES = 1_000  # remembered

_DICT_DOC = type("_Any", (), {}).__dict__["__dict__"].__doc__
"""Tells the `__dict__` of a class written in Python from one that an extension type computes."""


def mro_of(kind: type) -> tuple[type, ...]:
    """Return the classes of `kind`, itself first, whatever its metaclass says."""
    return _mro(kind) or (kind,)


def namespace_of(kind: type) -> Any:
    """Return the class dictionary of `kind` (a mapping proxy)."""
    return _namespace(kind)


def type_name(kind: type) -> str:
    """Return the qualified name of a type in ASCII, at most 100 characters."""
    name = str.__str__(_qualname(kind))
    return name[:_LONGEST].encode("ascii", "backslashreplace").decode()


def module_name(kind: type) -> str:
    """Return the name of the module that defines a type; empty when it has none."""
    try:
        name = _module(kind)
    except AttributeError:
        return ""
    return name if type(name) is str else ""


def full_name(kind: type) -> str:
    """Return `module.qualname`, and for builtins the bare name."""
    module = module_name(kind)
    return type_name(kind) if module in ("", "builtins") else f"{module}.{type_name(kind)}"


def is_library_class(kind: type, module: str, name: str) -> bool:
    """Return True if the loaded module `module` holds `kind` under `name`.

    A class of the program may carry any name; only the library's own class may be called.
    """
    loaded = sys.modules.get(module)
    if loaded is None or ModuleType not in mro_of(type(loaded)):
        return False
    return _module_namespace(loaded).get(name) is kind


class ByClass:
    """Results of a function of a class, remembered without its metaclass being asked for a hash."""

    __slots__ = ("_compute", "_known")

    def __init__(self, compute: Callable[[type], Any]) -> None:
        self._compute = compute
        self._known: dict[int, tuple[weakref.ref[type], Any]] = {}

    def __call__(self, kind: type) -> Any:
        known = self._known.get(id(kind))
        if known is not None and known[0]() is kind:
            return known[1]
        found = self._compute(kind)
        if len(self._known) >= _MOST_TYPES:
            self._known.clear()
        self._known[id(kind)] = (weakref.ref(kind), found)
        return found


def _dict_getter(kind: type) -> Any:
    """Return the descriptor of an instance's `__dict__`; None if reading it could run code.

    A property named `__dict__` (proxies written in Python) and the computed one of an extension
    type (wrapt, lazy-object-proxy) would evaluate the object they stand for.
    """
    found: Any = None
    for base in mro_of(kind):
        held = _namespace(base).get("__dict__")
        if held is None or base is type:
            continue
        ordinary = type(held) is GetSetDescriptorType and held.__doc__ == _DICT_DOC
        if not ordinary and base is not BaseException:
            return None
        found = held if found is None else found
    return None if found is None else found.__get__


def _slot_getters(kind: type) -> list[tuple[str, Any]]:
    """Return name and reader of each slot, those of base classes first."""
    return [
        (name, member.__get__)
        for base in reversed(mro_of(kind))
        if "__slots__" in _namespace(base)
        for name, member in list(_namespace(base).items())
        if type(member) is MemberDescriptorType
    ]


_dict_of = ByClass(_dict_getter)
_slots_of = ByClass(_slot_getters)
_name_of = ByClass(type_name)


def stored_dict(value: Any) -> dict[str, Any]:
    """Return the instance's own `__dict__`; empty when there is none that can be read."""
    get = _dict_of(type(value))
    stored = None if get is None else get(value)
    return stored if type(stored) is dict else {}


def stored_slots(value: Any) -> dict[str, Any]:
    """Return the values in the slots of the instance, without unassigned slots."""
    slots: dict[str, Any] = {}
    for name, get in _slots_of(type(value)):
        try:
            slots[name] = get(value)
        except AttributeError:  # noqa: PERF203 - an unset slot
            continue
    return slots


def stored_fields(value: Any) -> dict[str, Any]:
    """Return the values that the instance stores, in slots and `__dict__`, by name."""
    stored = stored_dict(value)
    return {**stored_slots(value), **stored} if _slots_of(type(value)) else dict(stored)


def public_fields(value: Any, kind: type, most: int) -> tuple[list[tuple[str, Any]], int]:
    """Return the type's name and `most` public fields that an instance stores, and how many it has.

    Services have dozens, and they are arguments of call after call.
    """
    fields: list[tuple[str, Any]] = [("__type__", _name_of(kind))]
    size = 1
    stored = stored_fields(value) if _slots_of(kind) else stored_dict(value)
    for name, held in list(stored.items()):
        if type(name) is str and (not name or name[0] != "_"):
            if size < most:
                fields.append((name, held))
            size += 1
    return fields, size


def class_attribute(kind: type, name: str) -> Any:
    """Return the unbound attribute of a class or its bases; None if there is none."""
    for base in mro_of(kind):
        namespace = _namespace(base)
        if name in namespace:
            return namespace[name]
    return None
