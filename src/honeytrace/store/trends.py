"""Figures of whole periods: calls, failures, durations and tokens over time and by name or user.

A store keeps hourly sums (`Sums`) that add up to any longer period, for any number of sessions.
Durations are counted in classes that are 2 per cent wide, so a percentile is within 1 per cent of
the exact value.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from ._query import Query

__all__ = [
    "DAY",
    "HOUR",
    "By",
    "Model",
    "Period",
    "Step",
    "Sums",
    "Tokens",
    "TrendStore",
    "Trends",
    "class_of",
    "filled",
    "stepped",
]

HOUR = 3_600_000.0
DAY = 24 * HOUR
"""Milliseconds."""

TOLD = 100
"""Number of groups, those with the most calls, that get the id of their slowest session."""

_FEW_DAYS = 4
"""Number of days that are shown hour by hour."""

By = Literal["name", "user"]
"""A grouping of the sessions."""

Model = tuple[str, str]
"""A model and its provider; empty if they were not recorded."""

_WIDTH = math.log(1.02)
_LONGEST = math.ceil(math.log(1e12) / _WIDTH)
"""The last class: eleven days, in microseconds."""
_BITS = 32
_MASK = (1 << _BITS) - 1


class Tokens(NamedTuple):
    """Tokens that the `calls` of one model recorded. `cost` is the recorded cost in US dollars; the
    unpriced tokens are those of calls without a recorded cost."""

    calls: int = 0
    prompt: int = 0
    completion: int = 0
    cached: int = 0
    total: int = 0
    cost: float = 0.0
    unpriced_prompt: int = 0
    unpriced_completion: int = 0
    unpriced_cached: int = 0

    def plus(self, other: Tokens) -> Tokens:
        """Return the sum of both."""
        return Tokens._make(a + b for a, b in zip(self, other, strict=True))


class Sums:
    """Sums over some sessions. `durations` is one integer with a 32-bit count for each class of
    durations, so that two sums are added by one addition."""

    __slots__ = ("calls", "durations", "errors", "slowest", "slowest_id", "tokens")

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0
        self.durations = 0
        self.slowest: float | None = None
        """Milliseconds."""
        self.slowest_id: str | int | None = None
        self.tokens: dict[Model, Tokens] = {}

    def count(self, *, failed: bool, duration: float | None, key: str | int) -> None:
        """Add one session."""
        self.calls += 1
        self.errors += failed
        if duration is not None:
            self.durations += 1 << _BITS * class_of(duration)
            self._slower(duration, key)

    def count_many(
        self, calls: int, errors: int, slot: int | None, slowest: float | None, key: str | None
    ) -> None:
        """Add sessions whose durations are of one class; `slowest` and `key` are the longest."""
        self.calls += calls
        self.errors += errors
        if slot is not None and slowest is not None:
            self.durations += calls << _BITS * slot
            self._slower(slowest, key)

    def spend(self, model: Model, tokens: Tokens) -> None:
        """Add the tokens of some calls of this model."""
        known = self.tokens.get(model)
        self.tokens[model] = tokens if known is None else known.plus(tokens)

    def add(self, other: Sums) -> None:
        """Add the sums of other sessions."""
        self.calls += other.calls
        self.errors += other.errors
        self.durations += other.durations
        if other.slowest is not None:
            self._slower(other.slowest, other.slowest_id)
        for model, tokens in other.tokens.items():
            self.spend(model, tokens)

    def percentiles(self, *wanted: int) -> list[float | None]:
        """Return nearest ranks in milliseconds, for ascending `wanted`; None if no session
        ended."""
        size = -(-self.durations.bit_length() // _BITS)
        counts = memoryview(self.durations.to_bytes(size * 4, sys.byteorder)).cast("I").tolist()
        if sys.byteorder == "big":
            counts.reverse()
        ended = sum(counts)
        found: list[float | None] = []
        ranks = [math.ceil(ended * percent / 100) for percent in wanted]
        seen = 0
        for number, count in enumerate(counts):
            seen += count
            while count and len(found) < len(ranks) and seen >= ranks[len(found)]:
                middle = math.exp((number + 0.5) * _WIDTH) / 1000
                # The slowest duration is known, and no percentile can exceed it.
                found.append(min(middle, self.slowest or middle))
        return [*found, *[None] * (len(ranks) - len(found))]

    def _slower(self, duration: float, key: str | int | None) -> None:
        if self.slowest is None or duration > self.slowest:
            self.slowest, self.slowest_id = duration, key


def class_of(duration: float) -> int:
    """Return the class of a duration in milliseconds."""
    micro = duration * 1000
    return 0 if micro <= 1 else min(_LONGEST, int(math.log(micro) / _WIDTH))


class Step(NamedTuple):
    """The sessions that started in `start <= start_time < end`, in epoch milliseconds."""

    start: float
    end: float
    sums: Sums


class Trends(NamedTuple):
    """All sessions of a period, over time and by name or user."""

    steps: list[Step]
    groups: Mapping[str, Sums]


@runtime_checkable
class TrendStore(Protocol):
    """A store that can add up whole periods."""

    def trends(self, query: Query, by: By, steps: int) -> Trends | None:
        """Return the sessions of a period, in at most `steps` equal steps of whole hours or days,
        and by name or user.

        With `steps` 0 there are no steps, and groups beyond the `TOLD` largest may have their
        calls alone, which is faster. The query may use project, session_name (not by user),
        roots_only, since and until. Returns None for any other condition, or if the sums are too
        far behind.
        """


class Period(NamedTuple):
    """A stretch of time, in epoch milliseconds: `since <= start_time < until`."""

    since: float
    until: float

    @classmethod
    def of(cls, query: Query, oldest: float, newest: float) -> Period:
        """Return the part of the query's period that has sessions, between the starts `oldest` and
        `newest`."""
        since = oldest if query.since is None else max(query.since, oldest)
        until = math.nextafter(newest, math.inf)
        return cls(since, until if query.until is None else min(query.until, until))

    @property
    def unit(self) -> float:
        """Return the shortest useful step for the period: an hour or a day."""
        return DAY if self.until - self.since > _FEW_DAYS * DAY else HOUR


def stepped(cells: Iterable[tuple[float, str, Sums]], unit: float, steps: int) -> Trends:
    """Return sums, each given with a time and a name, combined in steps of so many units."""
    over_time: dict[int, Sums] = {}
    groups: dict[str, Sums] = {}
    for at, name, sums in cells:
        if steps:
            _into(over_time, int(at // unit), sums)
            _into(groups, name, sums)
        elif name in groups:
            groups[name].add(sums)
        else:
            groups[name] = sums
    return Trends(filled(over_time, unit, steps), groups)


def filled(over_time: Mapping[int, Sums], unit: float, steps: int) -> list[Step]:
    """Return sums, each given with the number of its unit of time, as at most so many equal
    steps."""
    if not over_time or not steps:
        return []
    first, last = min(over_time), max(over_time)
    width = math.ceil((last - first + 1) / steps)
    found: list[Step] = []
    for start in range(first, last + 1, width):
        step = Step(start * unit, (start + width) * unit, Sums())
        for number in range(start, start + width):
            if number in over_time:
                step.sums.add(over_time[number])
        found.append(step)
    return found


K = TypeVar("K")


def _into(place: dict[K, Sums], key: K, sums: Sums) -> None:
    if key not in place:
        place[key] = Sums()
    place[key].add(sums)
