"""Tokens and cost as short texts: `5.2k`, `$0.021`."""

from __future__ import annotations

__all__ = ["amount_text", "count_text"]


def count_text(count: int) -> str:
    """A count in at most five characters: `812`, `5.2k`, `31k`, `1.2M`."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= size * 0.9995:
            figure = count / size
            return f"{figure:.1f}{letter}" if figure < 9.95 else f"{figure:.0f}{letter}"
    return str(count)


def amount_text(dollars: float, *, at_least: bool = False, in_full: bool = False) -> str:
    """US dollars with two figures that say something: `<$0.001`, `$0.021`, `$1.30`, `$1,204`.

    at_least: some models have no price, so the amount is a lower bound: `≥ $0.02`, or `unknown` if
    there is next to nothing to be known.
    in_full: there is room for a tenth of a cent and less: `$0.0000071`.
    """
    least = 1e-10 if in_full else 0.001
    if dollars >= 100:
        text = f"${dollars:,.0f}"
    elif dollars >= 1 or dollars == 0:
        text = f"${dollars:.2f}"
    elif dollars < least:
        text = f"<${least:.10f}".rstrip("0")
    else:
        text = f"${dollars:.2g}"
        if "e" in text:
            text = f"${dollars:.10f}".rstrip("0")
    if at_least:
        return "unknown" if dollars < least else f"≥ {text}"
    return text
