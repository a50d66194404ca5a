"""Journals of dead processes, read and left where they are for the recovery."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from .._base.lazy import logger
from .._record.record import Item, Record
from .death import death
from .journal_format import DamagedError, NewerFormatError
from .journal_notes import read_notes
from .journal_reader import Reader
from .open_calls import is_living, journals, opened

__all__ = ["Dead", "dead", "left"]


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
            found = _read(path, fd, kernel_log=True)
            calls = [item for item in found[1] if isinstance(item, Record)] if found else []
            if found and calls:
                yield Dead(path, found[0], calls)


def left(directory: str, most: int) -> list[Item]:
    """Return calls and updates that dead processes left in `directory`, those of the process that
    wrote last first; at most `most` in all, of each process the newest.

    The destination may have some of them already.
    """
    found: list[Item] = []
    for path in sorted(journals(directory), key=_written, reverse=True):
        if len(found) >= most:
            break
        with opened(path) as fd:
            if fd is not None and not is_living(fd):
                read = _read(path, fd, most=most - len(found))
                found += read[1] if read else ()
    return found


def _read(
    path: str, fd: int, most: int | None = None, *, kernel_log: bool = False
) -> tuple[Mapping[str, Any], list[Item]] | None:
    """Return what is known of a process's death and what it left, at most the newest `most`; None
    if its journal cannot be read."""
    try:
        reader = _Newest(fd, most)
        reader.death = death(read_notes(fd), reader.last_start, kernel_log=kernel_log)
        return reader.death, [item for _, item in reader.items()]
    except (DamagedError, NewerFormatError, OSError) as error:
        logger.debug("honeytrace cannot read %s: %s", os.path.basename(path), error)
        return None


class _Newest(Reader):
    """A reader of the newest `most` calls and updates of a journal, or of all."""

    def __init__(self, fd: int, most: int | None) -> None:
        super().__init__(fd)
        if most is not None:
            del self._entries[:-most]


def _written(path: str) -> float:
    with suppress(OSError):
        return os.stat(path).st_mtime
    return 0.0
