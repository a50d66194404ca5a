"""`evidence`: the six verbs of `mcp` on the command line, each answer within a budget of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ..lookup.evidence import DEFAULT, Reply
from ..lookup.evidence.tools import TOOLS, call
from . import _options
from ._desk import Desk
from ._terminal import emit, say

__all__ = ["evidence", "told"]


@click.group()
def evidence() -> None:
    """Read sessions in few tokens: six verbs that answer with JSON within a budget.

    They are the tools of `honeytrace mcp`. Every answer says what it leaves out, and how to get it.
    """


def told(store: str | None, budget: int, verb: str, arguments: Mapping[str, Any]) -> None:
    """Print the answer of a verb, as one JSON document."""
    desk = Desk(store, budget)
    try:
        with desk.evidence() as found:
            reply: Reply = call(found, verb, arguments)
    finally:
        desk.close()
    emit(reply.text.encode())
    say(f"about {reply.tokens:,} tokens")


def _command(tool: Mapping[str, Any]) -> click.Command:
    """Return the command of a verb: required arguments by place, the others as options."""
    schema = tool["inputSchema"]
    params: list[click.Parameter] = []
    for name, about in schema["properties"].items():
        if name in schema["required"]:
            params.append(click.Argument([name], metavar=name.upper()))
            continue
        kind: Any = {"string": str, "integer": click.IntRange(min=0), "boolean": bool}
        options: dict[str, Any] = {"type": kind[about["type"]], "help": about["description"]}
        if about["type"] == "boolean":
            options["is_flag"] = True
        if "enum" in about:
            options["type"] = click.Choice(about["enum"])
        metavar = None if "enum" in about or about["type"] == "boolean" else "N"
        metavar = "TEXT" if about["type"] == "string" and "enum" not in about else metavar
        params.append(click.Option([f"--{name}"], metavar=metavar, **options))

    def run(budget: int, store: str | None, as_json: bool, **arguments: Any) -> None:
        given = {name: value for name, value in arguments.items() if value not in (None, False)}
        told(store, budget, tool["name"], given)

    command = click.Command(tool["name"], callback=run, help=tool["description"], params=params)
    for option in (_options.as_json, _options.store, _budget):
        command = option(command)
    return command


_budget = click.option(
    "--budget",
    metavar="TOKENS",
    type=click.IntRange(min=400),
    default=DEFAULT,
    help="Tokens of the answer, at most.",
)

for _tool in TOOLS:
    evidence.add_command(_command(_tool))
