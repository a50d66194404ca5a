"""A batch being delivered: parts, divided until a record that no destination takes stands alone.

A part that fails while others are taken is halved and moved behind them, down to a single record.
That record is given up after `MOST_STRIKES` such failures. The few records that remain after nearly
all others were taken are counted in the same way. If many remain, the destination takes no more
for now. While nothing at all is taken the order stays the same, except for a first record that may
be the one that stops everything.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence

from .._record.record import Item
from ..sinks._bisect import halves

PATIENCE = 5
"""Failures in a row after which the first record of a batch is tried separately."""
MOST_STRIKES = 30
"""Failures of a record while others are delivered; at a failure rate of 50 %, one in a billion."""


_FEW = 10
"""Share of a part that is suspected when the others are taken: up to a tenth."""


class Part(list[Item]):
    """Records that are tried together. `seen`: number of delivered items at its last failure."""

    def __init__(self, items: Sequence[Item], seen: int) -> None:
        super().__init__(items)
        self.seen = seen
        self.failures = 0


class Batch:
    """A batch of any number of parts; the first one is tried.

    It may change while a signal handler reads it, so readers get copies.
    """

    def __init__(self) -> None:
        self._parts: deque[Part] = deque()
        self._strikes: Counter[int] = Counter()
        """Number of failures of each item, by identity, while others were delivered."""

    def __len__(self) -> int:
        return sum(map(len, list(self._parts)))

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __iter__(self) -> Iterator[Item]:
        return (item for part in list(self._parts) for item in part)

    @property
    def part(self) -> Part:
        """Return the part to try now."""
        return self._parts[0]

    def add(self, items: Sequence[Item], delivered: int) -> None:
        """Append items; `delivered` is the number of items delivered so far."""
        if self._parts and not self._parts[-1].failures:
            self._parts[-1].extend(items)
        elif items:
            self._parts.append(Part(items, delivered))

    def settled(self, left: Sequence[Item]) -> list[Item]:
        """Keep `left` of the part that was tried; return those of them that are given up.

        They are removed from the batch.
        """
        part = self._parts[0]
        if not left and not self._strikes:  # the usual case
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
        """Note that nothing of the part was taken; return the items given up, like `settled`."""
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
