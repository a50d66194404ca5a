"""The names of a span's attributes, read once for all spans that have the same names.

An instrumentor writes the same few sets of names again and again, so what follows from names alone
is remembered: which tables and readers apply, and how flattened names nest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .nesting import filled, template
from .span import Fields
from .tables import HYPERPARAMETERS, RULES

MOST = 256
"""Sets of names that are remembered."""
_MOST_CHARACTERS = 8_000
"""Characters of a set that is remembered: together with `MOST`, the bound of the memory."""

Reader = Callable[["Attributes", Fields], None]


class Shape:
    """The meaning of a set of attribute names.

    rules: `(bucket, key, how its value is written, name)` in order of rank.
    hyperparameters: `(name, key)` of the parameters of a request.
    readers: those of the conventions that the names belong to.
    """

    __slots__ = ("_names", "_templates", "hyperparameters", "readers", "rules")

    def __init__(self, names: tuple[str, ...], readers: tuple[Reader, ...]) -> None:
        self._names = names
        self._templates: dict[str, Any] = {}
        self.readers = readers
        known = sorted((*RULES[name], name) for name in names if name in RULES)
        self.rules = tuple(rule[1:] for rule in known)
        self.hyperparameters = tuple(_hyperparameters(names))

    def below(self, prefix: str) -> Any:
        """Return the template of the names below a prefix; None if there are none."""
        try:
            return self._templates[prefix]
        except KeyError:
            names = [name for name in self._names if name.startswith(prefix)]
            found = self._templates[prefix] = template(names, prefix) if names else None
            return found


class Attributes(dict[str, Any]):
    """The attributes that no field has taken yet."""

    __slots__ = ("shape",)
    shape: Shape

    def gather(self, prefix: str) -> Any:
        """Take the attributes below a prefix out and return them nested; None without any."""
        found = self.shape.below(prefix)
        return None if found is None else filled(found, self)


_shapes: dict[tuple[str, ...], Shape] = {}


def shape_of(
    attributes: Iterable[str], readers: Callable[[tuple[str, ...]], tuple[Reader, ...]]
) -> Shape:
    """Return the shape of attributes. `readers` chooses the readers of names that are new."""
    names = tuple(attributes)
    found = _shapes.get(names)
    if found is None:
        found = Shape(names, readers(names))
        if sum(map(len, names)) <= _MOST_CHARACTERS:
            if len(_shapes) >= MOST:
                _shapes.clear()
            _shapes[names] = found
    return found


def _hyperparameters(names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    for name in names:
        for prefix in HYPERPARAMETERS:
            if name.startswith(prefix):
                key = name[len(prefix) :]
                # `llm.request.type`, `llm.request.functions.0.name`
                if key != "type" and "." not in key:
                    yield name, key
