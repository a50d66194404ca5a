"""The exact route of the snapshot: any value as a tree of plain JSON, with secrets masked.

container_walk.py has the lists and dicts of it; this file opens objects.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from .container_walk import ContainerWalk
from .containers import Members, Pairs
from .datetimes import is_datetime
from .introspect import public_fields, type_name
from .limits import (
    CHARACTERS,
    FEW,
    FEWER,
    OBJECT_WORK,
    OBJECTS_DEEP,
    OPENING,
    SAYING,
    WORK,
    Limits,
)
from .masking import Masking
from .opaque import type_text
from .plain import Plain, PlainMembers, Room, cut_items
from .redact import Label, Redactor, Said
from .rules import Rule, Rules, opened
from .value_rules import RulePass


class Walk(ContainerWalk):
    """Renders values of every kind, objects as `Rules` say."""

    __slots__ = ()

    def _object(self, value: Any, kind: type, depth: int) -> Any:
        rule = self._rules.of(kind)
        if rule is None or (self._strict and rule is type_text):
            return self._unknown(value, kind, depth)
        if depth >= self._max_depth and not is_datetime(kind):
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
            self._items -= 2
            return self._known(simpler, shape, depth)
        if shape is dict:
            self._items -= 2
            return self._dict(simpler, depth)
        if shape is list or shape is tuple:
            self._items -= 2
            return self._list(simpler, depth)
        return self.value(simpler, depth + 1)

    def _opened(self, value: Any, kind: type, fields: dict[str, Any], depth: int) -> Any:
        """Return the fields of an object, once: in a graph all paths would be written out."""
        if id(value) in self._seen:
            return f"<{type_name(kind)}: shown above>"
        before = self._work()
        self._items -= OPENING + min(len(fields), WORK)
        if self._items <= 0:
            return cut_items(1)
        tree = self._fields(list(islice(fields.items(), self._max_items)), len(fields), depth)
        if before - self._work() > FEW:  # a small one is written again where it stands again
            self._seen[id(value)] = value
        return tree

    def _unknown(self, value: Any, kind: type, depth: int) -> Any:
        if self._strict:
            raise TypeError(f"{type_name(kind)} is not JSON")
        if depth >= self._max_depth:
            return cut_items(1, f", deeper than {depth}")
        if self._objects == OBJECTS_DEEP:
            return {"__type__": type_name(kind)}
        if id(value) in self._seen:
            return f"<{type_name(kind)}: shown above>"
        if self._items <= 0:
            return cut_items(1)
        few, outermost = self._few, self._objects == 0
        most = few // FEWER if few else FEW
        members, size = public_fields(value, kind, most)
        if size == 1:
            return dict(members)
        before = self._work()
        # An object and all that it leads to share one allowance, besides its own plain fields.
        kept_back = max(0, self._items - OBJECT_WORK) if outermost else 0
        self._few = most
        self._items -= kept_back + OPENING
        self._objects += 1
        try:
            tree = self._small(dict(members), size, depth) if size <= most else None
            return self._fields(members, size, depth, outermost) if tree is None else tree
        finally:
            self._objects -= 1
            self._few = few
            self._items += kept_back
            if before - self._work() > FEW:
                self._seen[id(value)] = value

    def _work(self) -> int:
        """Return the work and the room that are left, in items."""
        return self._items + self._left // CHARACTERS


def tree_of(
    value: Any,
    limits: Limits,
    redactor: Redactor | None,
    rules: Rules,
    receipt: list[str] | None,
    path: str,
    plain: Plain | None,
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
