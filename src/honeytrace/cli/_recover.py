"""`recover` delivers records that dead processes left; `refused` shows those nobody took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .._record.record import Item, Update
from ..sinks import Delivery, Sink
from ..sinks.store import StoreSink
from . import _options
from ._deliver import Courier
from ._line import Line
from ._target import config, open_store
from ._terminal import clock, counted, emit, one_line, progress, say, write

if TYPE_CHECKING:
    from .._durability.quarantine import Refused
    from .._durability.recovery import Deliver, Recovered


@click.command()
@_options.store
@_options.as_json
def recover(store: str | None, as_json: bool) -> None:
    """Deliver records that dead processes left.

    Every traced process does so when it starts. Records go where sessions go: to the API with a key
    and without --store, otherwise into the store. The exit status is 1 when a journal was
    damaged, which is then kept in `damaged/` beside it, or a record was refused: `honeytrace
    refused` shows it.
    """
    from .._durability.recovery import recover_all

    found = _delivered(store, "recover", recover_all)
    if as_json:
        emit(asdict(found))
    else:
        say(
            f"{counted(found.records, 'record')} recovered from"
            f" {counted(found.journals, 'journal')}; {found.interrupted:,} of them were running"
        )
    if found.damaged or found.refused:
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--retry", is_flag=True, help="Deliver them once more.")
@_options.store
@_options.as_json
def refused(retry: bool, store: str | None, as_json: bool) -> None:
    """List records that no destination took, or deliver them once more.

    They are set aside in `refused/` beside the journal, each with the reason. The exit status is 1
    when any was refused again.
    """
    if retry:
        _retry(store, as_json)
        return
    from .._durability.directories import candidates
    from .._durability.quarantine import refused

    nothing = True
    for directory in candidates(config(store).journal):
        for each in refused(directory):
            nothing = False
            _show(each, as_json)
    if nothing and not as_json:
        say("no record is set aside")


def _retry(store: str | None, as_json: bool) -> None:
    from .._durability.recovery import retry_refused

    found = _delivered(store, "retry", retry_refused)
    if as_json:
        emit({"delivered": found.records, "refused": found.refused})
    else:
        say(f"{counted(found.records, 'record')} delivered, {found.refused:,} refused again")
    if found.refused:
        raise click.exceptions.Exit(1)


def _show(each: Refused, as_json: bool) -> None:
    item = each.item
    name = None if isinstance(item, Update) else item.event_name
    if as_json:
        told = {"session_id": item.event_id, "session_name": name}
        emit(told | {"reason": each.reason, "since": each.since, "path": each.path})
        return
    called = "(an update)" if name is None else one_line(name, 40)
    line = Line.assemble((f"{clock(each.since)}  ", "dim"), one_line(item.event_id, 60))
    write(line.append(f"  {called}  ").append(one_line(each.reason, 500), "red"))


def _delivered(
    store: str | None, doing: str, act: Callable[[str, Deliver], Recovered]
) -> Recovered:
    """Deliver the records that `act` finds beside the journals, and return the counts."""
    with Courier(_destination(store)) as courier, progress(doing, None) as done:

        def deliver(batch: list[Item]) -> Delivery:
            fate = courier.deliver(batch)
            done(len(batch) - len(fate.retry))
            return fate

        found = act(config(store).journal, deliver)
    courier.tell()
    return found


def _destination(store: str | None) -> Sink:
    """Return the sink to which sessions go."""
    settings = config(store)
    if settings.api_key and store is None:
        from ..sinks.api import ApiSink

        return ApiSink(settings)
    return StoreSink(open_store(store, create=True))
