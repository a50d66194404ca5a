"""Figures of sessions by the value of any field, for `stats --group-by`."""

from __future__ import annotations

from itertools import islice

from ..lookup import StoreFamily
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

    Sessions without a value are the group ""; the usage is that of the calls themselves.
    """
    family = StoreFamily(reader)
    figures: list[Figure] = []
    usages: dict[str, list[Usage]] = {}
    for record in islice(pages(reader, query), newest):
        usage = own_usage(family.load(record))
        group = as_cell(field_values(record, usage, [field])[field])
        figures.append((group, record.start_time, record.duration, record.status, record.event_id))
        if usage:
            usages.setdefault(group, []).append(usage)
    found = summarised(figures, lambda event_id: event_id)
    return found, {group: total(each) for group, each in usages.items()}
