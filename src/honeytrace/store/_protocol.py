"""The interface of a store: what the library asks of every engine, and what it may rely on.

The suite in `tests/store/conformance.py` holds every engine to these sentences.

A store belongs to one tenant, and no call can reach the sessions of another. Any number of store
objects, in any number of processes or on any number of nodes, may use the same engine at once. An
object reads what it wrote itself (an engine whose replicas lag reads from where it wrote).

Errors are `StoreError`, and its kinds tell what to do: `RecordRefusedError` (never storable),
`StoreBusyError` and `StoreUnavailableError` (try again later), `StoreFullError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .._record.record import Record, Update
from ._query import (
    NEWEST,
    Arrivals,
    Field,
    NameSummary,
    Outline,
    Overview,
    Query,
    StoreSize,
)

__all__ = ["Reader", "Store"]


class Reader(Protocol):
    """The reading half of a store. Every method may be called from any thread."""

    def get(self, session_id: str) -> Record | None:
        """Return the record of this id, its JSON parts byte for byte as they were stored."""

    def get_many(self, session_ids: Sequence[str]) -> list[Record]:
        """Return the records of these ids that exist, in the order asked for; an id that is asked
        for twice comes twice."""

    def list(self, query: Query) -> Sequence[Record]:
        """Return the newest sessions that meet every condition, at most `query.limit`."""

    def find_ids(self, prefix: str, limit: int = 10) -> Sequence[str]:
        """Return ids that begin so, in code point order, at most `limit`."""

    def outline(self, root_id: str) -> Sequence[Outline]:
        """Return all sessions of the tree with this root, in order of start and then of id, without
        payloads."""


class Store(Reader, Protocol):
    """A store, as the library needs it. Every method may be called from any thread."""

    where: str
    """A name for messages: a path or a URL, never with a password."""

    def insert(self, records: Sequence[Record]) -> None:
        """Add a batch, all or nothing; once this returns, the batch is durable.

        A record whose id is known is merged into the stored one (`_record.merge.merge`), in the
        order given, also where an id stands twice in the batch. So a redelivery changes nothing,
        however often and through whichever store object it comes, and is no change for `changed`.
        Updates that were waiting for a session are applied as it arrives, and are a change.

        Raises `RecordRefusedError` when a value can never be stored, `StoreBusyError` or
        `StoreUnavailableError` when the same call may succeed later, else `StoreError`. Nothing of
        the batch is then stored, unless the connection was lost before the engine's answer: then it
        may be stored, and a redelivery does no harm.
        """

    def update(self, updates: Sequence[Update]) -> None:
        """Apply updates in order, all or nothing; raises as `insert` does.

        `MERGED` fields merge by key, `children_ids` appends, every other field replaces;
        `start_time` may move. An update whose session is not known yet is kept and applied when
        the session arrives, through whichever store object. An update that changes nothing is no
        change for `changed`.
        """

    def arrived(self, after: int | None, limit: int = 100) -> Arrivals:
        """Return the next sessions to have arrived `after` this place, each as it is now.

        Their order is that in which sessions became visible; a session arrives when it ends, so
        this, and not `start_time`, is the order to follow. Each session comes once, at a place that
        updates do not move, and none is ever missed, however writers overlap. None asks for the
        present place, with no sessions; 0 is the place before the first one.

        A reply holds `limit` sessions where there are as many, and may hold more: sessions of one
        place come together. A place beyond the last is answered with the present place: another
        store has taken the place of the one that was followed.
        """

    def changed(self, after: int | None, limit: int = 100) -> Arrivals:
        """Return the next sessions to have been changed `after` this place, each once, at its
        latest place and as it is now; otherwise as `arrived`, whose places mean nothing here.

        Changes before anybody asked may be unknown.
        """

    def values(self, field: Field) -> Sequence[str]:
        """Return the distinct values of a field among the `NEWEST` sessions or more, in code point
        order."""

    def count(self, query: Query) -> int:
        """Return how many sessions meet the conditions; `limit` and `before` play no part."""

    def summary(self, query: Query, newest: int = NEWEST) -> Sequence[NameSummary]:
        """Return figures per name of the `newest` sessions that meet the conditions, most called
        first, then by name.

        `limit` and `before` of the query play no part. Where the calls add up to `newest`, older
        ones were left out. An engine that counts fast may take them all.
        """

    def overview(
        self, query: Query, buckets: int = 60, newest: int = NEWEST, *, names: bool = True
    ) -> Overview:
        """Return figures over time, in equal steps, and per name as `summary` gives them where
        `names` are wanted, of the `newest` sessions that meet the conditions.

        From `since`, or the oldest of them, to `until`, or the newest; where older ones were left
        out, from the oldest that was not. Nothing when there are none.
        """

    def index(self) -> None:
        """Do ahead what queries would do or go without: they find the same, sooner."""

    def delete(self, *, before: float) -> int:
        """Delete sessions that started before this time (epoch milliseconds), and waiting updates
        received before it; return how many sessions."""

    def size(self) -> StoreSize:
        """Return how much the store holds."""

    def ready(self) -> None:
        """Return when the store answers within seconds and its schema fits. Raises `StoreError`."""

    def for_tenant(self, tenant: str) -> Store:
        """Return the store of another tenant on the same engine; `""` is the default tenant.

        It shares connections with this one, which is to be closed last. A name has letters, digits,
        `_`, `-` and `.`, at most 64; any other raises ConfigurationError.
        """

    def close(self) -> None:
        """Close the connections; later calls raise `StoreError`. Closing twice is fine."""
