"""Printing for commands: plain in a pipe, bounded, and harmless whatever the data holds.

Results go to standard output; progress, hints and errors to standard error.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, cast

import orjson

from .._base.lazy import pattern
from .._display.text import printable
from ..errors import HoneytraceError
from ._line import Line
from ._screen import err, out, rich_console

if TYPE_CHECKING:
    from rich.status import Status
    from rich.table import Table

__all__ = [
    "MARKS",
    "binary_output",
    "bounded",
    "clock",
    "columns",
    "counted",
    "emit",
    "err",
    "one_line",
    "out",
    "patience",
    "progress",
    "say",
    "table",
    "tolerate",
    "write",
]

MARKS = {
    "ok": ("✓", "green"),
    "error": ("✗", "red"),
    "running": ("●", "cyan"),
    "": ("!", "yellow"),
}
"""The mark and style of each status; the last is for every other status."""

_LONG = 1.0
"""Seconds in which nobody wonders."""

# characters that a terminal may obey or that deceive a reader; JSON can escape all of them
_UNSAFE = pattern("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


_ASCII = dict(zip("✓✗●├└│─━╸╺…→←▸µ·", "+xo|`|-===.><>u.", strict=True))


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """A codec's error handler: replace our signs with similar ASCII of the same width."""
    assert isinstance(error, UnicodeEncodeError)
    lost = error.object[error.start : error.end]
    return "".join(_ASCII.get(each, "?") for each in lost), error.end


codecs.register_error("honeytrace", _in_ascii)


class _Closed(io.RawIOBase):
    """Stands in for a standard output that the shell closed (`>&-`): writing fails."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raise OSError("standard output is closed, so there is nowhere to print")


def tolerate() -> None:
    """Have standard output take any text: a terminal or file may have no bytes for some of it.

    Python has None for a stream that was closed before the program began.
    """
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(cast("Any", _Closed()), "utf-8", write_through=True)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - it stays open as long as the process
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="honeytrace")


def say(text: str) -> None:
    """Print one line for the person at the terminal, on standard error."""
    err().print(Line(one_line(text, 2000)))


def write(text: Line | str = "", *, fit: bool = False, indent: int = 0) -> None:
    """Print a line of the result; where it is longer than a terminal is wide, that wraps it, or
    with `fit` it is cut."""
    out().print(text if isinstance(text, Line) else Line(text), fit=fit, indent=indent)


def table(rows: Table) -> None:
    """Print a table of the result, without the blanks at line ends."""
    console = rich_console(out())
    if console.is_terminal:
        console.print(rows)
        return
    with console.capture() as captured:
        console.print(rows)
    for line in captured.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def emit(document: Any) -> None:
    """One JSON document on a line of its own, in UTF-8; bytes are JSON already."""
    try:
        line = document if isinstance(document, bytes) else orjson.dumps(document)
    except TypeError as error:
        raise HoneytraceError(f"{error}: `honeytrace export` can write it") from None
    sys.stdout.flush()
    binary_output().write(line + b"\n")
    sys.stdout.buffer.flush()


def binary_output() -> IO[bytes]:
    """Return standard output for UTF-8 bytes; control characters reach a terminal as escapes."""
    return cast("IO[bytes]", _Escaping()) if sys.stdout.isatty() else sys.stdout.buffer


class _Escaping(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        text = bytes(data).decode(errors="replace")
        safe = _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        sys.stdout.buffer.write(safe.encode())
        return len(data)


def one_line(text: str, limit: int = 200) -> str:
    """The beginning of `text` on one line, harmless to a terminal."""
    return printable(text if len(text) <= limit else text[: limit - 1] + "…")


def bounded(text: str, *, lines: int, chars: int) -> Iterator[str]:
    """The lines of `text`, harmless, up to these bounds; a last one says how much is left out."""
    head = text[:chars]
    shown = head.split("\n")[:lines]
    yield from (printable(line.removesuffix("\r").expandtabs(4)) for line in shown)
    left = len(text) - len("\n".join(shown))
    if left:
        yield f"… {left:,} more characters (--full shows them)"


def clock(ms: float, *, full: bool = False) -> str:
    """A moment in local time, as short as it can be told apart: time, day and time, or date."""
    try:
        moment = datetime.fromtimestamp(ms / 1000)
    except (OverflowError, OSError, ValueError):  # no calendar has it
        return f"{ms:.0f}"
    if full:
        return moment.isoformat(" ", "milliseconds")
    now = datetime.now()
    if moment.date() == now.date():
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%b %d %H:%M" if moment.year == now.year else "%Y-%m-%d")


@contextmanager
def progress(
    doing: str, total: float | None, *, in_bytes: bool = False, shown: bool = True
) -> Iterator[Callable[[float], None]]:
    """Show a progress bar on standard error if that is a terminal; yield a function to advance it.

    Without a total it only counts.
    """
    screen = err()
    if not (shown and screen.is_terminal):
        yield lambda done: None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    amount = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount)
    with Progress(
        *columns, TimeRemainingColumn(), console=rich_console(screen), transient=True
    ) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def patience(doing: str) -> Iterator[None]:
    """A sign of life on standard error, where that is a terminal and it takes longer."""
    screen = err()
    if not screen.is_terminal:
        yield
        return
    begun: list[Status] = []

    def begin() -> None:
        begun.append(rich_console(screen).status(doing))
        begun[0].start()

    timer = threading.Timer(_LONG, begin)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for status in begun:
            status.stop()


def counted(number: int, thing: str = "session") -> str:
    """`1 session`, `2,000 sessions`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def columns(*headers: str, right: Iterable[str] = ()) -> Table:
    """An empty table without lines; the columns named in `right` are numbers."""
    from rich.table import Table  # 5 ms that lists do not need

    rows = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for header in headers:
        rows.add_column(header, justify="right" if header in right else "left", no_wrap=True)
    return rows
