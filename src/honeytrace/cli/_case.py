"""`case add` keeps a recorded call as a case; `check` runs cases."""

from __future__ import annotations

import os
import sys

import click

from ..errors import ReplayError
from ..lookup.replays import new_run
from . import _options
from ._target import config, find, known, offered
from ._terminal import emit, say


@click.group()
def case() -> None:
    """Keep recorded calls as cases that `check` runs."""


@case.command()
@click.argument("wanted", metavar="ID", shell_complete=offered)
@click.argument("path", metavar="FILE")
@click.option("--recorded", multiple=True, metavar="NAME", help="Answer NAME, or model or tool.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="Give an argument.")
@click.option(
    "--compare", multiple=True, metavar="PATH=RULE", help="same, shape, any, MODULE:NAME."
)
@_options.store
def add(
    wanted: str,
    path: str,
    recorded: tuple[str, ...],
    given: tuple[str, ...],
    compare: tuple[str, ...],
    store: str | None,
) -> None:
    """Write the recorded call ID as a case: function, inputs, outcome, and how to compare.

    --recorded model writes the answers of its model calls beside it. The ID of a replay stands for
    its new run.
    """
    from .._replay.cases import add_case

    with known(store, wanted) as reader:
        session = new_run(find(reader, wanted, config(store)))
        made = add_case(
            session,
            path,
            recorded=recorded,
            given=dict(map(_pair, given)),
            compare=dict(map(_pair, compare)),
        )
    say(f"{made.name} written: review it, then `honeytrace check {made.name}`")


@click.command()
@click.argument("places", metavar="[FILE]...", nargs=-1)
@click.option("--accept", is_flag=True, help="Write what is now into the cases that changed.")
@_options.as_json
def check(places: tuple[str, ...], accept: bool, as_json: bool) -> None:
    """Run cases, by default those in tests/cases, and print MATCH or CHANGED for each.

    The exit status is 1 if a case changed or could not run.
    """
    from .._replay.cases import find_cases

    sys.path.insert(0, os.getcwd())
    failed = 0
    for each in find_cases(places or ("tests/cases",)):
        result = each.run()
        if accept and result.changes:
            each.accept(result)
        failed += not result.matches and not (accept and result.after is not None)
        if as_json:
            status = "match" if result.matches else "error" if result.error else "changed"
            changes = result.changes or ([result.error] if result.error else [])
            emit({"case": each.name, "status": status, "changes": changes})
        else:
            click.echo(str(result))
    if failed:
        raise click.exceptions.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ReplayError(f"this is NAME=VALUE, not {text!r}")
    return name, value
