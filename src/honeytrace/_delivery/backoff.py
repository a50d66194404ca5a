"""Waits and log lines for a destination that is away."""

from __future__ import annotations

import time

from .._base.lazy import logger

_FIRST_WAIT, _LONGEST_WAIT = 0.02, 30.0
_QUIET = 60.0
"""Seconds in which a further outage is not logged: a flapping server must not fill the log."""


class Outage:
    """The current outage, if any. It writes one log line when it begins and one when it ends."""

    def __init__(self) -> None:
        self.failures = 0
        """Failures in a row; 0 while deliveries succeed."""
        self.wait = 0.0
        """Seconds until the next attempt."""
        self.why = ""
        self.told: str | None = None
        """The reason that was logged last."""
        self._quiet_until = 0.0

    def failed(self, why: str, retry_after: float | None, *, quiet: bool) -> None:
        """Note a failed delivery: double the wait, give or take a quarter, or wait as asked."""
        import random  # costs 5 ms, so only a program in trouble imports it

        self.why = why
        longest = min(_FIRST_WAIT * 2 ** min(self.failures + 1, 10), _LONGEST_WAIT)
        self.wait = retry_after or random.uniform(longest / 2, longest)
        now = time.monotonic()
        if self.told is None and now >= self._quiet_until and not quiet:
            self.told, self._quiet_until = why, now + _QUIET
            logger.warning("honeytrace cannot deliver, and keeps trying: %s", why)
        self.failures += 1

    def ended(self) -> None:
        """Note a delivery that succeeded."""
        if self.told is not None:
            logger.info("honeytrace delivers again")
        self.failures, self.told = 0, None
