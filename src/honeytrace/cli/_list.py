"""`list` and `search`: sessions, one on a line."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import islice

import click

from .._record.record import Record
from ..lookup.running import with_running
from ..lookup.usage import Usage
from ..store import Query, Reader
from . import _options
from ._recent import remember
from ._rows import Rows, parse_fields, stamp
from ._target import config, missed, pages, told
from ._terminal import emit, one_line, out, patience, say
from ._usage import page_usage

_limit = click.option(
    "--limit", "-n", metavar="N", type=_options.limit, default="20", help="Show at most N."
)

_SORTED = 10_000
"""Matching sessions, the newest first, that `--sort` looks at."""

_sort = click.option(
    "--sort",
    type=click.Choice(("started", "duration", "tokens", "cost", "name")),
    default="started",
    help="Largest or newest first.",
)
_fields = click.option(
    "--fields",
    type=parse_fields,
    metavar="NAMES",
    help="Print these fields, separated by tabs: name,duration,metrics.score.",
)
_web = click.option("--web", is_flag=True, help="Open the list in the viewer instead.")


@click.command("list")
@_limit
@_options.nested
@_sort
@_fields
@_web
@click.option("--marks", is_flag=True, help="Show what is unusual: loops, retries, slow calls, …")
@click.option("--commit", metavar="TEXT", help="Only runs of the commit that begins so.")
@_options.budget
@_options.store
@_options.as_json
@_options.filtered
def list_(
    query: Query,
    limit: int,
    nested: bool,
    sort: str,
    fields: list[str] | None,
    web: bool,
    marks: bool,
    commit: str | None,
    budget: int | None,
    store: str | None,
    as_json: bool,
) -> None:
    """List the newest runs, also those under way.

    Other commands take #1, #2, … for the sessions of the last list.
    """
    if web:
        from ._serve import open_viewer

        open_viewer(store, "/")
        return
    query = query._replace(limit=limit, roots_only=not nested)
    with told(store) as reader:
        everything = with_running(reader, config(store).journal)
        if as_json and budget:
            _told(everything, query, budget)
            return
        with patience("looking"):
            if commit:
                found = _of_commit(everything, query, commit)
            else:
                found = _sorted(everything, query, sort)
        _print(everything, found, fields, as_json, marks=marks)
        if not found:
            say(missed(reader, reader.where, "no session meets these conditions"))


def _of_commit(reader: Reader, query: Query, commit: str) -> Sequence[Record]:
    """Return the newest runs that were recorded at this commit."""
    looked_at = islice(pages(reader, query._replace(roots_only=True)), _SORTED)
    met = (record for record in looked_at if str(stamp(record, "commit")).startswith(commit))
    return list(islice(met, query.limit))


def _told(reader: Reader, query: Query, budget: int) -> None:
    """Print the sessions as one document within a budget of tokens."""
    from ..lookup.evidence.finding import find

    emit(find(reader, query, "the same conditions", None, 0, budget).text.encode())


def _sorted(reader: Reader, query: Query, by: str) -> Sequence[Record]:
    """Return the first `query.limit` sessions in this order."""
    if by == "started":
        return reader.list(query)
    records = list(islice(pages(reader, query), _SORTED))
    if len(records) == _SORTED:
        say(f"sorted among the newest {_SORTED:,} sessions that match; --since takes others")
    if by == "name":
        return sorted(records, key=lambda record: record.event_name)[: query.limit]
    usages = page_usage(reader, records) if by in ("tokens", "cost") else {}
    keys: dict[str, Callable[[Record], float]] = {
        "duration": lambda record: record.duration or 0.0,
        "tokens": lambda record: usages.get(record.event_id, Usage()).total_tokens or 0,
        "cost": lambda record: usages.get(record.event_id, Usage()).cost or 0.0,
    }
    return heapq.nlargest(query.limit, records, key=keys[by])


def _print(
    reader: Reader,
    found: Sequence[Record],
    fields: Sequence[str] | None,
    as_json: bool,
    *,
    marks: bool = False,
) -> None:
    numbered = out().is_terminal and not as_json
    rows = Rows(reader, as_json=as_json, fields=fields or (), numbered=numbered, marks=marks)
    rows.print(found)
    if numbered:
        remember([record.event_id for record in found])


@click.command()
@click.argument("words", metavar="WORD...", nargs=-1, required=True)
@_limit
@click.option("--roots", is_flag=True, help="Leave nested calls out.")
@_fields
@_options.budget
@_options.store
@_options.as_json
@_options.filtered
def search(
    query: Query,
    words: tuple[str, ...],
    limit: int,
    roots: bool,
    fields: list[str] | None,
    budget: int | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Search names, inputs, outputs and errors for calls that have every word.

    The last word may be the beginning of one.
    """
    with told(store) as reader:
        text = " ".join(words)
        if as_json and budget:
            _told(reader, query._replace(text=text, roots_only=roots), budget)
            return
        with patience("searching"):  # the first search of a large store makes the text index
            found = reader.list(query._replace(text=text, limit=limit, roots_only=roots))
        _print(reader, found, fields, as_json)
        if not found:
            say(missed(reader, reader.where, f"no session has {one_line(text, 60)!r}"))
