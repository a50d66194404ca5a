"""Standard output and standard error: a terminal of some width, or a pipe or file."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TextIO

from ._line import NEEDS_RICH, Line, cells

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Screen", "err", "out", "rich_console"]

_WIDE = 100_000
"""Columns of a pipe or file, where nothing is cut or wrapped."""

_USUAL = 80
"""Columns of a terminal that does not say how wide it is."""


class Screen(NamedTuple):
    """Standard output or standard error, as a terminal or as a pipe or file.

    NO_COLOR, FORCE_COLOR, TTY_COMPATIBLE, TERM and COLUMNS count, as they do for rich.
    """

    stderr: bool
    is_terminal: bool
    width: int

    @property
    def stream(self) -> TextIO:
        return sys.stderr if self.stderr else sys.stdout

    def clear(self) -> None:
        """Clear the terminal, for a page that is drawn again."""
        if not _is_dumb():
            self.stream.write("\x1b[2J\x1b[H")

    def print(self, line: Line, *, fit: bool = False, indent: int = 0) -> None:
        """Print a line. A terminal wraps it where it is longer than the terminal is wide, or, with
        `fit`, gets no more than fits. Every row of it is indented."""
        plain = line.plain
        margin = " " * indent if plain else ""
        if not self.is_terminal:
            self.stream.write(f"{margin}{plain}\n")
            self.stream.flush()
            return
        width = max(self.width - indent, 1)
        if fit:
            line.cut(width)
        if NEEDS_RICH or max(map(cells, plain.split("\n"))) > width:
            self._print_with_rich(line, width, indent)
            return
        text = plain if _is_dumb() else line.ansi(colours=not os.environ.get("NO_COLOR"))
        self.stream.write(f"{margin}{text}\n")
        self.stream.flush()

    def _print_with_rich(self, line: Line, width: int, indent: int) -> None:
        console = rich_console(self)
        for row in line.for_rich().wrap(console, width):
            row.pad_left(indent)
            row.rstrip()
            console.print(row, soft_wrap=True)


def out() -> Screen:
    """Return standard output."""
    return _screen(stderr=False)


def err() -> Screen:
    """Return standard error."""
    return _screen(stderr=True)


def _screen(*, stderr: bool) -> Screen:
    stream = sys.stderr if stderr else sys.stdout
    known = os.environ.get("TTY_COMPATIBLE", ""), os.environ.get("FORCE_COLOR")
    if known[0] in ("0", "1"):
        is_terminal = known[0] == "1"
    else:
        is_terminal = stream.isatty() if known[1] is None else known[1] != ""
    return Screen(stderr, is_terminal, _columns() if is_terminal else _WIDE)


def _columns() -> int:
    """Return the width of the terminal: of COLUMNS, or of the first stream that is one."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    for descriptor in () if _is_dumb() else (0, 1, 2):
        with suppress(OSError):  # it is no terminal
            return os.get_terminal_size(descriptor).columns or _USUAL
    return _USUAL


def _is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


@cache
def _console_class() -> type[Console]:
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # only the command group can handle it

    return _Console


def rich_console(screen: Screen) -> Console:
    """Return rich's console for a stream, where lines are not enough: nothing in data is markup.

    Its import takes a third of a command's start.
    """
    return _console_class()(
        stderr=screen.stderr,
        markup=False,
        highlight=False,
        emoji=False,
        force_terminal=screen.is_terminal,
        width=None if screen.is_terminal else screen.width,
        no_color=None if screen.is_terminal else True,
    )
