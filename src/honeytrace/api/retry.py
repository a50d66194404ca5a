"""The rules for sending a request again.

The rules are those of HoneyHive's TypeScript client (`src/lib/retries.ts`): a polynomial wait with
up to a second of jitter, Retry-After when the server names one, both capped by `max_interval`. Two
things are stricter: a wait that would end after `max_elapsed_time` is not begun, nor one that would
outlive the deadline of the call; the last failure is the outcome then.

A POST is repeated like a GET. Give `session_id` and `event_id` yourself when retries are on: the
server then sees the same session or event again, and not a second one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from honeytrace._network.retry_after import parse_retry_after
from honeytrace.api.errors import ValidationError

__all__ = ["DEFAULT_RETRY_CODES", "RetryConfig", "check_codes", "matches", "parse_retry_after"]

DEFAULT_RETRY_CODES: tuple[str, ...] = ("429", "500", "502", "503", "504")

_CODE = re.compile(r"[1-5](\d\d|XX)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """`RetryConfig.none()` or `RetryConfig.backoff(...)`; all times are seconds.

    The reference counts in milliseconds: its defaults 500, 60000, 1.5, 3600000 are these.
    """

    strategy: Literal["none", "backoff"]
    initial_interval: float = 0.5
    max_interval: float = 60.0
    exponent: float = 1.5
    max_elapsed_time: float = 3600.0
    retry_connection_errors: bool = False

    def __post_init__(self) -> None:
        times = (self.initial_interval, self.max_interval, self.exponent, self.max_elapsed_time)
        if self.strategy not in ("none", "backoff") or not all(time >= 0 for time in times):
            raise ValidationError(
                f"retries: {self} is invalid; intervals are seconds, 0 or more", self
            )

    @classmethod
    def none(cls) -> RetryConfig:
        """Send once."""
        return cls("none")

    @classmethod
    def backoff(
        cls,
        initial_interval: float = 0.5,
        max_interval: float = 60.0,
        exponent: float = 1.5,
        max_elapsed_time: float = 3600.0,
        *,
        retry_connection_errors: bool = False,
    ) -> RetryConfig:
        """Wait `initial_interval * attempt**exponent` seconds and up to one more; send again.

        `retry_connection_errors` repeats refused and broken connections and network timeouts too.
        """
        return cls(
            "backoff",
            initial_interval,
            max_interval,
            exponent,
            max_elapsed_time,
            retry_connection_errors,
        )

    def delay(
        self, attempt: int, elapsed: float, jitter: float, retry_after: float | None
    ) -> float | None:
        """Seconds to wait after the failed `attempt` (from 0), or None to give up."""
        if self.strategy == "none":
            return None
        wait = retry_after
        if wait is None:
            try:
                wait = self.initial_interval * attempt**self.exponent + jitter
            except OverflowError:  # a large exponent outgrows a float
                wait = self.max_interval
        wait = min(wait, self.max_interval)
        return None if elapsed + wait > self.max_elapsed_time else wait


def check_codes(codes: Sequence[str | int]) -> Sequence[str | int]:
    """Return the codes. Raises ValidationError for one that is not a status or a class ("5XX")."""
    wrong = [code for code in codes if not _CODE.fullmatch(str(code))]
    if wrong or isinstance(codes, str):
        raise ValidationError(f"retry_codes: a list of 503, '503' or '5XX', not {codes!r}", codes)
    return codes


def matches(status: int, codes: Sequence[str | int]) -> bool:
    """Tell whether `status` is one of `codes`."""
    return any(str(code).upper() in (str(status), f"{status // 100}XX") for code in codes)
