"""Figures over time as shapes: a chart in per cent of its own box, which the template draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ..._display.text import duration_text
from ...store import Bucket

__all__ = ["Bar", "Chart", "charts"]


@dataclass(frozen=True)
class Bar:
    """A rectangle, and what it says when pointed at; `kind` is how it is painted."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True)
class Chart:
    """One figure over time. `ticks` are labels of the y axis from the bottom, evenly spaced."""

    title: str
    ticks: Sequence[str]
    bars: Sequence[Bar]
    lines: Sequence[tuple[str, str]] = field(default=())
    """What it is, and its path."""


def charts(buckets: Sequence[Bucket]) -> list[Chart]:
    """How many, how many of them failed, and how long they took."""
    return [_calls(buckets), _errors(buckets), _latency(buckets)] if buckets else []


def _calls(buckets: Sequence[Bucket]) -> Chart:
    most = _round_up(max(each.calls for each in buckets))
    bars = []
    for x, width, each in _columns(buckets):
        says = f"{each.calls:,} calls, {each.errors:,} failed"
        height, failed = each.calls / most * 100, each.errors / most * 100
        bars.append(Bar("calls", x, 100 - height, width, height - failed, says))
        if failed:
            bars.append(Bar("errors", x, 100 - failed, width, failed, says))
    return Chart("Calls", _ticks(most, lambda value: f"{value:,g}"), bars)


def _errors(buckets: Sequence[Bucket]) -> Chart:
    rates = [each.errors / each.calls * 100 if each.calls else 0 for each in buckets]
    most = min(100.0, _round_up(max(*rates, 1.0)))
    bars = [
        Bar("errors", x, 100 - rate / most * 100, width, rate / most * 100, f"{rate:.1f} %")
        for (x, width, _), rate in zip(_columns(buckets), rates, strict=True)
        if rate
    ]
    return Chart("Error rate", _ticks(most, lambda value: f"{value:g} %"), bars)


def _latency(buckets: Sequence[Bucket]) -> Chart:
    slowest = max((each.p95 or 0 for each in buckets), default=0)
    most = _round_up(slowest or 1)
    columns = list(_columns(buckets))
    lines = [
        (
            name,
            _path(
                [(x + width / 2, _height(getattr(each, name), most)) for x, width, each in columns]
            ),
        )
        for name in ("p95", "p50")
    ]
    # nothing to be seen, but something to point at
    bars = [
        Bar(
            "pointed",
            x,
            0,
            width,
            100,
            f"p50 {duration_text(each.p50)}, p95 {duration_text(each.p95)}",
        )
        for x, width, each in columns
        if each.p50 is not None
    ]
    return Chart("Duration", _ticks(most, duration_text), bars, lines)


def _columns(buckets: Sequence[Bucket]) -> Iterator[tuple[float, float, Bucket]]:
    """Each bucket with its place and width."""
    width = 100 / len(buckets)
    for i, each in enumerate(buckets):
        yield i * width, width, each


def _height(value: float | None, most: float) -> float | None:
    return None if value is None else 100 - value / most * 100


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """A line through the points there are; where one is missing, it is interrupted."""
    steps, drawing = [], False
    for x, y in points:
        if y is not None:
            # a point alone shows by the round ends of a line without length
            steps.append(f"L{x:.2f} {y:.2f}" if drawing else f"M{x:.2f} {y:.2f}h0")
        drawing = y is not None
    return "".join(steps)


def _ticks(most: float, say: Callable[[float], str]) -> list[str]:
    return [say(most * part) if part else "0" for part in (0, 0.5, 1)]


def _round_up(value: float) -> float:
    """The next of …, 1, 2, 4, 6, 8, 10, 20, …: half of it is a round number, too."""
    size = 1.0
    while size * 10 < value:
        size *= 10
    while size > value:
        size /= 10
    return next(size * step for step in (1, 2, 4, 6, 8, 10) if size * step >= value)
