"""The bounds of one snapshot, and the types that need no bound."""

from __future__ import annotations

import datetime
from typing import Final, NamedTuple

from ..errors import ConfigurationError

SCALARS: Final[frozenset[type]] = frozenset(
    (str, int, float, bool, type(None), datetime.datetime, datetime.date)
)
"""Exact types that hold no key and that orjson writes as the exact route would."""


class Limits(NamedTuple):
    """Bounds of one snapshot (the inputs or the outputs of one call).

    max_bytes: of the JSON, at least 64. Cut are strings, longest first; then items; then depth.
    max_depth: nested containers and objects. 1 to 200, since JSON readers stop at a few hundred.
    max_items: members of any one list or object. At least 1.
    """

    max_bytes: int = 1_000_000
    max_depth: int = 64
    max_items: int = 100_000

    def check(self) -> None:
        """Raise ConfigurationError for a bound that cannot hold."""
        for name, low, high in (
            ("max_bytes", 64, 2**40),
            ("max_depth", 1, 200),
            ("max_items", 1, 2**40),
        ):
            if not low <= getattr(self, name) <= high:
                raise ConfigurationError(f"limits: {name} must be {low} to {high}")


def room_for(limits: Limits) -> int:
    """Return how many members are looked at in all.

    A list of lists of one shared list multiplies without end. A JSON value takes two bytes with
    its comma, so not many more than half of `max_bytes` can fit.
    """
    return limits.max_bytes // 2 + 1_000


WORK: Final = 3_000
"""Work in values that are not plain JSON, in items; an object or a text counts as several.

At this size the slowest kinds of value take about 4 ms. Lists, dicts and scalars are not counted,
but where they stand beside values that are.
"""

OPENING: Final = 4
"""The work of opening an object, besides its fields."""

FEW: Final = 32
"""Fields of an object of an unknown type, and members of each container inside it."""

FEWER: Final = 4
"""Divides `FEW` for an object inside an object: graphs of services would unfold."""

OBJECT_WORK: Final = 200
"""The work of an object of an unknown type together with all that it leads to."""

OBJECTS_DEEP: Final = 2
"""Objects of unknown types inside each other: beyond, graphs of services unfold."""

SAYING: Final = 5
"""The work of a text that a value generates, besides its length."""

CHARACTERS: Final = 4
"""Characters of such a text that count as much as one item."""

SHORTEST: Final = 64
"""Bytes that a string keeps, however little room there is."""

CHUNK: Final = 512
"""Members of a long list of plain JSON that are taken at once, until the room is used up."""

TEXT: Final = 64_000
"""Characters of all strings of one snapshot that are searched for secrets, of those that look as
if they held some. What should be searched beyond is left out."""
