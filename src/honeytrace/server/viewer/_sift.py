"""Conditions that no engine knows: marks, versions and models, tried on the newest sessions.

Marks and versions come from other runs, and the model of a run from the calls inside it. So the
newest sessions that meet the other conditions are read and tried one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..._record.record import Record
from ...errors import ConfigurationError
from ...lookup.marks import KINDS, Marker, Marks, kinds_of
from ...lookup.stamps import Code, Version, codes
from ...store import Query, Reader
from .._http import bad_request
from ._filters import Filters
from ._usage import UNKNOWN, Figures, list_figures

__all__ = ["MARK_NAMES", "Sifted", "check", "marks_of", "sift"]

_LOOKED_AT = 300
"""Number of sessions that are tried, which takes a tenth of a second."""

_WITH_FIGURES = 150
"""The same for a model: the calls inside of each session are read."""

_ROOM = 1_500
"""Calls that are read for the marks of a page, in some hundredths of a second. On a page of large
runs, or of runs far apart, the last ones are held against fewer earlier runs, or none."""

_TRIED = 5_000
"""The same for a condition on marks."""

_TOGETHER = 75
"""Sessions of which marks are looked for at once."""

ANY = "any"
"""The condition that a run has a mark, whichever it is."""

MARK_NAMES: Mapping[str, str] = {
    "loop": "loop",
    "retries": "retry storm",
    "swallowed": "swallowed error",
    "slow": "slow",
    "tokens": "many tokens",
    "new": "new path",
}
"""Kinds of marks as people read them."""


class Sifted(NamedTuple):
    """Sessions that meet every condition, and the last one that was tried if there are more."""

    records: Sequence[Record]
    looked_at: int
    rest: Record | None
    marks: Mapping[str, Marks] | None = None
    """The marks of these sessions, if there was a condition on marks."""


def marks_of(reader: Reader, records: Sequence[Record], room: int = _ROOM) -> Mapping[str, Marks]:
    """Return the marks of the runs of some sessions, by the id of the session."""
    return Marker(reader, room).of(records)


def sift(reader: Reader, filters: Filters, query: Query, enough: int = _LOOKED_AT) -> Sifted:
    """Return the newest sessions that match a query and meet the conditions that no engine knows.

    enough: sessions of which marks need not be looked for any more, once more than these have some.
    Raises RefusedError for an invalid condition.
    """
    mark, version = filters.mark, check(filters)
    most = _WITH_FIGURES if filters.model else _LOOKED_AT
    tried = reader.list(query._replace(limit=most))
    met: Sequence[Record] = tried
    if version is not None:
        known = codes(reader, met)
        met = [each for each in met if version.met(known.get(each.event_id, Code()))]
    if filters.model:
        figures = list_figures(reader, met)
        met = [each for each in met if _used(figures.get(each.event_id, UNKNOWN), filters.model)]
    rest = tried[-1] if len(tried) == most else None
    if not mark:
        return Sifted(met, len(tried), rest)
    marker, marks, marked = Marker(reader, _TRIED), dict[str, Marks](), list[Record]()
    looked_at = len(tried)
    for at in range(0, len(met), _TOGETHER):
        some = met[at : at + _TOGETHER]
        marks |= marker.of(some)
        marked += [each for each in some if _marked(kinds_of(each, marks[each.event_id]), mark)]
        if len(marked) > enough:
            looked_at = tried.index(some[-1]) + 1
            break
    return Sifted(marked, looked_at, rest, marks)


def check(filters: Filters) -> Version | None:
    """Return the condition on the version; raises RefusedError for an invalid condition."""
    if filters.mark and filters.mark not in (ANY, *KINDS):
        raise bad_request(f"the marks are any, {', '.join(KINDS)}, not {filters.mark!r}")
    try:
        return Version.parse(filters.version) if filters.version else None
    except ConfigurationError as error:
        raise bad_request(str(error)) from None


def _used(figures: Figures, model: str) -> bool:
    return model in figures.models


def _marked(kinds: Sequence[str], mark: str) -> bool:
    return bool(kinds) if mark == ANY else mark in kinds
