"""`stats`: figures per name."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from .._recorded import duration_text
from ..store import NameSummary, Query
from ._find import SHORT, opened
from ._options import AsJson, StorePath, filtered
from ._terminal import columns, emit, one_line, out, patience, say, table


@filtered
def stats(
    query: Query,
    newest: Annotated[
        int, typer.Option("--newest", metavar="N", min=1, help="Look at the newest N that match.")
    ] = 100_000,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Show calls, errors and durations per name; percentiles are nearest-rank."""
    with opened(store) as reader, patience("counting"):
        found = reader.summary(query, newest)
    if as_json:
        for each in found:
            emit(each._asdict())
        return
    if not found:
        say("no session meets these conditions")
        return
    table(_table([_row(each) for each in found]))
    if sum(each.calls for each in found) == newest:
        say(f"of the newest {newest:,} sessions; --newest takes more")


_HEADERS = ("name", "calls", "errors", "p50", "p95", "p99", "max", "slowest")
_NARROWEST = 16


def _table(rows: list[list[Text]]) -> Table:
    """A narrow terminal gets long names cut, and before that no ids."""
    widths = [max(row[n].cell_len for row in rows) for n in range(len(_HEADERS))]
    others = [max(width, len(head)) + 2 for width, head in zip(widths, _HEADERS, strict=True)][1:]
    shown = _HEADERS if out().width - sum(others) >= min(widths[0], _NARROWEST) else _HEADERS[:-1]
    found = columns(*shown, right=_HEADERS[1:-1])
    free = max(out().width - sum(others[: len(shown) - 1]), _NARROWEST)
    for name, *figures in rows:
        name.truncate(free, overflow="ellipsis")
        found.add_row(name, *figures[: len(shown) - 1])
    return found


def _row(each: NameSummary) -> list[Text]:
    durations = (each.p50, each.p95, each.p99, each.max)
    return [
        Text(one_line(each.session_name, 60), "bold"),
        Text(f"{each.calls:,}"),
        Text(f"{each.errors:,}", "red" if each.errors else "dim"),
        *(Text("" if ms is None else duration_text(ms)) for ms in durations),
        Text(one_line(each.slowest_id or "", 60)[:SHORT], "cyan"),
    ]
