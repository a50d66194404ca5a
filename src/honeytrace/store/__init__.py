"""Where sessions live on this machine: one small interface, one engine behind it.

A second engine implements `Store` and nothing else needs to change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .._record import Record, Update

__all__ = ["Query", "Reader", "Store", "StoreSize"]


@dataclass(frozen=True)
class Query:
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
    text: str | None = None
    """Full text over name, inputs, outputs and error: every word must occur; the last one may be
    the beginning of a word."""
    limit: int = 100
    before: tuple[float, str] | None = None


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

    def delete(self, *, before: float) -> int:
        """Delete what started before this time (epoch milliseconds); returns how many."""

    def size(self) -> StoreSize: ...

    def close(self) -> None: ...
