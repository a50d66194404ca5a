"""The Retry-After header of a reply."""

from __future__ import annotations

import time


def retry_after(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for, or None if it asks for nothing.

    `date` is the Date header of the same reply. A Retry-After that is a date is measured against
    it, because the clock of this machine may be hours away from the server's.
    """
    sent_at = _epoch(date)
    return parse_retry_after(value, time.time() if sent_at is None else sent_at)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, given the epoch time `now`.

    The header has whole seconds or an HTTP date (RFC 9110, 10.2.3). Zero, fractions, the past and
    unreadable values give None, and the backoff decides.
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return float(value) or None
    at = _epoch(value)
    return None if at is None or at <= now else at - now


def _epoch(value: str | None) -> float | None:
    """Return an HTTP date in seconds since the epoch, or None if it is not a date."""
    if not value:
        return None
    from datetime import timezone
    from email.utils import parsedate_to_datetime  # 5 ms, paid only when a server asks for a pause

    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # "-0000" or no zone: HTTP dates are GMT
            date = date.replace(tzinfo=timezone.utc)
        return date.timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
