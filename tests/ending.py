"""Programs that record and come to an end, and what the next process finds of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore
from surroundings import MODE

PATIENCE = 60.0
"""Seconds after which a test that waits has failed; none of them ever pass in one that holds."""

PRELUDE = """
import honeytrace, os, signal, sys, threading
from honeytrace import trace_session

@trace_session
def call(x):
    return x

@trace_session
def hold(x):
    os.write(1, b"running\\n")  # a handler may interrupt what prints, and then not print itself
    threading.Event().wait()
"""

NEXT = "from honeytrace._runtime.runtime import runtime; runtime().keeper.recover()"
"""What the next process does of itself, in a thread, when it records its first call."""


class Place:
    """A working directory: its programs share a journal and a store, and know of nothing else."""

    def __init__(self, path: Path, **env: str) -> None:
        self.path = path
        self.processes: list[subprocess.Popen[str]] = []
        for name in ("state", "tmp"):
            (path / name).mkdir()
        self.env = {
            "HOME": str(path),
            "XDG_STATE_HOME": str(path / "state"),
            "TMPDIR": str(path / "tmp"),
            "PATH": os.environ["PATH"],
            "HONEYTRACE_JOURNAL_BYTES": "1000000",
            # what is delivered before the end would prove nothing about the end
            "HONEYTRACE_FLUSH_INTERVAL": "600",
            **MODE,
        } | env

    def write(self, name: str, program: str) -> None:
        (self.path / name).write_text(PRELUDE + program)

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """A Python process with these arguments; its output is read by pipes."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.path,
            env=self.env | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def close(self) -> None:
        """Leave no process behind, whatever became of the test, nor any child of one."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with process:
                pass

    def begin(self, program: str, **env: str) -> subprocess.Popen[str]:
        self.write("program.py", program)
        return self.start("program.py", **env)

    def run(self, program: str, code: int = 0, **env: str) -> str:
        """Run a program to its end, which is this exit code; what it said on stdout."""
        process = self.begin(program, **env)
        said, complained = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, complained
        return said

    def after(self) -> list[tuple[Any, str]]:
        """What is stored once the next process has recovered: input and status of each call.

        Nothing is left to recover then, and nothing was damaged.
        """
        process = self.start("-c", NEXT)
        said, complained = process.communicate(timeout=PATIENCE)
        assert (said, complained, process.returncode) == ("", "", 0)
        assert list((self.path / ".honeytrace" / "journal").iterdir()) == []
        return self.stored()

    def stored(self) -> list[tuple[Any, str]]:
        store = SQLiteStore(self.path / ".honeytrace" / "sessions.db", readonly=True)
        try:
            found = store.list(Query(limit=1_000_000))
        finally:
            store.close()
        return sorted((number(record.inputs), record.status) for record in found)


def number(inputs: bytes | None) -> int:
    """The n of `{"x":n}`."""
    return int((inputs or b"")[len('{"x":') : -1])


def ok(*numbers: int) -> list[tuple[int, str]]:
    return [(n, "ok") for n in numbers]


def running(process: subprocess.Popen[str]) -> None:
    """Wait until the program says that it is inside of `hold`."""
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n", process.communicate()[1]
