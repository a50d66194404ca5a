"""The meaning of a set of attribute names: the tables and readers that apply, and how they nest.

It follows from names alone, so it is found once for all spans that have the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .nesting import filled, template
from .span import Fields
from .tables import CONVERSATION, HYPERPARAMETERS, RULES

Reader = Callable[["Attributes", Fields], None]


class Shape:
    """The meaning of a set of attribute names.

    conversation: names of ids that group traces, in order of preference.
    rules: `(bucket, key, how its value is written, name)` in order of rank.
    hyperparameters: `(name, key)` of the parameters of a request.
    readers: those of the conventions that the names belong to.
    """

    __slots__ = ("_names", "_templates", "conversation", "hyperparameters", "readers", "rules")

    def __init__(self, names: tuple[str, ...], readers: tuple[Reader, ...]) -> None:
        self._names = names
        self._templates: dict[str, Any] = {}
        self.readers = readers
        known = sorted((*RULES[name], name) for name in names if name in RULES)
        self.rules = tuple(rule[1:] for rule in known)
        self.hyperparameters = tuple(_hyperparameters(names))
        self.conversation = tuple(name for name in CONVERSATION if name in names)

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


def _hyperparameters(names: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    for name in names:
        for prefix in HYPERPARAMETERS:
            if name.startswith(prefix):
                key = name[len(prefix) :]
                # `llm.request.type`, `llm.request.functions.0.name`
                if key != "type" and "." not in key:
                    yield name, key
