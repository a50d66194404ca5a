"""`list` and `search`: sessions, one on a line."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import islice

import click

from .._record.record import Record
from ..errors import ConfigurationError
from ..lookup.running import with_running
from ..lookup.stamps import Version, codes
from ..lookup.usage import Usage
from ..store import Query, Reader
from . import _options
from ._recent import remember
from ._rows import Rows, parse_fields
from ._target import config, missed, pages, told
from ._terminal import emit, one_line, out, patience, say
from ._usage import page_usage

_limit = click.option(
    "--limit", "-n", metavar="N", type=_options.limit, default="20", help="Show at most N."
)

_SORTED = 10_000
"""Matching sessions, the newest first, that `--sort` looks at."""

_AT_ONCE = 1_000


def _version(text: str) -> Version:
    """Return the condition that `openai=2.1` states."""
    try:
        return Version.parse(text)
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from None


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
@click.option("--commit", metavar="TEXT", help="Only with the commit that begins so.")
@click.option(
    "--version",
    type=_version,
    metavar="NAME=TEXT",
    help="Only with this version of a library, or its beginning: openai=2.1.",
)
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
    version: Version | None,
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
            wanted = [] if version is None else [version]
            wanted += [Version("commit", commit)] if commit else []
            if wanted:
                found = _of_code(everything, query, wanted)
            else:
                found = _sorted(everything, query, sort)
        _print(everything, found, fields, as_json, marks=marks)
        if not found:
            say(missed(reader, reader.where, "no session meets these conditions"))


def _of_code(reader: Reader, query: Query, wanted: Sequence[Version]) -> Sequence[Record]:
    """Return the newest sessions that ran with these versions."""
    found: list[Record] = []
    looked_at = islice(pages(reader, query), _SORTED)
    while some := list(islice(looked_at, _AT_ONCE)):
        known = codes(reader, some)
        for record in some:
            code = known.get(record.event_id)
            if code is not None and all(each.met(code) for each in wanted):
                found.append(record)
        if len(found) >= query.limit:
            break
    return found[: query.limit]


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
