"""Moments and durations in the forms in which people and programs write them."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone, tzinfo

from .._base.lazy import pattern
from ..errors import ConfigurationError

__all__ = ["duration_ms", "iso_datetime", "iso_ms", "moment_ms"]

_UNITS = {
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
}
_FIRST = 100_000_000
"""Epoch seconds from which a bare number is a moment: 1973. A smaller number is a time ago."""

_LAST = 100_000_000_000
"""Epoch seconds from which a number must be milliseconds: the year 5138."""

_FRACTION = pattern(r"[.,](\d+)")


def duration_ms(value: float | str | timedelta, *, bare: str = "s") -> float:
    """Return the milliseconds of seconds, of a timedelta, or of `200ms`, `1.5s`, `2m`, `3h`, `7d`.

    `bare` is the unit of a text without one. Raises ConfigurationError for any other value.
    """
    if isinstance(value, timedelta):
        return value.total_seconds() * 1000
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([a-zµ]*)", value.strip().lower(), re.ASCII)
        if found is not None and (found[2] or bare) in _UNITS:
            return float(found[1]) * _UNITS[found[2] or bare] * 1000
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        return value * 1000
    raise ConfigurationError(
        f"{value!r} is not a duration: give seconds, a timedelta, or 200ms, 1.5s, 2m, 3h, 7d or 1w"
    )


def moment_ms(value: float | str | datetime | timedelta, *, zone: tzinfo | None = None) -> float:
    """Return the epoch milliseconds of a datetime, of epoch seconds, of ISO 8601 text, or of a
    timedelta or `2h` ago.

    `zone` is that of a datetime without an offset; None means the local one. Raises
    ConfigurationError for any other value, also for milliseconds, the unit of records.
    """
    if isinstance(value, str):
        value = _written(value.strip())
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=zone)
        try:
            return value.timestamp() * 1000
        except (OverflowError, OSError, ValueError):
            raise ConfigurationError(f"{value} is outside the calendar of this machine") from None
    if isinstance(value, timedelta):
        return (time.time() - value.total_seconds()) * 1000
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value >= _LAST:
            raise ConfigurationError(
                f"{value!r} is milliseconds, and a moment is given in seconds: pass the record's"
                " `started_at`, or divide by 1000"
            )
        return value * 1000
    raise ConfigurationError(
        f"{value!r} is not a time: give a datetime, epoch seconds, 2026-11-22, 2026-11-22T14:30 or,"
        " for so long ago, 30m, 2h or 7d"
    )


def iso_datetime(text: str) -> datetime:
    """Return the datetime of an ISO 8601 text, the same on every Python. Raises ValueError."""
    # before Python 3.11 a fraction has three or six digits, and Z is no offset
    text = _FRACTION.sub(lambda found: f".{found[1]:0<6.6}", text)
    return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))


def iso_ms(text: str) -> float | None:
    """Return the epoch milliseconds of an ISO 8601 text, in UTC if it has no offset; None for any
    other text."""
    try:
        moment = iso_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp() * 1000
    except (ValueError, OverflowError):
        return None


def _written(text: str) -> float | str | datetime | timedelta:
    """Return the time that a text states, or the text itself."""
    if re.fullmatch(r"\d+(\.\d+)?", text) and float(text) >= _FIRST:
        return float(text)
    try:
        return iso_datetime(text)
    except ValueError:
        pass
    try:
        return timedelta(milliseconds=duration_ms(text))
    except (ConfigurationError, OverflowError):
        return text
