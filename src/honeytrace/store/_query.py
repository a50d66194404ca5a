"""Questions to a store and the shapes of its answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from .._record.record import Record
from ..errors import ConfigurationError

__all__ = [
    "NEWEST",
    "Arrivals",
    "Bucket",
    "Field",
    "Metric",
    "NameSummary",
    "Outline",
    "Overview",
    "Query",
    "StoreSize",
]

NEWEST = 100_000
"""Sessions, the newest, that figures are made of by default: a tenth of a second in SQLite."""

Field = Literal["project", "session_name", "source", "status"]
"""A field whose distinct values `Store.values` lists."""


class _Metric(NamedTuple):
    name: str
    operator: str
    value: float


class Metric(_Metric):
    """A condition on one metric: the number or boolean at the top level of `metrics` under this
    name; true counts as 1 and false as 0.

    `operator` is `>`, `>=`, `<`, `<=` or `=`; any other raises ConfigurationError.
    """

    __slots__ = ()

    def __new__(cls, name: str, operator: str, value: float) -> Metric:
        if operator not in (">", ">=", "<", "<=", "="):
            raise ConfigurationError(f"a metric is compared by > >= < <= =, not {operator!r}")
        return super().__new__(cls, name, operator, value)

    @classmethod
    def parse(cls, text: str) -> Metric:
        """Read a condition as people write it: `score<0.5`. Raises ConfigurationError."""
        found = re.fullmatch(r"\s*([^<>=]+?)\s*(>=|<=|>|<|==?)\s*([^\s<>=]+)\s*", text)
        try:
            name, operator, value = found.groups() if found else ("", "", "")
            return cls(name, "=" if operator == "==" else operator, float(value))
        except ValueError:
            raise ConfigurationError(
                f"a metric condition reads like score<0.5, not {text!r}"
            ) from None


class Query(NamedTuple):
    """A question for sessions: every given condition must hold. Times are epoch milliseconds.

    Results come newest first, by `start_time` and then by id in code point order, both descending.
    `before` is the `(start_time, id)` of the last session of the previous page.
    """

    project: str | None = None
    session_name: str | None = None
    source: str | None = None
    status: str | None = None
    error: bool | None = None
    """True: only sessions with an error, an empty one included; False: only those without."""
    since: float | None = None
    until: float | None = None
    """Half-open: `since <= start_time < until`."""
    min_duration: float | None = None
    max_duration: float | None = None
    """Milliseconds, both inclusive; a session without a duration meets neither."""
    root_id: str | None = None
    parent_id: str | None = None
    roots_only: bool = False
    user: str | None = None
    """Exactly a value of `user_properties`, a text or an integer (as text), whatever its key."""
    metric: Metric | None = None
    text: str | None = None
    """Full text over name, inputs, outputs and error: every term must occur (see `_words.terms`);
    the last word may be the beginning of one, of two letters or more."""
    limit: int = 100
    before: tuple[float, str] | None = None


class Outline(NamedTuple):
    """A session without its payloads: what a tree or a timeline draws. Times are milliseconds.

    The fields are those of a `RecordedSession`; `error` is its first 200 characters.
    """

    session_id: str
    parent_id: str | None
    event_type: str
    session_name: str
    status: str
    start_time: float
    duration: float | None
    error: str | None
    children_ids: list[str]


class Arrivals(NamedTuple):
    """Sessions that arrived or were changed, in that order, and the place to go on from."""

    records: Sequence[Record]
    last: int
    """A place: opaque, increasing, with gaps. Only `arrived` or `changed` of the same store, the
    one that returned it, understands it."""


class NameSummary(NamedTuple):
    """The sessions of one name: how many, how many failed (status `error`), and how long they took.

    Durations are milliseconds, of those that have ended; None when none has. A percentile is the
    nearest rank: the smallest duration that p per cent of the sessions did not exceed.
    """

    session_name: str
    calls: int
    errors: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None
    slowest_id: str | None


class Bucket(NamedTuple):
    """The sessions that started in `start <= start_time < end`; fields as in `NameSummary`."""

    start: float
    end: float
    calls: int
    errors: int
    p50: float | None
    p95: float | None


class Overview(NamedTuple):
    """The same sessions over time and by name."""

    buckets: Sequence[Bucket]
    names: Sequence[NameSummary]


class StoreSize(NamedTuple):
    """The size of a store: `sessions` rows, `bytes` on disk.

    An engine for many tenants may count the bytes of all of them.
    """

    sessions: int
    bytes: int
