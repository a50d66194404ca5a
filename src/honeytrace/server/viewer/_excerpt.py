"""The words around a hit of a search, with the hit marked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..._record.record import Record
from ._page import visible

__all__ = ["excerpt"]

_BEFORE = 16
"""Characters before the first hit: it must be in sight in a narrow column."""

_AFTER = 120
"""Characters after it."""

_LOOKED_AT = 200_000
"""Characters of one value that are searched for a hit."""

_ESCAPES = {"n": " ", "t": " ", "r": " ", '"': '"', "\\": "\\", "/": "/"}


def excerpt(record: Record, words: str) -> Sequence[tuple[str, bool]]:
    """Return pieces of text, each with a flag for a hit; empty if no word occurs as typed."""
    wanted = [re.escape(word) for word in re.findall(r"\w+", words)]
    if not wanted:
        return ()
    hit = re.compile("|".join(sorted(wanted, key=len, reverse=True)), re.IGNORECASE)
    for text in (record.error, _text(record.outputs), _text(record.inputs)):
        found = hit.search(text[:_LOOKED_AT]) if text else None
        if text and found:
            start, end = max(0, found.start() - _BEFORE), found.end() + _AFTER
            return _pieces(text[start:end], hit, start > 0, end < len(text))
    return ()


def _text(data: bytes | None) -> str:
    """Return JSON as readable text, without escaped quotes in its strings."""
    if data is None:
        return ""
    text = data[:_LOOKED_AT].decode(errors="ignore")
    return re.sub(r"\\\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)


def _pieces(text: str, hit: re.Pattern[str], begun: bool, cut: bool) -> list[tuple[str, bool]]:
    pieces: list[tuple[str, bool]] = [("…", False)] if begun else []
    at = 0
    for found in hit.finditer(text):
        pieces += [(visible(text[at : found.start()]), False), (visible(found[0]), True)]
        at = found.end()
    return [*pieces, (visible(text[at:]) + ("…" if cut else ""), False)]
