"""A batch being delivered: parts, divided until a record that no destination takes stands alone.

A part that fails while others are taken is halved and moved behind them; down to a single record,
which has had its chances after `MOST_STRIKES` of such failures. One of few that nearly all others
leave behind is counted likewise; what is left in larger numbers is a destination that takes no more
just now. While nothing at all is taken the order stays, but for a first record that might be what
stops everything.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence

from .._record.record import Item
from ..sinks._bisect import halves

PATIENCE = 5
"""Failures in a row after which a batch is told apart from its first record."""
MOST_STRIKES = 30
"""So often a record may fail while others are delivered: at a rate of 50 % once in a billion."""


_FEW = 10
"""Up to a tenth of a part is suspected when the others are taken."""


class Part(list[Item]):
    """Records that are tried together. `seen`: how many were delivered at its last failure."""

    def __init__(self, items: Sequence[Item], seen: int) -> None:
        super().__init__(items)
        self.seen = seen
        self.failures = 0


class Batch:
    """Any number of parts, the first of which is tried.

    It may change while a signal handler looks at it, hence the copies.
    """

    def __init__(self) -> None:
        self._parts: deque[Part] = deque()
        self._strikes: Counter[int] = Counter()
        """Failures of an item, by identity, while others were delivered."""

    def __len__(self) -> int:
        return sum(map(len, list(self._parts)))

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __iter__(self) -> Iterator[Item]:
        return (item for part in list(self._parts) for item in part)

    @property
    def part(self) -> Part:
        """The part to try now."""
        return self._parts[0]

    def add(self, items: Sequence[Item], delivered: int) -> None:
        """These come last; `delivered` is how many were by now."""
        if self._parts and not self._parts[-1].failures:
            self._parts[-1].extend(items)
        elif items:
            self._parts.append(Part(items, delivered))

    def settled(self, left: Sequence[Item]) -> list[Item]:
        """Of the part that was tried, these are left; returns those of them that had their chances.

        They are in the batch no more.
        """
        part = self._parts[0]
        if not left and not self._strikes:  # as nearly always
            self._parts.popleft()
            return []
        poison = self._struck(left) if len(left) * _FEW <= len(part) else []
        leaving = set(map(id, part)) - set(map(id, left)) | set(map(id, poison))
        for gone in leaving & self._strikes.keys():
            del self._strikes[gone]
        part[:] = [item for item in left if id(item) not in leaving]
        if not part:
            self._parts.popleft()
        return poison

    def failed(self, delivered: int) -> list[Item]:
        """Nothing of the part that was tried was taken; returns what is given up, as `settled`."""
        part, parts = self._parts[0], self._parts
        alive, part.seen = delivered > part.seen, delivered
        part.failures += 1
        if alive and len(part) > 1:
            parts.popleft()
            parts.extend(Part(half, delivered) for half in halves(part))
        elif alive:
            poison = self._struck(part)
            if poison:
                del self._strikes[id(poison[0])]
                parts.popleft()
            parts.rotate(-1)
            return poison
        elif len(part) > 1 and part.failures % PATIENCE == 0:
            parts[0] = Part(part[1:], delivered)
            parts.appendleft(Part(part[:1], delivered))
        elif part.failures % (4 * PATIENCE) == 0:
            parts.rotate(-1)
        return []

    def _struck(self, items: Sequence[Item]) -> list[Item]:
        self._strikes.update(map(id, items))
        return [item for item in items if self._strikes[id(item)] >= MOST_STRIKES]
