"""`stats`: figures per name."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from .._recorded import duration_text
from ..store import NameSummary, Query
from ._find import SHORT, opened
from ._options import AsJson, StorePath, filtered
from ._terminal import columns, emit, one_line, patience, say, table


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
    numbers = ("calls", "errors", "p50", "p95", "p99", "max")
    rows = columns("name", *numbers, "slowest", right=numbers)
    for each in found:
        rows.add_row(*_row(each))
    table(rows)
    if sum(each.calls for each in found) == newest:
        say(f"of the newest {newest:,} sessions; --newest takes more")


def _row(each: NameSummary) -> list[Text]:
    durations = (each.p50, each.p95, each.p99, each.max)
    return [
        Text(one_line(each.session_name, 60), "bold"),
        Text(f"{each.calls:,}"),
        Text(f"{each.errors:,}", "red" if each.errors else "dim"),
        *(Text("" if ms is None else duration_text(ms)) for ms in durations),
        Text(one_line(each.slowest_id or "", 60)[:SHORT], "cyan"),
    ]
