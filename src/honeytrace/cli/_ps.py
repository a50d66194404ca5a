"""`ps`: the processes that record here, and the calls they have open."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from .._display.text import duration_text
from ..lookup.processes import OpenCall, RunningProcess, processes
from . import _options
from ._line import Line
from ._target import config
from ._terminal import MARKS, counted, emit, one_line, out, say, write
from ._values import FULL, json_text, values

_EVERY = 1.0
"""Seconds between two looks of `--watch`."""

_INPUTS = 2_000
"""Characters of inputs on one line, which a terminal cuts to its width."""


@click.command()
@click.option("--watch", "-w", is_flag=True, help="Look again every second, until Ctrl-C.")
@click.option("--full", is_flag=True, help="Show whole inputs.")
@_options.journal
@_options.as_json
def ps(watch: bool, full: bool, journal: str | None, as_json: bool) -> None:
    """Show every process that records here, and the calls it has open with their ages and inputs.

    The journals of these processes are read; nothing is asked of them, and nothing is written.
    """
    place = journal or config(None).journal
    while True:
        found = processes(place)
        if watch and not as_json and out().is_terminal:
            out().clear()
        if as_json:
            for each in found:
                emit(each.to_dict())
        else:
            _show(found, full)
        if not watch:
            if not found:
                say(f"no living process records in {place}")
            return
        if not as_json:
            write()
        time.sleep(_EVERY)


def _show(found: Sequence[RunningProcess], full: bool) -> None:
    for number, each in enumerate(found):
        if number:
            write()
        count = counted(len(each.calls), "open call") if each.calls else "no open call"
        name = one_line(each.program, 80)
        write(Line.assemble((f"{each.pid}", "bold"), f"  {name}  ", (count, "dim")))
        widest = max((len(_name(call)) for call in each.calls), default=0)
        for call in each.calls:
            _call(call, widest, full)


def _name(call: OpenCall) -> str:
    kind = call.session.event_type
    shown = f" ({kind})" if kind in ("tool", "model") else ""
    return f"{'  ' * min(call.depth, 20)}{one_line(call.session.session_name, 60)}{shown}"


def _call(call: OpenCall, widest: int, full: bool) -> None:
    mark, style = MARKS["running"]
    line = Line.assemble(
        (f"  {mark} ", style),
        f"{_name(call):<{widest}}",
        f"  {duration_text(call.age):>10}  ",
    )
    if call.session.inputs and not full:
        line.append(one_line(json_text(call.session.inputs), _INPUTS), "dim")
    write(line, fit=True)
    if full:
        values(call.session.inputs, FULL)
