"""The Retry-After header of a reply."""

from __future__ import annotations

import time


def retry_after(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for; None where it asks for nothing.

    `date` is the reply's own Date: a Retry-After that is a date is measured against it, since this
    machine's clock may be hours away from the server's.
    """
    sent_at = _epoch(date)
    return parse_retry_after(value, time.time() if sent_at is None else sent_at)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, given the epoch time `now`.

    Whole seconds or an HTTP date (RFC 9110, 10.2.3). Zero, fractions, the past and anything
    unreadable are None: the backoff decides.
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return float(value) or None
    at = _epoch(value)
    return None if at is None or at <= now else at - now


def _epoch(value: str | None) -> float | None:
    """The seconds since the epoch of an HTTP date; None where it is none."""
    if not value:
        return None
    from datetime import timezone
    from email.utils import parsedate_to_datetime  # 5 ms that only a program in trouble pays

    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # "-0000" or no zone: HTTP dates are GMT
            date = date.replace(tzinfo=timezone.utc)
        return date.timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
