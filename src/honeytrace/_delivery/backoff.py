"""A destination that is away: how long to wait for it, and what to say of that."""

from __future__ import annotations

import time

from .._base.lazy import logger

_FIRST_WAIT, _LONGEST_WAIT = 0.02, 30.0
_QUIET = 60.0
"""Seconds in which another outage is not told of yet: a flapping server must not fill the log."""


class Outage:
    """The outage that lasts, if any. It costs one log line when it begins and one when it ends."""

    def __init__(self) -> None:
        self.failures = 0
        """In a row; none while deliveries succeed."""
        self.wait = 0.0
        """Seconds until the next attempt."""
        self.why = ""
        self.told: str | None = None
        """The reason that the log has given."""
        self._quiet_until = 0.0

    def failed(self, why: str, retry_after: float | None, *, quiet: bool) -> None:
        """A delivery failed: wait twice as long as before, give or take a quarter, or as asked."""
        import random  # 5 ms that only a program in trouble pays

        self.why = why
        longest = min(_FIRST_WAIT * 2 ** min(self.failures + 1, 10), _LONGEST_WAIT)
        self.wait = retry_after or random.uniform(longest / 2, longest)
        now = time.monotonic()
        if self.told is None and now >= self._quiet_until and not quiet:
            self.told, self._quiet_until = why, now + _QUIET
            logger.warning("honeytrace cannot deliver, and keeps trying: %s", why)
        self.failures += 1

    def ended(self) -> None:
        """A delivery succeeded."""
        if self.told is not None:
            logger.info("honeytrace delivers again")
        self.failures, self.told = 0, None
