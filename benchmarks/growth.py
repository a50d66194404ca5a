"""Whether a call costs more where there is more of everything: `python -m benchmarks.growth`.

Tiny calls, delivered to the embedded store, with a growing number of: sessions in the store,
children of one parent, calls around each other, threads. Each size in a fresh process, sizes
interleaved; µs of CPU a call, of the whole process.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import honeytrace
from honeytrace import session, trace_session

from .contenders import environment

SIZES = {
    "sessions in the store": (0, 100_000, 1_000_000),
    "children of one parent": (1_000, 10_000, 100_000),
    "calls around each other": (5, 50, 500),
    "threads": (1, 8, 64),
}
CALLS = 20_000


@trace_session
def tiny(a: int, b: int = 2) -> int:
    return b


@trace_session
def deep(level: int) -> int:
    return 0 if level == 1 else deep(level - 1)


def fill(size: int) -> None:
    for i in range(size):
        tiny(i)
        if i % 50_000 == 0:
            honeytrace.flush(120)


def side_by_side(size: int) -> int:
    with session("parent"):
        for i in range(size):
            tiny(i)
            if i % 1_000 == 999:  # or it would be the volume in flight that grows
                honeytrace.flush(60)
    return size


def nested(size: int) -> int:
    for _ in range(CALLS // size):
        deep(size)
    return CALLS // size * size


def threads(size: int) -> int:
    def work() -> None:
        for i in range(CALLS // size):
            tiny(i)

    workers = [threading.Thread(target=work) for _ in range(size)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return CALLS // size * size


def plain(size: int) -> int:
    for i in range(CALLS):
        tiny(i)
    return CALLS


RUNS: dict[str, Callable[[int], int]] = {
    "sessions in the store": plain,
    "children of one parent": side_by_side,
    "calls around each other": nested,
    "threads": threads,
}


def one(what: str, size: int) -> float:
    """In this process: µs a call."""
    sys.setrecursionlimit(10_000)
    run = RUNS[what]
    run(min(size, 1_000))  # warm
    honeytrace.flush(120)
    gc.collect()
    begin = time.process_time_ns()
    calls = run(size)
    if not honeytrace.flush(120):
        raise RuntimeError("not everything was delivered")
    return (time.process_time_ns() - begin) / calls / 1000


def spawned(home: Path, *arguments: Any) -> str:
    command = [sys.executable, "-m", "benchmarks.growth", *map(str, arguments)]
    done = subprocess.run(
        command, check=True, cwd=home, env=environment(str(home)), stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def measured(rounds: int) -> dict[str, dict[int, list[float]]]:
    found: dict[str, dict[int, list[float]]] = {what: {} for what in SIZES}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        filled = {}
        for size in SIZES["sessions in the store"]:
            filled[size] = Path(scratch) / str(size)
            filled[size].mkdir()
            spawned(filled[size], "--fill", size)
        for turn in range(rounds):
            for what, sizes in SIZES.items():
                for size in sizes:
                    home = filled[size if what == "sessions in the store" else 0]
                    if what != "sessions in the store":
                        shutil.rmtree(home / ".honeytrace", ignore_errors=True)
                    us = float(spawned(home, "--what", what, "--size", size))
                    found[what].setdefault(size, []).append(us)
            print(f"round {turn + 1} of {rounds}", file=sys.stderr)
    return found


def markdown(found: dict[str, dict[int, list[float]]]) -> str:
    lines = ["| | how many | µs a call (low to high) | of the fewest |", "|---|---|---|---|"]
    for what, sizes in found.items():
        base = next(iter(sizes.values()))
        for size, times in sizes.items():
            ratio = statistics.median(t / b for t, b in zip(times, base, strict=True))
            lines.append(
                f"| {what} | {size:,} | {statistics.median(times):.1f} "
                f"({min(times):.1f} to {max(times):.1f}) | {ratio:.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--what", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fill is not None:
        fill(args.fill)
        honeytrace.flush(120)
    elif args.what is not None:
        print(one(args.what, args.size))
    else:
        found = measured(args.rounds)
        if args.json:
            args.json.write_text(json.dumps(found, indent=1))
        print(markdown(found))


if __name__ == "__main__":
    main()
