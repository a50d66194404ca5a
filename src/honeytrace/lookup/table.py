"""Sessions as a table for pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._record.record import OBJECTS
from .view import SessionView

if TYPE_CHECKING:
    # the types of pandas are a package of their own
    from pandas import DataFrame as DataFrame  # type: ignore[import-untyped]

__all__ = ["frame"]

_FIELDS = (
    "session_id",
    "session_name",
    "project",
    "source",
    "status",
    "start_time",
    "end_time",
    "duration",
    "error",
    "parent_id",
    "root_id",
    "event_type",
)


_LATEST = 9.2e12
"""Milliseconds since the epoch that pandas' nanoseconds reach: the year 2261."""


def frame(sessions: Sequence[SessionView], **columns: Sequence[Any]) -> DataFrame:
    """Return one row per session: its fields, then `columns`, then the keys of its objects."""
    try:
        import pandas as pd
    except ImportError:
        raise ImportError("to_pandas() needs pandas: pip install pandas") from None
    table = pd.DataFrame({n: [getattr(s, n) for s in sessions] for n in _FIELDS} | columns)
    for name in ("start_time", "end_time"):
        times = table[name].astype(float)
        # a time beyond the calendar is no reason to show none
        times = times.where(times.abs() < _LATEST)
        table[name] = pd.to_datetime(times, unit="ms", utc=True, errors="coerce")
    table["duration"] = table["duration"].astype(float)
    inside = pd.DataFrame([_inside(session) for session in sessions], index=table.index)
    return pd.concat([table, inside], axis=1)


def _inside(session: SessionView) -> dict[str, Any]:
    return {
        f"{name}.{key}": value for name in OBJECTS for key, value in getattr(session, name).items()
    }
