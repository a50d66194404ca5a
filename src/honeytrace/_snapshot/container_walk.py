"""The containers of the exact route: lists and dicts, member by member, with secrets masked.

Members that are plain JSON go through the fast route at once, as `orjson.Fragment`. Lists, dicts
and scalars that have to be walked, because a secret stands in them, cost nothing but room: they are
cut to `max_bytes`, as everything is. All other values cost work. When the work is used up, the walk
notes how much it left out.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from .._base.interrupts import interrupts
from .._base.lazy import orjson
from .containers import Members, Pairs
from .gate_words import VALUES
from .introspect import type_name
from .limits import (
    WORK,
    Limits,
    room_for,
)
from .masking import Masking
from .plain import PlainMembers, cut_items
from .redact import unused
from .rules import Rules
from .scalars import digits

_PAIR = 2
_CYCLE = "<cycle>"
_LONGEST_KEY = 1_000  # characters of a key that is no str
_KEY = 8  # the work of a key that is no str, besides its members
_WORK = WORK
_LOWEST, _HIGHEST = -(2**63), 2**64


class ContainerWalk:
    """Renders one value as a tree of str, int, float, bool, None, list and dict with str keys.

    Args:
        limits: depth and members of containers.
        rules: how each type is shown.
        masking: masks names and texts.
        plain: takes members that are plain JSON whole.
        strict: raise TypeError for an object that no rule knows.
    """

    __slots__ = (
        *("_active", "_dear", "_few", "_items", "_left", "_masking", "_max_depth", "_max_items"),
        *("_objects", "_plain", "_rules", "_seen", "_strict"),
    )

    def __init__(
        self,
        limits: Limits,
        rules: Rules,
        masking: Masking,
        plain: PlainMembers | None = None,
        *,
        strict: bool = False,
    ) -> None:
        self._max_depth, self._max_items = limits.max_depth, limits.max_items
        self._rules = rules
        self._masking = masking
        self._plain = plain
        self._strict = strict
        self._active: set[int] = set()  # ids of the containers we are inside of
        self._seen: dict[int, Any] = {}  # objects that were opened, by id, kept alive until the end
        self._objects = 0
        self._few = 0  # members of a container inside an object of an unknown type; 0: all
        self._dear = 0  # values that cost work so far
        self._left = limits.max_bytes + limits.max_bytes // 4  # bytes of members that are walked
        # Where a redact function is to see every value, plain JSON is walked, too.
        self._items = WORK if plain is not None else room_for(limits)

    def value(self, value: Any, depth: int) -> Any:
        """Return the tree of a value `depth` containers deep."""
        kind = type(value)
        if kind is str:
            return self._masking.bounded(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return value if _LOWEST <= value < _HIGHEST else digits(value)
        if id(value) in self._active:
            return _CYCLE
        self._active.add(id(value))
        try:
            if kind is list or kind is tuple:
                return self._list(value, depth)
            if kind is dict:
                return self._dict(value, depth)
            if kind is Pairs or kind is Members:
                return self._known(value, kind, depth)
            self._items -= 1
            self._dear += 1
            return self._object(value, kind, depth)
        except BaseException as error:  # the value's own code failed, not the program
            if self._strict or interrupts(error):
                raise
            return f"<{type_name(kind)}: {type_name(type(error))} when recorded>"
        finally:
            self._active.discard(id(value))

    # containers

    def _list(self, value: Any, depth: int) -> Any:
        size = len(value)
        if depth >= self._max_depth:
            return cut_items(size, f", deeper than {depth}") if size else []
        kept = min(size, self._max_items, self._few or size)
        if self._plain is not None and size:
            if self._few:
                small = self._small(value, size, depth)
                if small is not None:
                    return small
            else:
                deep = self._max_depth - depth
                out = self._plain.list_json(value, kept, deep)
                if out is None:
                    out = self._plain.list_in_parts(value, kept, deep, self, depth)
                if out is not None:
                    return orjson.Fragment(out)
        return self._members(value[:kept], size, depth)

    def _small(self, value: Any, size: int, depth: int) -> Any:
        """Return a small plain container inside an object of an unknown type; None for others."""
        if size > self._few or self._items <= 0 or self._plain is None:
            return None
        out = self._plain.small_json(value, self._max_depth - depth, self._few, self._items)
        if out is None:
            return None
        self._items -= self._plain.taken
        return orjson.Fragment(out)

    def _members(self, members: Any, size: int, depth: int) -> list[Any]:
        items = self.visited(members, depth)
        if len(items) < size:
            items.append(cut_items(size - len(items)))
        return items

    def visited(self, members: Any, depth: int) -> list[Any]:
        """Return the trees of the members that there was work and room for."""
        items: list[Any] = []
        masking, dear = self._masking, self._dear
        masking.enter(None)
        secret_next = False
        for item in members:
            if self._items <= 0 or self._left <= 0:
                break
            self._left -= 4
            kind = type(item)
            if item is None or kind is float or kind is bool:
                items.append(item)
                continue
            pair: Any = None
            if kind is str:
                if item[:1] == "-":
                    secret_next = masking.argument(item)
                elif secret_next:
                    pair, secret_next = masking.mask(), False
            elif (kind is tuple or kind is list) and len(item) == _PAIR:
                pair = masking.header(item)
            items.append(self.value(item, depth + 1) if pair is None else pair)
        masking.leave()
        self._charge(len(items), dear)
        return items

    def _charge(self, members: int, dear: int) -> None:
        """Let members cost work if there were values among them that do, or inside an object."""
        if self._few:
            self._items -= members
        elif self._dear != dear:
            self._items -= members // 2

    def _known(self, value: Any, kind: type, depth: int) -> Any:
        return self._list_of(value, depth) if kind is Members else self._dict_of(value, depth)

    def _list_of(self, members: Members, depth: int) -> Any:
        """Return the first members of a collection; those of a small one are all there."""
        size = members.size
        if size == len(members) or depth >= self._max_depth:
            return self._list(list(members), depth)
        kept = min(self._max_items, self._few or size)
        return self._members(members[:kept], size, depth)

    def _dict_of(self, pairs: Pairs, depth: int) -> Any:
        if depth >= self._max_depth:
            return cut_items(pairs.size, f", deeper than {depth}") if pairs.size else {}
        kept = min(self._max_items, self._few or pairs.size)
        return self._fields(pairs[:kept], pairs.size, depth)

    def _dict(self, value: dict[Any, Any], depth: int) -> Any:
        size = len(value)
        if depth >= self._max_depth:
            return cut_items(size, f", deeper than {depth}") if size else {}
        kept = self._few or size
        if size > self._max_items:
            kept = min(kept, self._max_items, _WORK)
        if self._plain is not None and size:
            if self._few:
                small = self._small(value, size, depth)
                if small is not None:
                    return small
            else:
                out = self._plain.dict_json(value, kept, self._max_depth - depth)
                if out is not None:
                    return orjson.Fragment(out)
        # At once, since another thread may be changing it.
        members = list(islice(value.items(), min(kept, _WORK)))
        if kept > _WORK and all(type(key) is str or type(key) is int for key, _ in members):
            members = list(islice(value.items(), kept))  # for other keys there is no work left
        return self._fields(members, size, depth)

    def _fields(
        self, members: list[tuple[Any, Any]], size: int, depth: int, whole: bool = False
    ) -> dict[str, Any]:
        """Return the trees of items by name; `whole`: of all of them, whatever work is left."""
        tree: dict[str, Any] = {}
        done = 0
        masking, dear = self._masking, self._dear
        for key, item in members:
            if (self._items <= 0 and not whole) or self._left <= 0:
                break
            done += 1
            name, sensitive = masking.name(key) if type(key) is str else self._key(key, depth)
            self._left -= len(name) + 8
            free = unused(name, tree) if name in tree else name
            kind = type(item)
            if item is None or kind is bool:
                tree[free] = item
            elif (sensitive and masking.hides(name, item, members)) or (
                name in VALUES and masking.hides_named(item, members)
            ):
                tree[free] = masking.mask(name)
            elif kind is float:
                tree[free] = item
            else:
                masking.enter(name)
                tree[free] = self.value(item, depth + 1)
                masking.leave()
        self._charge(done, dear)
        if done < size:
            tree[unused("…", tree)] = cut_items(size - done)
        return tree

    def _key(self, key: Any, depth: int) -> tuple[str, bool]:
        """Return a key that is no str as text, and whether it may name a secret."""
        if type(key) is not int:
            self._items -= _KEY  # a key is rendered, searched and classified
            self._dear += 1
        if type(key) is bytes:
            return self._masking.name(key[:_LONGEST_KEY].decode("latin-1"))
        simple = self.value(key, depth)
        if isinstance(simple, str):
            name = simple[:_LONGEST_KEY]
            return name, self._masking.sensitive(name)
        return self._masking.name(orjson.dumps(simple).decode()[:_LONGEST_KEY])

    def _object(self, value: Any, kind: type, depth: int) -> Any:
        """Return the tree of a value that is no plain JSON."""
        raise NotImplementedError
