"""Durations and names as text for people."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` on one line and harmless to a terminal: no control or direction characters."""
    return "".join(c if c.isprintable() else "·" if c in "\r\n\t" else "�" for c in text)


def duration_text(ms: float | None) -> str:
    """Return a duration as people read it: `412 µs`, `3.1 ms`, `2.40 s`, `3 min 05 s`.

    `ms` is in milliseconds; None, for a call without an end, gives `…`.
    """
    if ms is None:
        return "…"
    if 0 < ms < 0.0005:
        return "<1 µs"
    if ms < 0.9995:
        return f"{ms * 1000:.0f} µs"
    if ms < 999.95:
        return f"{ms:.1f} ms"
    if ms < 59_995:
        return f"{ms / 1000:.2f} s"
    ms = round(ms, -3)
    return f"{int(ms // 60_000)} min {int(ms % 60_000 // 1000):02d} s"
