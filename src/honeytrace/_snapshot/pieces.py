"""The search of a long text for secrets: piece by piece, and only where the first look says so.

A search costs a hundred times as much as the first look, which is at the whole text. Once so many
characters were searched as one snapshot has room for, pieces that should be are left out instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from .credentials import MASK
from .text_gate import suspicious

PIECE: Final = 2_000
"""Characters of a piece, about."""

_FAR: Final = 2_000
"""Characters behind a piece in which a space is looked for."""

_SPACES: Final = re.compile(r"\s+")
_SEAMS: Final = re.compile(r"\s+|[+/;&|]")  # marks as in base64, where no space is
_SEPARATOR: Final = re.compile(r"[\s=:]")
_BINDS: Final = re.compile(
    r"(?:[^\w.,;!?)\]}\"']|[\"'],|(?:^|\s)-\S*|\b(?:bearer|basic|digest|token|apikey|key))\Z", re.I
)
"""The end of a text that may bind what comes next: `password:`, `--password`, `Bearer`."""

_BOUND: Final = re.compile(r"[=:!]|(?:keys?|strings?|codes?|phrase|pass|word|token)\b", re.I)
"""What belongs to the text before it: `= x` behind `password`, and `key: x` behind `api`."""


def masked_in_pieces(text: str, search: Callable[[str], str], room: int) -> tuple[str, int]:
    """Return a text without its secrets, and what is left of the room.

    Args:
        text: any text.
        search: masks the secrets of a text.
        room: characters that may be searched.
    """
    parts: list[str] = []
    at, size = 0, len(text)
    while at < size:
        end = _end(text, at + PIECE)
        piece = text[at:end]
        if suspicious(piece):
            if room <= 0 or end - at > max(room, PIECE + 2 * _FAR):
                piece = f"…[cut {end - at} characters]"
            else:
                piece, end, room = _masked(text, at, end, search, room)
        parts.append(piece)
        at = end
    return "".join(parts), room


def _masked(
    text: str, at: int, end: int, search: Callable[[str], str], room: int
) -> tuple[str, int, int]:
    """Return a piece without its secrets, its end, and what is left of the room."""
    reach = PIECE
    while True:
        piece = text[at:end]
        masked = search(piece)
        room -= end - at
        if end == len(text) or not masked.rstrip("\"' \n").endswith(MASK):
            return masked, end, room
        reach *= 2  # the value may go on behind the piece
        end = _end(text, at + reach)
        if end - at > room:
            return f"…[cut {end - at} characters]", end, room


def _end(text: str, at: int) -> int:
    """Return a place from `at` on that divides neither a word nor a name from its value."""
    if at >= len(text):
        return len(text)
    for space in _SPACES.finditer(text, at, at + _FAR):
        if _divides(text, space, _BINDS):
            return space.end()
    for seam in _SEAMS.finditer(text, at + _FAR):
        if _divides(text, seam, _BINDS if seam[0].isspace() else _SEPARATOR):
            return seam.end()
    return len(text)


def _divides(text: str, seam: re.Match[str], binds: re.Pattern[str]) -> bool:
    """Return whether what stands before a seam has nothing to do with what stands behind it."""
    start, end = seam.span()
    return binds.search(text, start - 80, start) is None and _BOUND.match(text, end) is None
