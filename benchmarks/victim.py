"""A traced program that comes to a bad end: `python -m benchmarks.victim TRACER ARGS END CALLS`.

Prints `done` when the calls are made. The ends are the functions below; `benchmarks.durability`
counts what arrived.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from .worker import tracer
from .workloads import BY_NAME

STUCK = 6.0
"""Seconds after which a forked child that only makes a few traced calls is stuck."""


class Victim:
    def __init__(self, name: str, arguments: list[Any], calls: int) -> None:
        self.decorate, self.flush, _, self.around = tracer(name, arguments)
        self.call = BY_NAME["tiny"].make(self.decorate)
        self.calls = calls

    def made(self, first: int = 0, count: int | None = None) -> None:
        for i in range(first, first + (self.calls if count is None else count)):
            self.call(f"~m{i}~")

    # the ends

    def exits(self) -> None:
        """Make the calls and end; `around` them whatever the tracer asks for."""
        with self.around():
            self.made()
        done()

    def killed(self) -> None:
        self._signalled(signal.SIGKILL)

    def terminated(self) -> None:
        self._signalled(signal.SIGTERM)

    def leaves(self) -> None:
        self.made()
        done()
        os._exit(0)

    def outage(self) -> None:
        """Calls for 20 seconds, then 20 seconds of nothing, then a flush and the end."""
        for i in range(self.calls):
            self.call(f"~m{i}~")
            time.sleep(20 / self.calls)
        time.sleep(20)
        self.flush()
        done()

    def forks(self) -> None:
        """Four forked children share the calls and end by `sys.exit`."""
        self.call("parent")
        share = self.calls // 4
        for i in range(4):
            if os.fork() == 0:
                self.made(i * share, share)
                sys.exit()
        for _ in range(4):
            os.wait()
        done()

    def process(self) -> None:
        """A `multiprocessing` child makes the calls."""
        self.call("parent")
        child = multiprocessing.get_context("fork").Process(target=self.made)
        child.start()
        child.join()
        done()

    def threads(self) -> None:
        """Forks while four threads trace; the children make a fifth of the calls each."""
        going = True

        def busy() -> None:
            while going:
                self.call("parent")
                time.sleep(0.0005)

        for _ in range(4):
            threading.Thread(target=busy, daemon=True).start()
        time.sleep(0.2)
        stuck = sum(self._is_stuck(i * self.calls // 5, self.calls // 5) for i in range(5))
        going = False
        done(f"{stuck} of 5 children stuck")

    def recovers(self) -> None:
        """The next process in the same directory: traces something and lives while it recovers."""
        self.call("next")
        for thread in threading.enumerate():
            if "recovery" in thread.name:
                thread.join(60)
        self.flush()
        done()

    def _signalled(self, number: int) -> None:
        self.made()
        done()
        os.kill(os.getpid(), number)
        signal.pause()

    def _is_stuck(self, first: int, count: int) -> bool:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            self.made(first, count)
            os.write(write, b".")
            sys.exit()
        told = bool(select.select([read], [], [], STUCK)[0])
        deadline = time.monotonic() + STUCK
        while told and time.monotonic() < deadline:
            if os.waitpid(child, os.WNOHANG)[0]:
                return False
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return True


_answers = os.fdopen(os.dup(1), "w")


def done(note: str = "") -> None:
    _answers.write(f"done {note}\n")
    _answers.flush()


def main() -> None:
    os.dup2(2, 1)  # what the libraries print is not for the driver
    name, arguments, end, calls = sys.argv[1:]
    victim = Victim(name, json.loads(arguments), int(calls))
    run: Callable[[], None] = getattr(victim, end)
    run()


if __name__ == "__main__":
    main()
