"""`stats`: figures per name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from .._display.text import duration_text
from ..lookup.usage import Usage
from ..store import NameSummary, Query
from . import _options
from ._grouped import grouped
from ._line import Line
from ._rows import parse_fields
from ._target import SHORT, missed, told
from ._terminal import columns, emit, one_line, out, patience, say, table
from ._usage import NEWEST, per_name, short_cost

if TYPE_CHECKING:
    from rich.table import Table

_NAME = "session_name"


def _field(text: str) -> str:
    """Return the name of one field; raises BadParameter for an unknown one."""
    names = parse_fields(text)
    if len(names) > 1:
        raise click.BadParameter("sessions are grouped by one field")
    return names[0]


@click.command()
@click.option(
    "--newest",
    metavar="N",
    type=_options.limit,
    default="100000",
    help="Look at the newest N that match.",
)
@click.option(
    "--group-by",
    "by",
    type=_field,
    metavar="FIELD",
    default="name",
    help="One row for each value of it: model, commit, versions.openai, user_properties.id.",
)
@_options.store
@_options.as_json
@_options.filtered
def stats(query: Query, newest: int, by: str, store: str | None, as_json: bool) -> None:
    """Show calls, errors, durations, tokens and cost per name; percentiles are nearest-rank."""
    with told(store) as reader, patience("counting"):
        if by == _NAME:
            found = reader.summary(query, newest)
            usages = per_name(reader, query, newest)
        else:
            newest = min(newest, NEWEST)
            found, usages = grouped(reader, query, newest, by)
        none = "" if found else missed(reader, reader.where, "no session meets these conditions")
    if as_json:
        for each in found:
            usage = usages.get(each.session_name)
            emit(_json(each, by) | ({"usage": usage.to_dict()} if usage else {}))
        return
    if not found:
        say(none)
        return
    head = "name" if by == _NAME else by
    rows = [_row(each, usages.get(each.session_name, Usage())) for each in found]
    table(_table(rows, (head, *_HEADERS[1:])))
    if sum(each.calls for each in found) == newest:
        more = "; --newest takes more" if by == _NAME else ", whose values are read"
        say(f"of the newest {newest:,} sessions{more}")
    if by == _NAME and usages and sum(each.calls for each in found) > NEWEST:
        say(f"tokens and cost are those of the newest {NEWEST:,} sessions")


def _json(each: NameSummary, by: str) -> dict[str, Any]:
    fields = each._asdict()
    return fields if by == _NAME else {"group": fields.pop("session_name"), **fields}


_USAGE = ("tokens", "cost")
_HEADERS = ("name", "calls", "errors", "p50", "p95", "p99", "max", *_USAGE, "slowest")
_FIRST_TO_GO = ("slowest", "max", "p99", "p95", "cost", "tokens", "p50")
"""Columns that a narrow terminal is not shown, the first of them first."""
_NARROWEST = 16


def _table(rows: list[list[Line]], heads: Sequence[str]) -> Table:
    """A narrow terminal gets fewer columns, and long names cut, but figures are whole."""
    widths = {
        head: max(len(head), *(row[n].width for row in rows)) + 2 for n, head in enumerate(heads)
    }
    names = widths.pop(heads[0])
    for head in _USAGE:  # a program without model calls has no such columns
        if not any(row[heads.index(head)].plain for row in rows):
            del widths[head]
    for head in _FIRST_TO_GO:
        if out().width - sum(widths.values()) >= min(names - 2, _NARROWEST):
            break
        widths.pop(head, None)
    free = max(out().width - sum(widths.values()), _NARROWEST)
    found = columns(heads[0], *widths, right=_HEADERS[1:-1])
    for row in rows:
        cells = dict(zip(heads, row, strict=True))
        found.add_row(row[0].cut(free).for_rich(), *(cells[head].for_rich() for head in widths))
    return found


def _row(each: NameSummary, usage: Usage) -> list[Line]:
    durations = (each.p50, each.p95, each.p99, each.max)
    return [
        Line(one_line(each.session_name or "(none)", 60), "bold"),
        Line(f"{each.calls:,}"),
        Line(f"{each.errors:,}", "red" if each.errors else "dim"),
        *(Line("" if ms is None else duration_text(ms)) for ms in durations),
        Line("" if usage.total_tokens is None else f"{usage.total_tokens:,}"),
        Line(short_cost(usage)),
        Line(one_line(each.slowest_id or "", 60)[:SHORT], "cyan"),
    ]
