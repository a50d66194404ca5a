"""Journals of dead processes, read and left where they are for the recovery."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .._base.lazy import logger
from .._record.record import Record
from .death import death
from .journal_format import DamagedError, NewerFormatError
from .journal_notes import read_notes
from .journal_reader import Reader
from .open_calls import is_living, journals, opened

__all__ = ["Dead", "dead"]


class Dead(NamedTuple):
    """A dead process: what is known of its death, and its calls that no store has yet."""

    path: str
    death: Mapping[str, Any]
    calls: list[Record]
    """In order of start; those that were open have the status `interrupted`."""


def dead(directory: str) -> Iterator[Dead]:
    """Yield the dead processes that left a journal with calls in `directory`.

    A journal that cannot be read is left out; the recovery deals with it.
    """
    for path in journals(directory):
        with opened(path) as fd:
            if fd is None or is_living(fd):
                continue
            try:
                reader = Reader(fd)
                reader.death = death(read_notes(fd), reader.last_start, kernel_log=True)
                calls = [item for _, item in reader.items() if isinstance(item, Record)]
            except (DamagedError, NewerFormatError, OSError) as error:
                logger.debug("honeytrace cannot read %s: %s", os.path.basename(path), error)
                continue
            if calls:
                yield Dead(path, reader.death, calls)
