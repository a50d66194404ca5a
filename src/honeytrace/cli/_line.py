"""One line of output with styles: text for a pipe, escape sequences for a terminal.

rich can do all of this and more, but its import takes longer than listing the sessions of a store.
Lines are therefore written without it; tables, progress and the wrapping of long lines use it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Line", "cells", "padded"]

_CODES = {"bold": "1", "dim": "2", "underline": "4", "red": "31", "green": "32", "yellow": "33",
          "magenta": "35", "cyan": "36"}  # fmt: skip
"""The words of a style, and the codes that a terminal knows for them."""
_ATTRIBUTES = ("bold", "dim", "underline")
"""The words that are no colour, which NO_COLOR does not mean."""

_is_narrow = frozenset([*map(chr, range(0x20, 0x7F)), *"✓✗●├└│─━╸╺…→←▸µ·"]).issuperset
"""Whether every character of a text is one that takes one column and needs no table of widths."""


def cells(text: str) -> int:
    """Return the columns that a text takes in a terminal."""
    if _is_narrow(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def padded(text: str, width: int) -> str:
    """Return a text cut or filled up with blanks to so many columns."""
    if _is_narrow(text):
        return text[: max(width, 0)].ljust(width)
    from rich.cells import set_cell_size

    return set_cell_size(text, width)


class Line:
    """Text in pieces, each with a style such as `bold`, `dim` or `red`."""

    __slots__ = ("_pieces",)

    def __init__(self, text: str = "", style: str = "") -> None:
        self._pieces = [(text, style)]

    @classmethod
    def assemble(cls, *pieces: str | tuple[str, str]) -> Line:
        """Return a line of several texts, some of them with a style of their own."""
        line = cls()
        line._pieces = [(each, "") if isinstance(each, str) else each for each in pieces]
        return line

    def append(self, text: str, style: str = "") -> Line:
        self._pieces.append((text, style))
        return self

    @property
    def plain(self) -> str:
        """The text without styles."""
        return "".join(text for text, _ in self._pieces)

    @property
    def width(self) -> int:
        """Columns that the line takes in a terminal."""
        return cells(self.plain)

    def rstrip(self) -> Line:
        """Remove the blanks at the end."""
        while self._pieces:
            text, style = self._pieces.pop()
            if text := text.rstrip():
                self._pieces.append((text, style))
                break
        return self

    def cut(self, width: int) -> Line:
        """Cut the line to so many columns, with an ellipsis if anything is lost."""
        if self.width <= width:
            return self
        left = max(width - 1, 0)
        kept: list[tuple[str, str]] = []
        for text, style in self._pieces:
            size = cells(text)
            kept.append((text if size <= left else padded(text, left), style))
            if size > left:
                break
            left -= size
        self._pieces = [*kept, ("…", kept[-1][1])]
        return self

    def ansi(self, *, colours: bool) -> str:
        """Return the line with escape sequences; without `colours` only bold, dim and underline."""
        return "".join(_styled(text, style, colours) for text, style in self._pieces if text)

    def for_rich(self) -> Text:
        """Return the line as rich's text, to wrap it or for a table."""
        from rich.text import Text

        return Text.assemble(*self._pieces)


def _styled(text: str, style: str, colours: bool) -> str:
    words = [each for each in style.split() if colours or each in _ATTRIBUTES]
    if not words:
        return text
    return f"\x1b[{';'.join(_CODES[each] for each in words)}m{text}\x1b[0m"


NEEDS_RICH = sys.platform == "win32"
"""Consoles of Windows may know no escape sequences; rich knows which of them do."""
