"""Notes in a journal's header about its process: who it is, when it was last seen, how it ended.

They are written beside the header proper, in the rest of the first slot, and are for people:
nothing depends on them, so a note that is missing or damaged is as if it had never been written.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from struct import Struct
from typing import Any, NamedTuple, Protocol

from .._base.lazy import orjson
from .journal_format import SLOT

SEEN, _SEEN_AT = Struct("<Q"), 48
"""Wall clock in ns at which the process last noted that it lives; 0: never."""
_DEAD_AT = 56
"""Offset of a byte that is 1 once the process is known to be dead, and the file is recovered."""
_LENGTH = Struct("<H")
_FACTS, _END = (64, 256), (256, SLOT)
"""Bounds of two JSON objects, each after its length in bytes."""

PULSE = 1.0
"""Seconds between two notes that the process lives, while calls are open."""


class Writable(Protocol):
    """The memory of a journal, as `Memory` writes it."""

    def write(self, offset: int, data: bytes, checksum: int) -> int: ...


class Notes(NamedTuple):
    """The notes of one journal. `seen` is epoch milliseconds; None where nothing was noted."""

    seen: float | None = None
    facts: Mapping[str, Any] = {}
    """`pid`, `born` (ticks since the boot), `boot`, `program`, `cgroup`, and `oom`, the number of
    processes that the kernel had killed in that cgroup for want of memory."""
    end: Mapping[str, Any] | None = None
    """`at` and `error`, if the interpreter ended in order: the type of the exception, or None."""
    is_dead: bool = False


def write_facts(memory: Writable) -> None:
    """Note who writes this journal."""
    _write(memory, _FACTS, process_facts())


def write_seen(memory: Writable) -> None:
    """Note that the process lives now."""
    memory.write(_SEEN_AT, SEEN.pack(time.time_ns()), 0)


def write_end(memory: Writable) -> None:
    """Note that the interpreter ends in order, and the type of the exception that ends it."""
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    ended = {"at": time.time_ns() / 1e6, "error": None if error is None else type(error).__name__}
    _write(memory, _END, ended)


def mark_dead(fd: int) -> None:
    """Note that this file's process is dead, since its recovery holds the same lock as it did."""
    with suppress(OSError):
        os.pwrite(fd, b"\1", _DEAD_AT)


def read_notes(fd: int) -> Notes:
    """Return the notes in an open journal."""
    head = os.pread(fd, SLOT, 0)
    if len(head) < SLOT:
        return Notes()
    seen = SEEN.unpack_from(head, _SEEN_AT)[0]
    facts, end = _read(head, _FACTS), _read(head, _END)
    return Notes(seen / 1e6 if seen else None, facts or {}, end, head[_DEAD_AT] == 1)


def process_facts() -> dict[str, Any]:
    """Return what can identify this process later, and tell how it died. Reads `/proc` alone."""
    facts: dict[str, Any] = {"pid": os.getpid()}
    with suppress(OSError, ValueError, IndexError):
        facts["born"] = started_at(os.getpid())
    with suppress(OSError):
        facts["boot"] = boot()
    cgroup = own_cgroup()
    if cgroup is not None:
        facts["oom"] = oom_kills(cgroup)
        facts["cgroup"] = cgroup
    argv = getattr(sys, "argv", None) or [""]
    facts["program"] = os.path.basename(str(argv[0]))[:40]
    return facts


def started_at(pid: int) -> int:
    """Return the start of a process in clock ticks since the boot. Raises OSError."""
    return int(stat_fields(pid)[19])


def stat_fields(pid: int) -> list[str]:
    """Return the fields of `/proc/PID/stat` from the third on. Raises OSError."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def boot() -> str:
    """Return the beginning of the id of this boot of the machine. Raises OSError."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read(8)


def own_cgroup() -> str | None:
    """Return the file that counts the OOM kills of this process's cgroup, if it can be read."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return None
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if not controllers:
            named = f"/sys/fs/cgroup{path.rstrip('/')}/memory.events"
        elif "memory" in controllers.split(","):
            named = f"/sys/fs/cgroup/memory{path.rstrip('/')}/memory.oom_control"
        else:
            continue
        if len(named) <= 90 and oom_kills(named) is not None:
            return named
    return None


def oom_kills(path: str) -> int | None:
    """Return the number of OOM kills that this file counts; None if it cannot be read."""
    with suppress(OSError, ValueError), open(path, encoding="ascii") as file:
        for line in file:
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return None


def _write(memory: Writable, place: tuple[int, int], note: Mapping[str, Any]) -> None:
    """Write a note, its length last; one that does not fit is left out."""
    start, end = place
    data = orjson.dumps(note)
    if start + _LENGTH.size + len(data) <= end:
        memory.write(start + _LENGTH.size, data, 0)
        memory.write(start, _LENGTH.pack(len(data)), 0)


def _read(head: bytes, place: tuple[int, int]) -> dict[str, Any] | None:
    start, end = place
    (length,) = _LENGTH.unpack_from(head, start)
    if not 0 < length <= end - start - _LENGTH.size:
        return None
    try:
        note = orjson.loads(head[start + _LENGTH.size :][:length])
    except ValueError:
        return None
    return note if isinstance(note, dict) else None
