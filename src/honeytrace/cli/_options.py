"""Options that several commands share, and the forms in which people write their values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import click

from .._base.lazy import pattern
from ..errors import ConfigurationError, HoneytraceError
from ..lookup.times import duration_ms, moment_ms
from ..store import Metric, Query

__all__ = [
    "as_json",
    "budget",
    "duration",
    "filtered",
    "journal",
    "limit",
    "moment",
    "nested",
    "store",
]

T = TypeVar("T")

store = click.option(
    "--store",
    metavar="PATH|URL",
    help="Store: a file, or postgresql://… or clickhouse://…; default: HONEYTRACE_STORE, otherwise"
    " .honeytrace/sessions.db.",
)
journal = click.option(
    "--journal",
    metavar="DIR",
    help="Directory of the journals; default: HONEYTRACE_JOURNAL, otherwise .honeytrace/journal.",
)
budget = click.option(
    "--budget",
    metavar="TOKENS",
    type=click.IntRange(min=400),
    help="With --json: an answer of at most so many tokens, as `honeytrace evidence` gives it.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
nested = click.option("--all", "-a", "nested", is_flag=True, help="Include nested calls.")

_STATUSES = ("ok", "error", "running", "cancelled", "interrupted", "closed", "exited")


def duration(text: str) -> float:
    """Return the milliseconds of `200ms`, `1.5s`, `2m`, `3h`, `7d`, `1w`, or of bare seconds."""
    return _parsed(duration_ms, text)


def moment(text: str) -> float:
    """Return the epoch milliseconds of a date and time, of epoch seconds, or of `2h` ago."""
    return _parsed(moment_ms, text)


def _parsed(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from None


def metric(text: str) -> Metric:
    """Return the condition that `faithfulness<0.5` states."""
    return _parsed(Metric.parse, text)


def limit(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is not a number of at least 1")
    return int(text)


_HARMLESS = pattern(r"[\w .:/-]+")
"""Names that a shell may be offered; it might run others."""


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Complete a name, project, source or status from the store."""
    from ._target import opened

    known = list(_STATUSES) if param.name == "status" else []
    field: Any = param.name
    with suppress(HoneytraceError), opened(ctx.params.get("store")) as reader:
        known += reader.values(field)
    found = (name for name in dict.fromkeys(known) if name.startswith(incomplete))
    return [name for name in found if _HARMLESS.fullmatch(name)]


_FILTERS = (
    click.option("--project", metavar="TEXT", help="Only this project.", shell_complete=_names),
    click.option(
        "--name",
        "session_name",
        metavar="TEXT",
        help="Only this name.",
        shell_complete=_names,
    ),
    click.option("--source", metavar="TEXT", help="Only this source.", shell_complete=_names),
    click.option("--user", metavar="TEXT", help="Only with this value in user_properties."),
    click.option(
        "--status",
        metavar="TEXT",
        help="Only this status: ok, error, running, cancelled, …",
        shell_complete=_names,
    ),
    click.option(
        "--since", type=moment, metavar="TIME", help="Started then or later: 2h (ago), 2026-11-22."
    ),
    click.option("--until", type=moment, metavar="TIME", help="Started before then."),
    click.option(
        "--min-duration",
        type=duration,
        metavar="DURATION",
        help="Took this long or longer: 1.5s.",
    ),
    click.option(
        "--max-duration",
        type=duration,
        metavar="DURATION",
        help="Took this long or less: 200ms.",
    ),
    click.option(
        "--metric",
        type=metric,
        metavar="CONDITION",
        help="Only where it holds: 'faithfulness<0.5'.",
    ),
    click.option("--errors", is_flag=True, help="Only failures."),
)
_CONDITIONS = (
    "project",
    "session_name",
    "source",
    "user",
    "status",
    "since",
    "until",
    "min_duration",
    "max_duration",
    "metric",
)


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command the filter options, handed to its parameter `query` as a `Query`."""

    @functools.wraps(command)
    def with_query(*, errors: bool, **values: Any) -> Any:
        conditions = {name: values.pop(name) for name in _CONDITIONS}
        if errors:
            # a cancelled call has an error's text and is no failure
            conditions |= {"status": "error", "error": True}
        return command(query=Query(**conditions), **values)

    for option in reversed(_FILTERS):
        with_query = option(with_query)
    return with_query
