"""Collections of the standard library, read through their own base type.

A rule returns a list, a tuple or a dict with str keys where it can; otherwise `Members` or `Pairs`,
which hold as many as the walk will look at. No key is hashed again: its `__hash__` is the
program's code.
"""

from __future__ import annotations

import array
import collections
import functools
import types
from collections.abc import Iterable
from gc import get_referents
from itertools import islice
from typing import Any, Final

from .introspect import class_attribute, mro_of, stored_dict, type_name
from .limits import WORK

_NAMED_TUPLE: Final = "_fields"


class Members(list[Any]):
    """The first members of a collection that has `size` of them."""

    __slots__ = ("size",)

    def __init__(self, members: Iterable[Any], size: int) -> None:
        super().__init__(islice(members, WORK))
        self.size = size


class Pairs(list[tuple[Any, Any]]):
    """The first items of a mapping that has `size` of them."""

    __slots__ = ("size",)

    def __init__(self, pairs: Iterable[tuple[Any, Any]], size: int) -> None:
        super().__init__(islice(pairs, WORK))
        self.size = size


def as_mapping(pairs: Iterable[tuple[Any, Any]], size: int) -> Any:
    """Return a dict when all keys are plain str, else `Pairs`."""
    found = Pairs(pairs, size)
    if size <= WORK and all(type(key) is str for key, _ in found):
        return dict(found)
    return found


def dict_items(value: Any) -> Any:
    return as_mapping(dict.items(value), dict.__len__(value))


def list_items(value: Any) -> Any:
    return Members(list.__iter__(value), list.__len__(value))


def tuple_items(value: Any) -> Any:
    names = class_attribute(type(value), _NAMED_TUPLE)
    if type(names) is tuple and all(type(name) is str for name in names):
        return dict(zip(names, tuple.__iter__(value), strict=False))
    return Members(tuple.__iter__(value), tuple.__len__(value))


def deque_items(value: Any) -> Any:
    return Members(collections.deque.__iter__(value), collections.deque.__len__(value))


def set_items(value: Any) -> Any:
    """Return the members in the same order in every process, where they have one."""
    base = frozenset if frozenset in mro_of(type(value)) else set
    members = Members(base.__iter__(value), base.__len__(value))
    kinds = {id(type(member)) for member in members}
    if members.size == len(members) and kinds in ({id(str)}, {id(int)}):
        members.sort()
    return members


def view_items(value: Any) -> Any:
    """Return the members of a view of a dict."""
    kind = type(value)
    return Members(kind.__iter__(value), kind.__len__(value))


def proxied_mapping(value: Any) -> Any:
    """Return the mapping behind a `MappingProxyType` without calling its methods."""
    return get_referents(value)[0]


def chained_maps(value: Any) -> Any:
    maps = stored_dict(value).get("maps")
    return {"__type__": "ChainMap", "maps": maps}


def wrapped_data(value: Any) -> Any:
    """Return the `data` of a `UserDict`, `UserList` or `UserString`."""
    return stored_dict(value).get("data")


def array_items(value: Any) -> Any:
    return Members(array.array.__iter__(value), array.array.__len__(value))


def namespace_fields(value: Any) -> Any:
    fields = object.__getattribute__(value, "__dict__")
    return {"__type__": type_name(type(value)), **fields} if type(fields) is dict else None


def partial_call(value: Any) -> Any:
    """Return a partial's function by name, and its arguments."""
    function, args, keywords = map(_partial, ("func", "args", "keywords"))
    return {
        "__type__": "partial",
        "func": function(value),
        "args": args(value),
        "keywords": keywords(value),
    }


def _partial(name: str) -> Any:
    return functools.partial.__dict__[name].__get__


def slice_parts(value: Any) -> Any:
    return {"__type__": "slice", "start": value.start, "stop": value.stop, "step": value.step}


COLLECTION_RULES: Final[dict[type, Any]] = {
    dict: dict_items,
    list: list_items,
    tuple: tuple_items,
    set: set_items,
    frozenset: set_items,
    collections.deque: deque_items,
    collections.ChainMap: chained_maps,
    collections.UserDict: wrapped_data,
    collections.UserList: wrapped_data,
    collections.UserString: wrapped_data,
    array.array: array_items,
    types.MappingProxyType: proxied_mapping,
    types.SimpleNamespace: namespace_fields,
    functools.partial: partial_call,
    slice: slice_parts,
    **dict.fromkeys(map(type, ({}.keys(), {}.values(), {}.items())), view_items),
    **dict.fromkeys(
        map(type, (collections.OrderedDict().keys(), collections.OrderedDict().values())),
        view_items,
    ),
}
