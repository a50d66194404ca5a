"""`step_agent` in a process of its own, driven line by line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from surroundings import environ

PROGRAM = Path(__file__).with_name("step_agent.py")


class Agent:
    """A run under way; `run_id` is its session's id."""

    def __init__(self, store: Path) -> None:
        settings = environ(
            HONEYTRACE_STORE=str(store), HONEYTRACE_JOURNAL=str(store.parent / "journal")
        )
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            env=settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.run_id = self._answer()

    def does(self, command: str) -> None:
        """`open NAME` or `close`; returns once it has happened."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self._answer() == "ok"

    def ends(self) -> None:
        """The run ends, and everything is stored."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(60) == 0

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def agent(store: Path) -> Iterator[Agent]:
    """An agent that records into `store`, ended by the end of the block at the latest."""
    started = Agent(store)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait(60)
        for pipe in (started.process.stdin, started.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
