"""What a killed program had told, against what is stored of it."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
from pathlib import Path

from honeytrace._record.record import Record
from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore

THREADS = 4
"""So many calls may have begun, and as many returned, before the program could say so."""


class Told:
    """`begun` maps a call to its caller; the others are numbers of calls."""

    def __init__(self, text: str) -> None:
        self.begun: dict[int, int] = {}
        self.ended: set[int] = set()
        self.closed: set[int] = set()
        self.updated: set[int] = set()
        sets = {"E": self.ended, "C": self.closed, "U": self.updated}
        for line in text[: text.rfind("\n") + 1].splitlines():
            what, *about = line.split()
            if what == "B":
                self.begun[int(about[0])] = int(about[1])
            else:
                sets[what].add(int(about[0]))


def listen(process: subprocess.Popen[str], length: int) -> str:
    """The next `length` bytes that a program tells, at least."""
    assert process.stdout is not None
    told = b""
    while len(told) < length:
        piece = os.read(process.stdout.fileno(), 65_536)
        assert piece, process.communicate()[1]
        told += piece
    return told.decode()


def kill(process: subprocess.Popen[str], chance: random.Random, longest: float) -> str:
    """Kill it at some instant within `longest` seconds; what it has told by then."""
    select.select([], [], [], chance.random() * longest)  # it works meanwhile
    process.send_signal(signal.SIGKILL)
    said, complained = process.communicate()
    assert "Traceback" not in complained
    return said


def stored(path: Path) -> dict[int, Record]:
    """Every session of a store, by number; each call is there once."""
    store = SQLiteStore(path, readonly=True)
    try:
        records = store.list(Query(limit=1_000_000))
    finally:
        store.close()
    found = {json.loads(record.inputs or b"")["n"]: record for record in records}
    assert len(found) == len(records)
    return found


def check(told: Told, found: dict[int, Record]) -> None:
    """Every call that returned is there, whole; every call in flight is, as interrupted."""
    assert not (told.ended | told.closed) - set(found)
    assert {found[n].status for n in told.ended} <= {"ok"}
    assert {found[n].status for n in told.closed} <= {"closed"}
    for n in told.updated:
        assert json.loads(found[n].metrics or b"")["u"] == n
    in_flight = told.begun.keys() - told.ended - told.closed
    assert in_flight <= found.keys()
    silent = [n for n in in_flight if found[n].status != "interrupted"]
    assert len(silent) <= THREADS  # returned, and could not say so any more
    for n in in_flight:
        caller = told.begun[n]
        assert caller < 0 or found[caller].status == "interrupted"
    assert len(found.keys() - told.begun.keys()) <= THREADS
    for record in found.values():
        whole(record)


def whole(record: Record) -> None:
    assert (record.end_time is None) == (record.status == "interrupted")
    inputs = json.loads(record.inputs or b"")
    if record.event_name == "call" and record.status == "ok":
        outputs = json.loads(record.outputs or b"")
        assert outputs == {"n": inputs["n"], "pad": inputs["pad"][: len(inputs["pad"]) // 2]}
