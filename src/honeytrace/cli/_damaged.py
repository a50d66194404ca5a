"""`damaged` shows the files that recovery could not read in full, and their readable part."""

from __future__ import annotations

import click

from . import _options
from ._line import Line
from ._target import config
from ._terminal import clock, counted, emit, one_line, say, write


@click.command()
@_options.store
@_options.as_json
def damaged(store: str | None, as_json: bool) -> None:
    """List files of dead processes that could not be read in full.

    Recovery delivers the readable part of a journal and keeps the file in `damaged/` beside it.
    Each file is listed with its size on disk, its readable records, and the reason.
    """
    from .._durability.damaged import damaged
    from .._durability.directories import candidates

    nothing = True
    for directory in candidates(config(store).journal):
        for each in damaged(directory):
            nothing = False
            if as_json:
                emit(each._asdict())
                continue
            line = Line.assemble((f"{clock(each.since)}  ", "dim"), one_line(each.path, 200))
            line.append(f"  {each.size:,} bytes, {counted(each.readable, 'record')} readable: ")
            write(line.append(one_line(each.reason, 300), "red"))
    if nothing and not as_json:
        say("no file is damaged")
