"""The exact route of the snapshot: any value as a tree of plain JSON, with secrets masked.

The walk visits at most `WORK` items that are not plain JSON, then notes how much it left out.
Members that are plain JSON go through the fast route at once, as `orjson.Fragment`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from .._base.interrupts import interrupts
from .._base.lazy import orjson
from .containers import Members, Pairs
from .datetimes import is_datetime
from .introspect import type_name
from .limits import (
    CHARACTERS,
    FEW,
    OBJECTS_DEEP,
    OPENING,
    SAYING,
    WORK,
    Limits,
    room_for,
)
from .masking import Masking
from .opaque import type_text
from .plain import PlainMembers, Room, cut_items
from .redact import Label, Redactor, Said, unused
from .rules import Rule, Rules, opened
from .scalars import digits
from .value_rules import RulePass

_PAIR: Final = 2
_CYCLE: Final = "<cycle>"
_LONGEST_KEY: Final = 1_000  # characters of a key that is no str


class Walk:
    """Renders one value as a tree of str, int, float, bool, None, list and dict with str keys.

    Args:
        limits: depth and members of containers.
        rules: how each type is shown.
        masking: masks names and texts.
        plain: takes members that are plain JSON whole.
        strict: raise TypeError for an object that no rule knows.
    """

    __slots__ = (
        *("_active", "_few", "_items", "_limits", "_masking"),
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
        self._limits = limits
        self._rules = rules
        self._masking = masking
        self._plain = plain
        self._strict = strict
        self._active: set[int] = set()  # ids of the containers we are inside of
        self._seen: dict[int, Any] = {}  # objects that were opened, by id, kept alive until the end
        self._objects = 0
        self._few = False
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
            return value if -(2**63) <= value < 2**64 else digits(value)
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
        if depth >= self._limits.max_depth:
            return cut_items(size, f", deeper than {depth}") if size else []
        kept = min(size, self._limits.max_items, FEW if self._few else size)
        if self._plain is not None and not self._few and size:
            out = self._plain.list_json(value, kept, self._limits.max_depth - depth)
            if out is not None:
                return orjson.Fragment(out)
        kept = min(kept, max(self._items, 0))
        return self._members(value[:kept], size, depth)

    def _members(self, members: Any, size: int, depth: int) -> list[Any]:
        items: list[Any] = []
        masking = self._masking
        masking.enter(None)
        secret_next = False
        for item in members:
            if self._items <= 0:
                break
            self._items -= 1
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
        if len(items) < size:
            items.append(cut_items(size - len(items)))
        return items

    def _known(self, value: Any, kind: type, depth: int) -> Any:
        return self._list_of(value, depth) if kind is Members else self._dict_of(value, depth)

    def _list_of(self, members: Members, depth: int) -> Any:
        """Return the first members of a collection; those of a small one are all there."""
        size = members.size
        if size == len(members) or depth >= self._limits.max_depth:
            return self._list(list(members), depth)
        kept = min(self._limits.max_items, FEW if self._few else size, max(self._items, 0))
        return self._members(members[:kept], size, depth)

    def _dict_of(self, pairs: Pairs, depth: int) -> Any:
        if depth >= self._limits.max_depth:
            return cut_items(pairs.size, f", deeper than {depth}") if pairs.size else {}
        kept = min(self._limits.max_items, FEW if self._few else pairs.size)
        return self._fields(pairs[:kept], pairs.size, depth)

    def _dict(self, value: dict[Any, Any], depth: int) -> Any:
        size = len(value)
        if depth >= self._limits.max_depth:
            return cut_items(size, f", deeper than {depth}") if size else {}
        if self._plain is not None and not self._few and 0 < size <= self._limits.max_items:
            out = self._plain.dict_json(value, self._limits.max_depth - depth)
            if out is not None:
                return orjson.Fragment(out)
        kept = min(self._limits.max_items, FEW if self._few else size, max(self._items, 0))
        # At once, since another thread may be changing it.
        return self._fields(list(islice(value.items(), kept)), size, depth)

    def _fields(self, members: list[tuple[Any, Any]], size: int, depth: int) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        done = 0
        masking = self._masking
        for key, item in members:
            if self._items <= 0:
                break
            self._items -= 1
            done += 1
            name = self._key(key, depth)
            kind = type(item)
            if item is None or kind is bool:
                tree[unused(name, tree)] = item
            elif masking.sensitive(name) and masking.hides(name, item, members):
                tree[unused(name, tree)] = masking.mask(name)
            elif kind is float:
                tree[unused(name, tree)] = item
            else:
                masking.enter(name)
                tree[unused(name, tree)] = self.value(item, depth + 1)
                masking.leave()
        if done < size:
            tree[unused("…", tree)] = cut_items(size - done)
        return tree

    def _key(self, key: Any, depth: int) -> str:
        if type(key) is str:
            return self._masking.string(key)
        if type(key) is bytes:
            return self._masking.string(key[:_LONGEST_KEY].decode("latin-1"))
        simple = self.value(key, depth)
        if isinstance(simple, str):
            return simple[:_LONGEST_KEY]
        return self._masking.string(orjson.dumps(simple).decode()[:_LONGEST_KEY])

    # everything else

    def _object(self, value: Any, kind: type, depth: int) -> Any:
        rule = self._rules.of(kind)
        if rule is None or (self._strict and rule is type_text):
            return self._unknown(value, kind, depth)
        if depth >= self._limits.max_depth and not is_datetime(kind):
            return cut_items(1, f", deeper than {depth}")
        return self._shown(value, kind, rule(value), rule, depth)

    def _shown(self, value: Any, kind: type, simpler: Any, rule: Rule, depth: int) -> Any:
        """Return the tree of a rule's result."""
        shape = type(simpler)
        if shape is Label:
            return simpler
        if shape is Said:
            self._items -= SAYING + len(simpler) // CHARACTERS
            return self._masking.said(simpler)
        if simpler is value:
            return self._unknown(value, kind, depth)
        if rule in opened and shape is dict:
            return self._opened(value, kind, simpler, depth)
        if shape is Members or shape is Pairs:
            return self._known(simpler, shape, depth)
        if shape is dict:
            return self._dict(simpler, depth)
        if shape is list or shape is tuple:
            return self._list(simpler, depth)
        return self.value(simpler, depth + 1)

    def _opened(self, value: Any, kind: type, fields: dict[str, Any], depth: int) -> Any:
        """Return the fields of an object, once: in a graph all paths would be written out."""
        if id(value) in self._seen:
            return f"<{type_name(kind)}: shown above>"
        self._items -= OPENING
        if self._items <= 0:
            return cut_items(1)
        before = self._items
        tree = self._fields(
            list(islice(fields.items(), self._limits.max_items)), len(fields), depth
        )
        if before - self._items > FEW:  # a small one is written again where it stands again
            self._seen[id(value)] = value
        return tree

    def _unknown(self, value: Any, kind: type, depth: int) -> Any:
        if self._strict:
            raise TypeError(f"{type_name(kind)} is not JSON")
        if depth >= self._limits.max_depth:
            return cut_items(1, f", deeper than {depth}")
        fields = self._rules.fields(value, kind)
        if len(fields) == 1 or self._objects == OBJECTS_DEEP:
            return {"__type__": type_name(kind)}
        if id(value) in self._seen:
            return f"<{type_name(kind)}: shown above>"
        self._items -= OPENING
        if self._items <= 0:
            return cut_items(1)
        few, self._few = self._few, True
        self._objects += 1
        before = self._items
        try:
            return self._fields(list(islice(fields.items(), FEW)), len(fields), depth)
        finally:
            self._objects -= 1
            self._few = few
            if before - self._items > FEW:
                self._seen[id(value)] = value


def tree_of(
    value: Any,
    limits: Limits,
    redactor: Redactor | None,
    rules: Rules,
    receipt: list[str] | None,
    path: str,
    plain: Callable[[Any, int], bytes | None] | None,
) -> Any:
    """Return the tree of a value, with every rule of the redactor applied."""
    room = Room(2 * limits.max_bytes)
    masking = Masking(redactor, receipt, path, limits, room)
    if redactor is None or not redactor.reads_values:
        members = None if plain is None else PlainMembers(plain, limits, room)
        return Walk(limits, rules, masking, members).value(value, 0)
    tree = Walk(limits, rules, masking).value(value, 0)

    def render(replaced: Any, where: str, notes: list[str]) -> Any:
        inside = Masking(redactor, notes, where, limits, room)
        return Walk(limits, rules, inside, strict=True).value(replaced, 0)

    return RulePass(redactor, receipt, render).value(tree, path, redactor.functions)
