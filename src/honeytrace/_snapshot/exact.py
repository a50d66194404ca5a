"""The exact route of the snapshot: any value as a tree of plain JSON, then cut to size."""

from __future__ import annotations

import datetime
from typing import Any, Final

import orjson

from .._interrupts import interrupts
from .limits import SCALARS, Limits, room_for
from .redact import Said, unused
from .simplify import bounded_repr, plain_object, simplifier, type_name

_OBJECTS_DEEP: Final = 3  # plain objects inside plain objects: beyond, graphs of services unfold
_FLAT: Final = SCALARS | {datetime.time}  # as the fast route has it, no level of its own
_SHORTEST: Final = 64  # characters a string keeps before whole items are cut


class Cut(str):
    """The marker in place of what was left out, which remembers how many items."""

    __slots__ = ("items",)
    items: int

    @classmethod
    def of(cls, items: int, why: str = "") -> Cut:
        marker = cls(f"…[cut {items} items{why}]")
        marker.items = items
        return marker


class Walk:
    """Renders one value as a tree of str, int, float, bool, None, list and dict with str keys."""

    __slots__ = ("_active", "_limits", "_objects", "_room")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._active: set[int] = set()  # ids of the containers we are inside of
        self._objects = 0
        self._room = room_for(limits)

    def value(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return value if value.isascii() else _utf8(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**64 else _digits(value)
        if id(value) in self._active:
            return "<cycle>"
        self._active.add(id(value))
        try:
            return self._compound(value, kind, depth)
        except BaseException as error:  # the value's own code failed, not the program
            if interrupts(error):
                raise
            return f"<{type_name(kind)}: {type_name(type(error))} when recorded>"
        finally:
            self._active.discard(id(value))

    def _compound(self, value: Any, kind: type, depth: int) -> Any:
        if kind is list or kind is tuple:
            return self._list(value, depth)
        if kind is dict:
            return self._dict(value, depth)
        if issubclass(kind, str):
            return self.value(str.__str__(value), depth)
        if issubclass(kind, int):
            return self.value(int.__int__(value), depth)
        if issubclass(kind, float):
            return float.__float__(value)
        return self._object(value, kind, depth)

    def _object(self, value: Any, kind: type, depth: int) -> Any:
        if depth >= self._limits.max_depth and kind not in _FLAT:
            return Cut.of(1, f", deeper than {depth}")
        rule = simplifier(kind)
        if rule is not plain_object:
            return self._step(rule(value), depth)
        if self._objects == _OBJECTS_DEEP:
            return bounded_repr(value)
        self._objects += 1
        try:
            return self._step(plain_object(value), depth)
        finally:
            self._objects -= 1

    def _step(self, simpler: Any, depth: int) -> Any:
        if type(simpler) is Said:
            return simpler
        same_level = type(simpler) in (dict, list, tuple)
        return self.value(simpler, depth if same_level else depth + 1)

    def _list(self, value: Any, depth: int) -> Any:
        if depth >= self._limits.max_depth:
            return Cut.of(len(value), f", deeper than {depth}") if value else []
        kept = self._keep(len(value))
        items = [self.value(item, depth + 1) for item in value[:kept]]
        if kept < len(value):
            items.append(Cut.of(len(value) - kept))
        return items

    def _dict(self, value: dict[Any, Any], depth: int) -> Any:
        if depth >= self._limits.max_depth:
            return Cut.of(len(value), f", deeper than {depth}") if value else {}
        members = list(value.items())  # at once, since another thread may be changing it
        kept = self._keep(len(members))
        tree: dict[str, Any] = {}
        for key, item in members[:kept]:
            tree[unused(self._key(key, depth), tree)] = self.value(item, depth + 1)
        if kept < len(members):
            tree[unused("…", tree)] = Cut.of(len(members) - kept)
        return tree

    def _keep(self, size: int) -> int:
        kept = min(size, self._limits.max_items, max(self._room, 0))
        self._room -= kept
        return kept

    def _key(self, key: Any, depth: int) -> str:
        if type(key) is str:
            return _utf8(key)
        simple = self.value(key, depth)
        return simple if isinstance(simple, str) else Said(orjson.dumps(simple).decode())


def _utf8(text: str) -> str:
    """`text` with lone surrogates written out (`\\ud800`), since UTF-8 has no bytes for them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _digits(number: int) -> str:
    """An int beyond 64 bits as text: as a JSON number most readers would round it."""
    try:
        return str(number)
    except ValueError:  # sys.set_int_max_str_digits
        return f"{hex(number)[:64]}…[{number.bit_length()} bits]"


def fit(tree: Any, room: int) -> bytes:
    """`tree` as JSON in at most `room` bytes: long strings go first, then items, then depth."""
    out = _write(tree)
    if len(out) <= room:
        return out
    whole = len(out)
    sizes = _strings(tree)
    longest = _longest(sizes, room - (whole - sum(sizes)))
    items = _widest(tree)
    depth = 256
    while depth:
        out = _write(_prune(tree, longest, items, depth))
        if len(out) <= room:
            return out
        if longest > _SHORTEST:
            longest = _SHORTEST
        elif items > 1:
            items = min(items - 1, items * room // len(out)) or 1
        else:
            depth = min(depth // 2, 16)
    return orjson.dumps(f"…[cut {whole} bytes]")


def _write(tree: Any) -> bytes:
    return orjson.dumps(tree, option=orjson.OPT_NON_STR_KEYS)  # for keys that are Said


def _strings(tree: Any) -> list[int]:
    """The JSON size of every string value."""
    sizes: list[int] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            sizes.append(len(orjson.dumps(node)))
        elif type(node) is list:
            stack.extend(node)
        elif type(node) is dict:
            stack.extend(node.values())
    return sizes


def _longest(sizes: list[int], room: int) -> int:
    """The largest bound such that all strings, each cut to it, take `room` bytes."""
    sizes.sort()
    for i, size in enumerate(sizes):
        if size * (len(sizes) - i) > room:
            return max(room // (len(sizes) - i), _SHORTEST)
        room -= size
    return sizes[-1] if sizes else _SHORTEST


def _widest(tree: Any) -> int:
    widest, stack = 1, [tree]
    while stack:
        node = stack.pop()
        if type(node) is list or type(node) is dict:
            widest = max(widest, len(node))
            stack.extend(node.values() if isinstance(node, dict) else node)
    return widest


def _prune(node: Any, longest: int, items: int, depth: int) -> Any:
    if isinstance(node, str):
        return node if isinstance(node, Cut) else _shorten(node, longest)
    if type(node) is list:
        if node and not depth:
            return Cut.of(len(node))
        kept = [_prune(item, longest, items, depth - 1) for item in node[:items]]
        return kept if len(node) <= items else [*kept, Cut.of(_left_out(node[items:]))]
    if type(node) is dict:
        if node and not depth:
            return Cut.of(len(node))
        members = list(node.items())
        tree: dict[str, Any] = {}
        for key, item in members[:items]:
            tree[unused(_shorten(key, longest), tree)] = _prune(item, longest, items, depth - 1)
        if len(members) > items:
            tree[unused("…", tree)] = Cut.of(_left_out([v for _, v in members[items:]]))
        return tree
    return node


def _left_out(rest: list[Any]) -> int:
    last = rest[-1]
    return len(rest) - 1 + last.items if isinstance(last, Cut) else len(rest)


def _shorten(text: str, size: int) -> str:
    """`text` in about `size` bytes of JSON, the marker included."""
    have = len(orjson.dumps(text))
    if have <= size:
        return text
    kept = len(text)
    while kept and have > size:
        kept = min(kept - 1, kept * max(size - 32, 0) // have)
        have = len(orjson.dumps(text[:kept])) + 32
    return f"{text[:kept]}…[cut {len(text) - kept} characters]"
