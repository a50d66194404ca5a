"""Figures over time as shapes that the template draws, in per cent of the chart's box."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from ..._display.figures import count_text
from ..._display.text import duration_text
from ...store import Bucket
from ._filters import Filters
from ._page import moment

__all__ = ["Bar", "Chart", "calls_chart", "charts"]

_BURST = 40
"""Multiple of the usual number of calls from which a chart of calls has a logarithmic scale. On a
linear scale only the burst would be visible."""


@dataclass(frozen=True)
class Bar:
    """A rectangle with its tooltip; `kind` selects its style."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    says: str
    address: str = ""
    """The address of the list of the sessions that the bar stands for."""


@dataclass(frozen=True)
class Chart:
    """One figure over time. `ticks` are labels of the y axis from the bottom, evenly spaced."""

    title: str
    ticks: Sequence[str]
    bars: Sequence[Bar]
    lines: Sequence[tuple[str, str]] = field(default=())
    """Name and path of each line."""
    start: float = 0
    end: float = 0
    """Ends of the x axis, in epoch milliseconds."""

    @property
    def grid(self) -> str:
        """Return the path of a line at each tick."""
        last = max(1, len(self.ticks) - 1)
        return "".join(f"M0 {100 * n / last:.2f}H100" for n in range(last + 1))


def charts(
    buckets: Sequence[Bucket], tokens: Sequence[tuple[float, float, int]], filters: Filters
) -> list[Chart]:
    """Return the charts of calls, failures and durations, and of tokens if any are known."""
    if not buckets:
        return []
    link = _linked(filters)
    found = [_calls(buckets, link), _errors(buckets, link), _latency(buckets, link)]
    found = [replace(each, start=buckets[0].start, end=buckets[-1].end) for each in found]
    if tokens:
        found.append(replace(_tokens(tokens, link), start=tokens[0][0], end=tokens[-1][1]))
    return found


def calls_chart(buckets: Sequence[Bucket], filters: Filters) -> Chart:
    """Return the chart of calls alone."""
    found = _calls(buckets, _linked(filters))
    return replace(found, start=buckets[0].start, end=buckets[-1].end)


Link = Callable[..., str]


def _linked(filters: Filters) -> Link:
    """Return a function that gives the address of the list of a stretch of time."""

    def link(start: float, end: float, status: str = "") -> str:
        more = {"status": status} if status else {}
        return filters.url("/", since=moment(start), until=moment(end), by="", **more)

    return link


def _calls(buckets: Sequence[Bucket], link: Link) -> Chart:
    most = _round_up(max(each.calls for each in buckets))
    usual = median([each.calls for each in buckets if each.calls] or [1])
    log = most > _BURST * usual
    bars = []
    for x, width, each in _columns(buckets):
        says = f"{each.calls:,} calls, {each.errors:,} failed"
        height, failed = (_share(count, most, log) for count in (each.calls, each.errors))
        address = link(each.start, each.end) if each.calls else ""
        bars.append(Bar("calls", x, 100 - height, width, height - failed, says, address))
        if failed:
            errors = link(each.start, each.end, "error")
            bars.append(Bar("errors", x, 100 - failed, width, failed, says, errors))
    if log:
        ticks = ["0", *(f"{10**n:,}" for n in range(1, math.ceil(math.log10(most)) + 1))]
        return Chart("Calls, logarithmic", ticks, bars)
    return Chart("Calls", _ticks(most, lambda value: f"{value:,g}"), bars)


def _share(count: int, most: float, log: bool) -> float:
    """Return the height of a count, in per cent."""
    if not log:
        return count / most * 100
    return math.log10(count + 1) / math.ceil(math.log10(most)) * 100 if count else 0.0


def _errors(buckets: Sequence[Bucket], link: Link) -> Chart:
    rates = [each.errors / each.calls * 100 if each.calls else 0 for each in buckets]
    most = min(100.0, _round_up(max(*rates, 1.0)))
    bars = [
        Bar(
            "errors",
            x,
            100 - rate / most * 100,
            width,
            rate / most * 100,
            f"{rate:.1f} %",
            link(each.start, each.end, "error"),
        )
        for (x, width, each), rate in zip(_columns(buckets), rates, strict=True)
        if rate
    ]
    return Chart("Error rate", _ticks(most, lambda value: f"{value:g} %"), bars)


def _latency(buckets: Sequence[Bucket], link: Link) -> Chart:
    """Return the chart of durations, on a logarithmic scale: usual and slow calls differ by powers
    of ten."""
    known = [each for bucket in buckets for each in (bucket.p50, bucket.p95) if each is not None]
    low = math.floor(math.log10(max(min(known, default=1.0), 0.001)))
    high = max(low + 1, math.ceil(math.log10(max(max(known, default=1.0), 0.001))))

    def height(value: float | None) -> float | None:
        if value is None:
            return None
        return 100 - (math.log10(max(value, 10.0**low)) - low) / (high - low) * 100

    columns = list(_columns(buckets))
    lines = [
        (name, _path([(x + width / 2, height(getattr(each, name))) for x, width, each in columns]))
        for name in ("p95", "p50")
    ]
    # These bars are invisible; they carry the tooltips.
    bars = [
        Bar(
            "pointed",
            x,
            0,
            width,
            100,
            f"p50 {duration_text(each.p50)}, p95 {duration_text(each.p95)}",
            link(each.start, each.end),
        )
        for x, width, each in columns
        if each.p50 is not None
    ]
    ticks = [_short(10.0**n) for n in range(low, high + 1)]
    return Chart("Duration, logarithmic", ticks, bars, lines)


def _tokens(steps: Sequence[tuple[float, float, int]], link: Link) -> Chart:
    most = _round_up(max(count for _, _, count in steps))
    width = 100 / len(steps)
    bars = [
        Bar(
            "calls",
            number * width,
            100 - count / most * 100,
            width,
            count / most * 100,
            f"{count:,} tokens",
            link(start, end) if count else "",
        )
        for number, (start, end, count) in enumerate(steps)
    ]
    return Chart("Tokens", _ticks(most, lambda value: count_text(round(value))), bars)


def _columns(buckets: Sequence[Bucket]) -> Iterator[tuple[float, float, Bucket]]:
    """Yield each bucket with its place and width."""
    width = 100 / len(buckets)
    for i, each in enumerate(buckets):
        yield i * width, width, each


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """Return a line through the known points, interrupted at missing ones."""
    steps, drawing = [], False
    for x, y in points:
        if y is not None:
            # A single point becomes a line of no length, which is visible by its round ends.
            steps.append(f"L{x:.2f} {y:.2f}" if drawing else f"M{x:.2f} {y:.2f}h0")
        drawing = y is not None
    return "".join(steps)


def _short(ms: float) -> str:
    """Return a power of ten as a duration: `10 ms`, `1 s`."""
    if ms >= 1000:
        return f"{ms / 1000:,.0f} s"
    return f"{ms:g} ms" if ms >= 1 else f"{ms * 1000:g} µs"


def _ticks(most: float, say: Callable[[float], str]) -> list[str]:
    return [say(most * part) if part else "0" for part in (0, 0.5, 1)]


def _round_up(value: float) -> float:
    """Return the next number of …, 1, 2, 4, 6, 8, 10, 20, …: half of each is a round number,
    too."""
    size = 1.0
    while size * 10 < value:
        size *= 10
    while size > value:
        size /= 10
    return next(size * step for step in (1, 2, 4, 6, 8, 10) if size * step >= value)
