"""The interface of a store: the methods and guarantees of every engine.

The suite in `tests/store/conformance.py` checks every engine against this text.

A store belongs to one tenant, and no call can reach the sessions of another. Any number of store
objects, in any number of processes or on any number of nodes, may use the same engine at once. An
object reads its own writes (an engine with lagging replicas reads from the node it wrote to).

Texts may hold any character, NUL included, and have any length. Half a surrogate pair is no text: a
call with one raises `RecordRefusedError`, unless the engine can answer.

Errors are `StoreError`; its subclasses tell the caller how to react: `RecordRefusedError` (never
storable), `StoreBusyError` and `StoreUnavailableError` (try again later), `StoreFullError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        """Return the record of this id; its JSON parts are byte for byte as stored."""

    def get_many(self, session_ids: Sequence[str]) -> list[Record]:
        """Return the existing records of these ids, in the given order; an id that is given twice
        comes twice."""

    def list(self, query: Query) -> Sequence[Record]:
        """Return the newest sessions that match, at most `query.limit`."""

    def trees(self, root_ids: Sequence[str], most: int) -> Sequence[Record]:
        """Return all sessions of the trees with these roots, in no particular order; if there are
        more than `most`, any `most` of them."""

    def find_ids(self, prefix: str, limit: int = 10) -> Sequence[str]:
        """Return at most `limit` ids with this beginning, in code point order."""

    def outline(self, root_id: str) -> Sequence[Outline]:
        """Return all sessions of the tree with this root, in order of start and then of id, without
        payloads."""


class Store(Reader, Protocol):
    """A store, as the library needs it. Every method may be called from any thread."""

    where: str
    """The name of the store in messages: a path or a URL, never with a password."""

    def insert(self, records: Sequence[Record]) -> None:
        """Add a batch, all or nothing; once this returns, the batch is durable.

        A record whose id is known is merged into the stored one (`_record.merge.merge`), in the
        given order, also if an id occurs twice in the batch. So a redelivery changes nothing, no
        matter how often and through which store object it comes, and does not count as a change for
        `changed`. Updates that were waiting for a session are applied when it arrives, and count as
        a change.

        Raises `RecordRefusedError` if a value can never be stored, `StoreBusyError` or
        `StoreUnavailableError` if the same call may succeed later, otherwise `StoreError`. After an
        error nothing of the batch is stored, with one exception: if the connection was lost before
        the engine's answer, the batch may be stored, and a redelivery does no harm.
        """

    def update(self, updates: Sequence[Update]) -> None:
        """Apply updates in order, all or nothing; raises as `insert` does.

        `MERGED` fields merge by key, `children_ids` appends, every other field replaces;
        `start_time` may move. An update whose session is not known yet is kept and applied when the
        session arrives, through any store object. An update that changes nothing does not count as
        a change for `changed`.
        """

    def waiting(self, session_ids: Sequence[str]) -> Sequence[Update]:
        """Return the updates that wait for these sessions, folded into one for each session. They
        go on waiting."""

    def arrived(self, after: int | None, limit: int = 100) -> Arrivals:
        """Return the next sessions that arrived `after` this place, each as it is now.

        The order is that in which sessions became visible. A session arrives when it ends, so
        followers use this order and not `start_time`. Each session comes once, at a place that
        updates do not move, and none is ever missed, even if writers overlap. None asks for the
        present place, without sessions; 0 is the place before the first session.

        A reply holds `limit` sessions if there are as many, and may hold more, because sessions of
        one place come together. A place beyond the last, or of a file that was replaced, is
        answered with the present place and no sessions: another store is followed from there.
        """

    def changed(self, after: int | None, limit: int = 100) -> Arrivals:
        """Return the next sessions that were changed `after` this place, each once, at its latest
        place and as it is now. Otherwise like `arrived`, whose places are not valid here.

        Changes before the first call may be unknown.
        """

    def values(self, field: Field) -> Sequence[str]:
        """Return the distinct values of a field among the `NEWEST` sessions or more, in code point
        order."""

    def count(self, query: Query, most: int | None = None) -> int:
        """Return the number of sessions that match, or `most` if there are more; `limit` and
        `before` are ignored."""

    def longest(self, query: Query) -> Sequence[Record]:
        """Return the sessions with the longest durations among all that match, at most
        `query.limit`, longest first, in no particular order if they took equally long. Sessions
        without a duration are left out; `before` is ignored."""

    def facets(self, query: Query, newest: int = NEWEST) -> Mapping[Field, Mapping[str, int]]:
        """Return the number of sessions per value of each field, of the `newest` sessions that
        match, most frequent values first, then in code point order.

        `limit` and `before` of the query are ignored. If the counts of a field add up to `newest`,
        older sessions were left out. An engine that counts fast may include all sessions.
        """

    def summary(self, query: Query, newest: int = NEWEST) -> Sequence[NameSummary]:
        """Return figures per name of the `newest` sessions that match, most called first, then by
        name.

        `limit` and `before` of the query are ignored. If the calls add up to `newest`, older
        sessions were left out. An engine that counts fast may include all sessions.
        """

    def overview(
        self, query: Query, buckets: int = 60, newest: int = NEWEST, *, names: bool = True
    ) -> Overview:
        """Return figures of the `newest` sessions that match over time, in equal steps, and with
        `names` also per name as `summary` does.

        The steps reach from `since`, or the oldest session, to `until`, or the newest session. If
        older sessions were left out, the steps begin at the oldest included one. The result is
        empty if no session matches.
        """

    def index(self) -> None:
        """Bring the indexes up to date in advance; queries then find the same sessions faster."""

    def delete(self, *, before: float) -> int:
        """Delete sessions that started before this time (epoch milliseconds), and waiting updates
        received before it; return the number of sessions."""

    def size(self) -> StoreSize:
        """Return the size of the store."""

    def ready(self) -> None:
        """Check that the store answers within seconds and its schema fits. Raises `StoreError`."""

    def for_tenant(self, tenant: str) -> Store:
        """Return the store of another tenant on the same engine; `""` is the default tenant.

        It shares connections with this store, which has to be closed last. A name has at most 64
        letters, digits, `_`, `-` and `.`; any other name raises ConfigurationError.
        """

    def close(self) -> None:
        """Close the connections; later calls raise `StoreError`. Closing twice is fine."""
