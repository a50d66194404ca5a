"""What arrives when programs and servers come to a bad end: `python -m benchmarks.durability`.

Each experiment is a real program with a server of its own on loopback. After it has ended, the next
process starts in the same directory with the server up, traces one call and waits for delivery:
what it recovers counts. Cells: delivered of recorded, and the seconds from the last call to the end
of the process. Contenders run side by side, as many as there are cores.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore

from . import peers
from .contenders import Contender, Server, start

LIMIT = 130.0
"""Seconds after its last call in which a program must have ended."""
PATIENCE = 130.0, 0.003
"""Seconds in which it must have made its calls: in all, and more for each."""


@dataclass(frozen=True)
class Experiment:
    title: str
    end: str
    calls: int
    server: str = "up"
    """`up`, `hang`, `gone`, or `late`: up after 20 seconds."""
    latency: float = 0.0


EXPERIMENTS = [
    Experiment("normal exit", "exits", 1_000),
    Experiment("kill -9", "killed", 1_000),
    Experiment("SIGTERM", "terminated", 20),
    Experiment("os._exit", "leaves", 20),
    Experiment("server down for 20 s, then back", "outage", 1_000, "late"),
    Experiment("server gone until the program has ended", "exits", 1_000, "gone"),
    Experiment("server that hangs until the program has ended", "exits", 1_000, "hang"),
    Experiment("four forked children", "forks", 100),
    Experiment("multiprocessing child", "process", 5),
    Experiment("fork while four threads trace", "threads", 25),
    Experiment("100,000 calls, server answers after 100 ms", "exits", 100_000, "up", 0.1),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def contenders() -> list[Contender]:
    ours = [
        Contender("honeytrace: API", "honeytrace", ("sessions", True), "sink"),
        Contender("honeytrace: embedded store", "honeytrace", ("store", True)),
    ]
    return ours + [Contender(name, name, (), "sink") for name in peers.PINS]


class Trial:
    """One contender in one experiment."""

    def __init__(self, contender: Contender, experiment: Experiment) -> None:
        self.contender, self.experiment = contender, experiment
        self.port = free_port()
        self.servers: list[Server] = []

    def run(self) -> dict[str, Any]:
        if self.experiment.server != "up" and not self.contender.server:
            return {}
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            state = {"up": ["ok"], "hang": ["hang"], "gone": [], "late": []}
            for mode in state[self.experiment.server]:
                self.serve(home, mode)
            late = threading.Timer(20, self.serve, [home, "ok"])
            if self.experiment.server == "late":
                late.start()
            found = self.victim(home, self.experiment.end, self.experiment.calls)
            if self.experiment.server == "late":
                late.join()
            if self.experiment.server in ("hang", "gone"):
                self.close()
                self.serve(home, "ok")
            self.victim(home, "recovers", 0)
            found["delivered"] = self.delivered(home)
            self.close()
            return found

    def serve(self, home: str, mode: str) -> None:
        if self.contender.server:
            more = ("--port", str(self.port), "--mode", mode)
            self.servers.append(Server(self.contender, home, self.experiment.latency, *more))

    def close(self) -> None:
        for server in self.servers:
            server.close()
        self.servers.clear()

    def victim(self, home: str, end: str, calls: int) -> dict[str, Any]:
        """Run a program to its end; seconds are None where it had to be killed."""
        contender = self.contender
        arguments = list(contender.arguments)
        if "sessions" in arguments and self.experiment.calls > 10_000:
            arguments[0] = "tree"  # the API takes one session a request, but many events
        arguments.insert(1, f"http://127.0.0.1:{self.port}")
        command = [contender.python, "-m", "benchmarks.victim", contender.worker]
        process = start(
            [*command, json.dumps(arguments), end, str(calls)], home, start_new_session=True
        )
        assert process.stdout is not None
        patience = PATIENCE[0] + calls * PATIENCE[1]
        hanging = threading.Timer(patience, self.kill, [process.pid])
        hanging.start()
        said = process.stdout.readline()
        hanging.cancel()
        begin = time.monotonic()
        try:
            process.wait(timeout=LIMIT)
            seconds: float | None = time.monotonic() - begin
        except subprocess.TimeoutExpired:
            seconds = None
        self.kill(process.pid)
        process.wait()
        process.stdout.close()
        return {"seconds": seconds, "note": said.removeprefix("done").strip(), "made": bool(said)}

    def kill(self, group: int) -> None:
        """End a program, and what it has forked, which may hold its output open."""
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)

    def delivered(self, home: str) -> int:
        """How many of the marked calls arrived, each counted once."""
        if self.servers:
            return self.servers[-1].received()
        store = SQLiteStore(Path(home) / "sessions.db", readonly=True)
        try:
            found = store.list(Query(limit=1_000_000))
            return sum(b"~m" in (record.inputs or b"") for record in found)
        finally:
            store.close()


def cell(experiment: Experiment, found: dict[str, Any]) -> str:
    if not found:
        return "—"
    if not found["made"]:
        return f"never finished; {found['delivered']:,} of {experiment.calls:,}"
    end = "killed" if experiment.end in ("killed", "terminated", "leaves") else None
    if end is None:
        seconds = found["seconds"]
        end = f"no end in {LIMIT:.0f} s" if seconds is None else f"{seconds:.1f} s"
    note = f", {found['note']}" if found["note"] else ""
    return f"{found['delivered']:,} of {experiment.calls:,}, {end}{note}"


def markdown(results: dict[str, dict[str, Any]]) -> str:
    titles = {experiment.title: experiment for experiment in EXPERIMENTS}
    chosen = [title for title in titles if any(title in row for row in results.values())]
    lines = ["| | " + " | ".join(results) + " |", "|---" * (len(results) + 1) + "|"]
    for title in chosen:
        row = [cell(titles[title], found.get(title, {})) for found in results.values()]
        lines.append(f"| {title} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="contenders with one of these words, a,b,c")
    parser.add_argument("--experiments", default="", help="experiments with one of these words")
    parser.add_argument("--json", type=Path, help="write the figures here, over what is there")
    parser.add_argument("--at-once", type=int, default=2, help="trials side by side")
    args = parser.parse_args()

    def wanted(words: str, text: str) -> bool:
        return not words or any(word in text for word in words.split(","))

    trials = [
        Trial(contender, experiment)
        for experiment in EXPERIMENTS
        for contender in contenders()
        if wanted(args.only, contender.label)
        and wanted(args.experiments, experiment.title)
        and (not contender.is_peer or peers.installed(contender.worker))
    ]
    results: dict[str, dict[str, Any]] = {}
    if args.json and args.json.exists():
        results = json.loads(args.json.read_text())
    with ThreadPoolExecutor(args.at_once) as pool:
        for trial, found in zip(trials, pool.map(Trial.run, trials), strict=True):
            results.setdefault(trial.contender.label, {})[trial.experiment.title] = found
            print(trial.contender.label, trial.experiment.title, found, file=sys.stderr)
            if args.json:
                args.json.write_text(json.dumps(results, indent=1))
    print(markdown(results))


if __name__ == "__main__":
    main()
