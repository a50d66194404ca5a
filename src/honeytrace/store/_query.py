"""Queries of a store and the types of their results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from .._base.lazy import orjson
from .._record.record import Record
from ..errors import ConfigurationError

__all__ = [
    "COLUMN_OF",
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
"""Number of the newest sessions that figures cover by default, a tenth of a second in SQLite."""

Field = Literal["project", "session_name", "source", "status"]
"""A field that `Store.values` lists the distinct values of."""

COLUMN_OF: dict[Field, str] = {
    "project": "project",
    "session_name": "event_name",
    "source": "source",
    "status": "status",
}
"""The column of each field, in a table of every engine and in a `Record`."""


class _Metric(NamedTuple):
    name: str
    operator: str
    value: float


class Metric(_Metric):
    """A condition on one metric: a number or boolean at the top level of `metrics`; true counts as
    1 and false as 0.

    `operator` is `>`, `>=`, `<`, `<=` or `=`; any other operator raises ConfigurationError.
    """

    __slots__ = ()

    def __new__(cls, name: str, operator: str, value: float) -> Metric:
        if operator not in (">", ">=", "<", "<=", "="):
            raise ConfigurationError(f"a metric is compared by > >= < <= =, not {operator!r}")
        return super().__new__(cls, name, operator, value)

    @classmethod
    def parse(cls, text: str) -> Metric:
        """Parse a condition such as `score<0.5`. Raises ConfigurationError."""
        found = re.fullmatch(r"\s*([^<>=]+?)\s*(>=|<=|>|<|==?)\s*([^\s<>=]+)\s*", text)
        try:
            name, operator, value = found.groups() if found else ("", "", "")
            return cls(name, "=" if operator == "==" else operator, float(value))
        except ValueError:
            raise ConfigurationError(
                f"a metric condition reads like score<0.5, not {text!r}"
            ) from None


class Query(NamedTuple):
    """A query for sessions: every given condition must hold. Times are epoch milliseconds.

    Results come newest first, by `start_time` and then by id in code point order, both descending.
    `before` is the `(start_time, id)` of the last session of the previous page.
    """

    project: str | None = None
    session_name: str | None = None
    source: str | None = None
    status: str | None = None
    error: bool | None = None
    """True: only sessions with an error, even an empty one; False: only sessions without an
    error."""
    since: float | None = None
    until: float | None = None
    """Bounds of a half-open period: `since <= start_time < until`."""
    min_duration: float | None = None
    max_duration: float | None = None
    """Inclusive bounds of the duration in milliseconds; a session without a duration meets
    neither."""
    root_id: str | None = None
    parent_id: str | None = None
    roots_only: bool = False
    user: str | None = None
    """The exact value of any key of `user_properties`, a text or an integer (as text)."""
    metric: Metric | None = None
    text: str | None = None
    """Full text over name, inputs, outputs and error: every term must occur (see `_words.terms`);
    the last word may be the beginning of one, of two letters or more."""
    limit: int = 100
    before: tuple[float, str] | None = None


class Outline(NamedTuple):
    """A session without its payloads, for a tree or a timeline. Times are milliseconds.

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

    @classmethod
    def of(cls, record: Record) -> Outline:
        """Return a record without its payloads."""
        return cls(
            record.event_id,
            record.parent_id,
            record.event_type,
            record.event_name,
            record.status,
            record.start_time,
            record.duration,
            None if record.error is None else record.error[:200],
            orjson.loads(record.children_ids),
        )


class Arrivals(NamedTuple):
    """Sessions that arrived or were changed, in that order, and the place to continue from."""

    records: Sequence[Record]
    last: int
    """A place: opaque, increasing, with gaps. It is valid only for the method, `arrived` or
    `changed`, and the store that returned it."""


class NameSummary(NamedTuple):
    """The sessions of one name: the number of calls, of failures (status `error`), and durations.

    Durations are in milliseconds and cover ended sessions; None if none has ended. A percentile is
    the nearest rank: the smallest duration that p per cent of the sessions did not exceed.
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

    An engine with many tenants may count the bytes of all tenants.
    """

    sessions: int
    bytes: int
