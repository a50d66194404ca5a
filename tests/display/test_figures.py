"""Tokens and cost as short texts."""

from __future__ import annotations

import pytest

from honeytrace._display.figures import amount_text, count_text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (812, "812"), (999, "999"), (1000, "1.0k"), (5_231, "5.2k"), (31_400, "31k"),
     (999_700, "1.0M"), (1_240_000, "1.2M"), (3_000_000_000, "3.0G")],
)  # fmt: skip
def test_counts(count: int, text: str) -> None:
    """At most five characters, and never a thousand of the smaller unit."""
    assert count_text(count) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(0, "$0.00"), (0.00001, "<$0.001"), (0.0213, "$0.021"), (1.3, "$1.30"), (1204.4, "$1,204")],
)
def test_amounts(dollars: float, text: str) -> None:
    """Two figures that say something, and no scientific notation."""
    assert amount_text(dollars) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (0.00000705, "$0.00000705"),
        (1e-12, "<$0.0000000001"),
        (0.0213, "$0.021"),
        (1204.4, "$1,204"),
    ],
)
def test_amounts_in_full(dollars: float, text: str) -> None:
    """Where there is room, a single call's cost is written out."""
    assert amount_text(dollars, in_full=True) == text


def test_a_lower_bound_says_so() -> None:
    """What has no price is not left out silently."""
    assert amount_text(0.02, at_least=True) == "≥ $0.02"
    assert amount_text(0.00002, at_least=True) == "unknown"
    assert amount_text(0.0, at_least=True) == "unknown"
    assert amount_text(0.00002, at_least=True, in_full=True) == "≥ $0.00002"
