"""Figures of sessions by the value of any field, for `stats --group-by`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from .._record.record import Record
from ..lookup import StoreFamily
from ..lookup.stamps import Code, codes
from ..lookup.usage import Usage, own_usage, total
from ..store import NameSummary, Query, Reader
from ..store._statistics import Figure, summarised
from ._rows import as_cell, field_values
from ._target import pages

__all__ = ["grouped"]


def grouped(
    reader: Reader, query: Query, newest: int, field: str
) -> tuple[list[NameSummary], dict[str, Usage]]:
    """Return figures and usage of the newest sessions by the value of a field, as text.

    Sessions without a value are the group ""; the usage is that of the calls themselves. The
    commit is that of the run, and versions are those of the process.
    """
    family = StoreFamily(reader)
    figures: list[Figure] = []
    usages: dict[str, list[Usage]] = {}
    for record, code in _coded(reader, query, newest, field):
        usage = own_usage(family.load(record))
        group = as_cell(field_values(record, usage, [field], code)[field])
        figures.append((group, record.start_time, record.duration, record.status, record.event_id))
        if usage:
            usages.setdefault(group, []).append(usage)
    found = summarised(figures, lambda event_id: event_id)
    return found, {group: total(each) for group, each in usages.items()}


_AT_ONCE = 1_000


def _coded(
    reader: Reader, query: Query, newest: int, field: str
) -> Iterator[tuple[Record, Mapping[str, Any]]]:
    """Yield the newest sessions, each with its commit and versions if the field is one of them."""
    found = islice(pages(reader, query), newest)
    wanted = field.partition(".")[0] in ("commit", "versions")
    while some := list(islice(found, _AT_ONCE)):
        known = codes(reader, some) if wanted else {}
        for record in some:
            code = known.get(record.event_id, Code())
            told = {"commit": code.commit or None, "versions": dict(code.versions) or None}
            yield record, told if wanted else {}
