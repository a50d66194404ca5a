"""The waits between attempts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from honeytrace.api import RetryConfig, ValidationError
from honeytrace.api.retry import check_codes, matches, parse_retry_after


def test_polynomial() -> None:
    """The wait is initial_interval * attempt ** exponent plus jitter, at most max_interval."""
    config = RetryConfig.backoff(0.5, 60.0, 1.5, 3600.0)
    waits = [config.delay(attempt, 0.0, 0.25, None) for attempt in (0, 1, 4, 9, 1000)]
    assert waits == [0.25, 0.75, 4.25, 13.75, 60.0]


def test_defaults_are_the_references() -> None:
    """500 ms, 60 s, 1.5 and an hour; connection errors are not retried; none waits never."""
    assert RetryConfig.backoff() == RetryConfig("backoff", 0.5, 60.0, 1.5, 3600.0, False)
    assert RetryConfig.none().delay(0, 0.0, 0.0, None) is None


def test_retry_after_wins_within_max_interval() -> None:
    """What the server asks for replaces the backoff, capped."""
    config = RetryConfig.backoff(0.5, 60.0, 1.5, 3600.0)
    assert config.delay(5, 0.0, 0.9, 7.0) == 7.0
    assert config.delay(5, 0.0, 0.9, 86400.0) == 60.0


def test_gives_up() -> None:
    """No wait begins that would end after max_elapsed_time, and one that ends with it does."""
    config = RetryConfig.backoff(1.0, 60.0, 1.0, 10.0)
    assert config.delay(2, 8.0, 0.0, None) == 2.0
    assert config.delay(2, 8.1, 0.0, None) is None


def test_an_absurd_exponent_is_capped() -> None:
    """A power too large for a float is max_interval."""
    assert RetryConfig.backoff(1.0, 60.0, 1e6).delay(10, 0.0, 0.0, None) == 60.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Thu, 01 Jan 1970 00:20:00 GMT", 200.0),
        ("Thu, 01 Jan 1970 00:20:00", 200.0),
        ("Thu, 01 Jan 1970 00:20:00 -0000", 200.0),
        ("Thu, 01 Jan 1970 00:16:40 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """Whole seconds and HTTP dates count; zero, fractions, the past and garbage do not."""
    assert parse_retry_after(header, 1000.0) == seconds


@given(st.text())
def test_retry_after_never_raises(header: str) -> None:
    """Any header is a positive number of seconds or None."""
    seconds = parse_retry_after(header, 1000.0)
    assert seconds is None or (seconds > 0 and not math.isnan(seconds))


@pytest.mark.parametrize("wrong", [{"initial_interval": -1.0}, {"max_elapsed_time": math.nan}])
def test_impossible_times(wrong: dict[str, float]) -> None:
    """Times that cannot be waited are refused at once."""
    with pytest.raises(ValidationError, match="seconds"):
        RetryConfig.backoff(**wrong)


def test_codes() -> None:
    """Codes are exact or a class, as numbers or text; anything else is refused."""
    assert matches(503, [503])
    assert matches(503, ["503"])
    assert matches(503, ["5xx"])
    assert not matches(503, ["500", "4XX"])
    assert not matches(503, [])
    for wrong in (["6XX"], ["50"], [None], "503"):
        with pytest.raises(ValidationError):
            check_codes(wrong)  # type: ignore[arg-type]  # what the check is for
