"""Figures of sessions by the version of a library, or by commit."""

from __future__ import annotations

from collections.abc import Sequence

from ...lookup.stamps import Code, codes
from ...store import NameSummary, Query, Reader
from ...store._statistics import Figure, summarised

__all__ = ["CODED", "by_code"]

CODED = 1_000
"""Number of sessions, the newest ones, whose code is looked at, which takes a tenth of a second."""


def by_code(store: Reader, query: Query, by: str) -> Sequence[NameSummary]:
    """Return the figures of the newest sessions by `commit`, or by each `version` of a library.

    A session counts for every library that its process had imported.
    """
    records = store.list(query._replace(limit=CODED))
    known = codes(store, records)
    figures: list[Figure] = []
    for each in records:
        code = known.get(each.event_id, Code())
        names = [code.commit] if by == "commit" else code.names()
        rest = (each.start_time, each.duration, each.status, each.event_id)
        figures += [(name, *rest) for name in names if name]
    return summarised(figures, str)
