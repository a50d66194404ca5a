"""Where sessions live on this machine: one small interface, one engine behind it.

A second engine implements `Store` and nothing else needs to change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from .._record.record import Record, Update
from ..errors import ConfigurationError

__all__ = [
    "Arrivals",
    "Bucket",
    "Field",
    "Metric",
    "NameSummary",
    "Outline",
    "Overview",
    "Query",
    "Reader",
    "Store",
    "StoreSize",
]

NEWEST = 100_000
"""Of so many sessions, the newest, figures are made unless told otherwise: a tenth of a second."""

Field = Literal["project", "session_name", "source", "status"]
"""A field whose distinct values `Store.values` lists."""


class _Metric(NamedTuple):
    name: str
    operator: str
    value: float


class Metric(_Metric):
    """A condition on one metric, a number under this name in `metrics`; true counts as 1.

    `operator` is `>`, `>=`, `<`, `<=` or `=`; any other raises ConfigurationError.
    """

    __slots__ = ()

    def __new__(cls, name: str, operator: str, value: float) -> Metric:
        if operator not in (">", ">=", "<", "<=", "="):
            raise ConfigurationError(f"a metric is compared by > >= < <= =, not {operator!r}")
        return super().__new__(cls, name, operator, value)

    @classmethod
    def parse(cls, text: str) -> Metric:
        """From text as people write it: `score<0.5`. Raises ConfigurationError."""
        found = re.fullmatch(r"\s*([^<>=]+?)\s*(>=|<=|>|<|==?)\s*([^\s<>=]+)\s*", text)
        try:
            name, operator, value = found.groups() if found else ("", "", "")
            return cls(name, "=" if operator == "==" else operator, float(value))
        except ValueError:
            raise ConfigurationError(
                f"a metric condition reads like score<0.5, not {text!r}"
            ) from None


class Query(NamedTuple):
    """Which sessions to list: every given condition must hold. Times are epoch milliseconds.

    Results come newest first (by `start_time`, then id). `before` is the `(start_time, id)` of the
    last one of the previous page.
    """

    project: str | None = None
    session_name: str | None = None
    source: str | None = None
    status: str | None = None
    error: bool | None = None
    """True: only sessions with an error; False: only those without."""
    since: float | None = None
    until: float | None = None
    """Half-open: `since <= start_time < until`."""
    min_duration: float | None = None
    max_duration: float | None = None
    """Milliseconds, both inclusive."""
    root_id: str | None = None
    parent_id: str | None = None
    roots_only: bool = False
    user: str | None = None
    """Exactly a value of `user_properties`, whatever its key: an id, an email, a name, a plan."""
    metric: Metric | None = None
    text: str | None = None
    """Full text over name, inputs, outputs and error: every word must occur; the last one may be
    the beginning of a word, of two letters or more."""
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
    """What arrived or was changed, in that order, and where to go on from."""

    records: Sequence[Record]
    last: int


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
    """How much a store holds: `sessions` rows, `bytes` on disk."""

    sessions: int
    bytes: int


class Reader(Protocol):
    """How sessions are read. Every method may be called from any thread."""

    def get(self, session_id: str) -> Record | None: ...

    def get_many(self, session_ids: Sequence[str]) -> list[Record]:
        """The records of these ids that exist, in the order asked for."""

    def list(self, query: Query) -> Sequence[Record]: ...

    def find_ids(self, prefix: str, limit: int = 10) -> Sequence[str]:
        """Ids that begin so, in order, at most `limit`."""

    def outline(self, root_id: str) -> Sequence[Outline]:
        """All sessions of the tree with this root, in order of start, without payloads."""


class Store(Reader, Protocol):
    """What the library needs of a store. Every method may be called from any thread."""

    def insert(self, records: Sequence[Record]) -> None:
        """Add a batch in one transaction; a record whose id is known is merged (`_record.merge`).

        Raises `StoreError`; then nothing of the batch is stored.
        """

    def update(self, updates: Sequence[Update]) -> None:
        """Apply updates in order, in one transaction.

        One whose session is not known yet is kept and applied when the session arrives.
        """

    def arrived(self, after: int | None, limit: int = 100) -> Arrivals:
        """The next sessions to have arrived `after` this place; None asks for the present one.

        A session arrives when it ends, so this, and not `start_time`, is the order to follow.
        """

    def changed(self, after: int | None, limit: int = 100) -> Arrivals:
        """The next sessions to have been changed `after` this place, as they are now, each once;
        None asks for the present one. A place of `arrived` is none of these.

        What was changed before anybody asked is not known.
        """

    def values(self, field: Field) -> Sequence[str]:
        """The distinct values of a field among the `NEWEST` sessions, in order."""

    def count(self, query: Query) -> int:
        """How many sessions meet the conditions; `limit` and `before` play no part."""

    def summary(self, query: Query, newest: int = NEWEST) -> Sequence[NameSummary]:
        """Figures per name of the `newest` sessions that meet the conditions, most called first.

        `limit` and `before` of the query play no part. Where the calls add up to `newest`, older
        ones were left out.
        """

    def overview(
        self, query: Query, buckets: int = 60, newest: int = NEWEST, *, names: bool = True
    ) -> Overview:
        """Figures over time, in equal steps, and per name as `summary` gives them where `names` are
        wanted, of the `newest` sessions that meet the conditions.

        From `since`, or the oldest of them, to `until`, or the newest; where older ones were left
        out, from the oldest that was not. Nothing when there are none.
        """

    def index(self) -> None:
        """Do ahead what queries would do or go without: they find the same, sooner."""

    def delete(self, *, before: float) -> int:
        """Delete what started before this time (epoch milliseconds); returns how many."""

    def size(self) -> StoreSize: ...

    def close(self) -> None: ...
