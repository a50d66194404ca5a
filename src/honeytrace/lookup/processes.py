"""Living processes that record on this machine, each with the calls it has open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from .._config import NO_JOURNAL
from .._display.text import duration_text, printable
from .._durability.directories import candidates
from .._durability.open_calls import Living, living
from .family import StoreFamily
from .recorded import RecordedSession
from .tree import below, walk

__all__ = ["OpenCall", "RunningProcess", "processes", "running"]

_WORDS = 4
"""Words of a command line that are looked at for the name of the program."""


class OpenCall(NamedTuple):
    """A call that has not ended. `age` is in milliseconds; `depth` counts open calls around it."""

    session: RecordedSession
    depth: int
    age: float


class RunningProcess:
    """A process that records, and its open calls at the moment `at` (epoch milliseconds).

    All of `calls` were open at that moment: each call stands before those that run inside it.
    """

    def __init__(self, found: Living) -> None:
        self.pid = found.pid
        self.program = program(found.pid)
        """Interpreter and script; the other arguments may hold secrets and are not read."""
        self.journal = found.path
        self.at = found.at
        self.calls = list(_stacked(found))

    def tree(self) -> str:
        """The open calls as text: names, ages, and nesting."""
        return "\n".join(
            f"{'  ' * call.depth}{printable(call.session.session_name[:160])}"
            f"  {duration_text(call.age)}"
            for call in self.calls
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything that is known, for JSON. Times and ages are milliseconds."""
        return {
            "pid": self.pid,
            "program": self.program,
            "at": self.at,
            "journal": self.journal,
            "calls": [
                {
                    "session_id": call.session.session_id,
                    "session_name": call.session.session_name,
                    "event_type": call.session.event_type,
                    "parent_id": call.session.parent_id,
                    "root_id": call.session.root_id,
                    "depth": call.depth,
                    "start_time": call.session.start_time,
                    "age": call.age,
                    "inputs": call.session.inputs,
                }
                for call in self.calls
            ],
        }

    def __repr__(self) -> str:
        return f"<RunningProcess {self.pid} {self.program!r}: {len(self.calls)} open calls>"


def running(journal: str | None = None) -> list[RunningProcess]:
    """Return the living processes that record here, this one included, with their open calls.

    Nothing is asked of these processes, and nothing is written: their journals are read. Processes
    without a journal are not seen. On Windows there are no journals, and the list is empty.

    journal: the directory that the processes are configured with; by default the one that is
    configured here.
    """
    from .._runtime.runtime import settings  # 10 ms that other processes' calls do not need

    return processes(settings().journal if journal is None else journal)


def processes(journal: str) -> list[RunningProcess]:
    """Return the living processes whose journals belong to this setting, in order of pid."""
    if journal == NO_JOURNAL:
        return []
    found = (each for directory in candidates(journal) for each in living(directory))
    return sorted((RunningProcess(each) for each in found), key=lambda each: each.pid)


def program(pid: int) -> str:
    """Return the interpreter and script of a process; empty where the system does not tell."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(8192).decode(errors="replace").rstrip("\0").split("\0")[:_WORDS]
    except OSError:
        return ""
    name = os.path.basename(words[0])
    for number, word in enumerate(words[1:], start=1):
        if word in ("-m", "-c"):
            module = words[number + 1 : number + 2] if word == "-m" else ["…"]
            return " ".join([name, word, *module])
        if not word.startswith("-"):
            return f"{name} {os.path.basename(word)}"
    return name


def _stacked(found: Living) -> Iterator[OpenCall]:
    from ..store.memory import MemoryStore  # 4 ms

    store = MemoryStore(limit=max(len(found.calls), 1))
    store.insert(found.calls)
    family = StoreFamily(store)
    sessions = [family.load(call) for call in found.calls]
    ids = {each.session_id for each in sessions}
    for top in sessions:
        if top.parent_id not in ids:
            inside = [each for each in sessions if each.root_id == top.root_id]
            for each, place in walk(top, below(top, inside)):
                yield OpenCall(each, place.depth, max(found.at - each.start_time, 0.0))


for _public in (OpenCall, RunningProcess, running):
    _public.__module__ = "honeytrace"  # where users find them
