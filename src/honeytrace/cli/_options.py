"""Options that several commands share, and what people write in them."""

from __future__ import annotations

import functools
import inspect
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import typer

from ..errors import ConfigurationError
from ..store import Metric, Query

__all__ = ["AsJson", "StorePath", "duration", "filtered", "moment"]

StorePath = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PATH|URL",
        help="Store: a file, or postgresql://… or clickhouse://…; default: HONEYTRACE_STORE, else"
        " .honeytrace/sessions.db.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

_UNITS = {
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
}


def duration(text: str) -> float:
    """Milliseconds of `200ms`, `1.5s`, `2m`, `3h`, `7d`, `1w`; a bare number is seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zµ]*)", text.strip().lower())
    if found is None or (found[2] or "s") not in _UNITS:
        raise typer.BadParameter(f"{text!r} is no duration: write 200ms, 1.5s, 2m, 3h, 7d or 1w")
    return float(found[1]) * _UNITS[found[2] or "s"] * 1000


def moment(text: str) -> float:
    """Epoch milliseconds of a date and time (local unless it says otherwise), or of `2h` ago."""
    try:
        return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text.strip())).timestamp() * 1000
    except (ValueError, OverflowError):
        pass
    try:
        return time.time() * 1000 - duration(text)
    except typer.BadParameter:
        raise typer.BadParameter(
            f"{text!r} is no time: write 2026-11-22, 2026-11-22T14:30 or, for so long ago, 30m,"
            " 2h or 7d"
        ) from None


def metric(text: str) -> Metric:
    """The condition that `faithfulness<0.5` states."""
    try:
        return Metric.parse(text)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from None


_FILTERS: dict[str, Any] = {
    "project": typer.Option("--project", metavar="TEXT", help="Only this project."),
    "session_name": typer.Option("--name", metavar="TEXT", help="Only this name."),
    "source": typer.Option("--source", metavar="TEXT", help="Only this source."),
    "user": typer.Option(metavar="TEXT", help="Only with this value in user_properties."),
    "status": typer.Option(metavar="TEXT", help="Only this status: ok, error, cancelled, …"),
    "since": typer.Option(
        parser=moment, metavar="TIME", help="Started then or later: 2h (ago), 2026-11-22."
    ),
    "until": typer.Option(parser=moment, metavar="TIME", help="Started before then."),
    "min_duration": typer.Option(
        parser=duration, metavar="DURATION", help="Took this long or longer: 1.5s."
    ),
    "max_duration": typer.Option(
        parser=duration, metavar="DURATION", help="Took this long or less: 200ms."
    ),
    "metric": typer.Option(
        parser=metric, metavar="CONDITION", help="Only where it holds: 'faithfulness<0.5'."
    ),
}
_ERRORS = Annotated[bool, typer.Option("--errors", help="Only failures.")]


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `_FILTERS`, handed to its parameter `query` as a `Query`."""
    signature = inspect.signature(command, eval_str=True)
    own = [each for each in signature.parameters.values() if each.name != "query"]
    options = [_option(name, Annotated[str | None, how], None) for name, how in _FILTERS.items()]
    options.append(_option("errors", _ERRORS, False))

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        conditions = {name: values.pop(name) for name in _FILTERS}
        if values.pop("errors"):
            # a cancelled call has an error's text and is no failure
            conditions |= {"status": "error", "error": True}
        command(query=Query(**conditions), **values)

    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    parameters = [*own, *options]
    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options
