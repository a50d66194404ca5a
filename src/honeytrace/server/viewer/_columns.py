"""The columns of the list: the usual ones, and any recorded value by its path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..._record.record import OBJECTS, Record
from .._http import bad_request
from ._filters import Filters
from ._usage import Figures, time_to_first

__all__ = ["CHOICES", "Column", "columns_of", "sorter", "value_at"]

_USUAL = ("io", "where", "usage", "took", "started")

_MOST = 12
"""Number of columns; more cannot be read side by side."""

Key = Callable[[Record, Figures], Any]
"""A value to sort by; None comes last."""


@dataclass(frozen=True)
class Column:
    """A column of the list. `falls`: the largest first is the usual order."""

    key: str
    title: str
    falls: bool = False
    sort: Key | None = None
    """None if the list cannot be sorted by the column."""
    path: tuple[str, ...] = ()
    """For a recorded value: the object and the names within."""


def _metrics(record: Record) -> Mapping[str, Any]:
    found = orjson.loads(record.metrics or b"{}")
    return found if isinstance(found, dict) else {}


_KNOWN = (
    Column("io", "Input → output"),
    Column("where", "Project", sort=lambda r, _: r.project),
    Column("source", "Source", sort=lambda r, _: r.source),
    Column("user", "User"),
    Column("status", "Status", sort=lambda r, _: r.status),
    Column("usage", "Model, tokens, cost"),
    Column("model", "Model", sort=lambda _, f: f.model or None),
    Column("tokens", "Tokens", True, lambda _, f: f.counted),
    Column("cost", "Cost", True, lambda _, f: f.dollars),
    Column("first", "First token", True, lambda r, _: time_to_first(_metrics(r))),
    Column("calls", "Calls inside", True, lambda r, _: len(orjson.loads(r.children_ids))),
    Column("rating", "Feedback"),
    Column("took", "Took", True, lambda r, _: r.duration),
    Column("started", "Started", True, lambda r, _: r.start_time),
    Column("id", "Id", sort=lambda r, _: r.event_id),
)

NAME = Column("name", "Name", sort=lambda r, _: r.event_name)
"""The column that every list has."""

CHOICES: Sequence[Column] = _KNOWN
"""The columns to choose from, besides recorded values."""


def columns_of(filters: Filters) -> list[Column]:
    """Return the chosen columns, or the usual ones. Raises RefusedError for an unknown one."""
    keys = [key.strip() for key in filters.cols.split(",") if key.strip()] or [*_USUAL]
    if len(keys) > _MOST:
        raise bad_request(f"a list has at most {_MOST} columns, not {len(keys)}")
    return [_column(key) for key in dict.fromkeys(keys)]


def sorter(sort: str) -> tuple[Column, bool]:
    """Return the column to sort by, and a flag for the largest first. Raises RefusedError."""
    turned = sort.startswith("-")
    key = sort.removeprefix("-")
    column = NAME if key == "name" else _column(key)
    if column.sort is None:
        raise bad_request(f"the list cannot be sorted by {key}")
    return column, column.falls != turned


def _column(key: str) -> Column:
    known = next((each for each in _KNOWN if each.key == key), None)
    if known is not None:
        return known
    path = tuple(key.split("."))
    if len(path) < 2 or path[0] not in OBJECTS or not all(path):
        names = ", ".join(each.key for each in _KNOWN)
        raise bad_request(
            f"{key!r} is not a column: the columns are {names}, and recorded values such as"
            " metrics.score or metadata.release"
        )
    return Column(key, key, path[0] == "metrics", lambda r, _: _sortable(value_at(r, path)), path)


def value_at(record: Record, path: Sequence[str]) -> Any:
    """Return a recorded value by its path; None if there is none. A name with dots in it is found,
    too."""
    data = getattr(record, path[0])
    found = orjson.loads(data) if data else None
    names = path[1:]
    while names:
        if not isinstance(found, dict):
            return None
        ends = (end for end in range(len(names), 0, -1) if ".".join(names[:end]) in found)
        end = next(ends, 0)
        if not end:
            return None
        found, names = found[".".join(names[:end])], names[end:]
    return found


def _sortable(value: Any) -> Any:
    """Return a key of one type for numbers and texts: numbers come before texts."""
    if isinstance(value, (int, float)):
        return 0, float(value), ""
    return None if value is None else (1, 0.0, str(value)[:200])
