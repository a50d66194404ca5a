"""What a traced call costs, as ratios in one run: `python -m benchmarks`.

Every round measures every tracer on every workload, one after the other; the table has the median
of the rounds and, in brackets, their spread. Ratios are taken round by round, so that a machine
whose speed drifts moves both sides. The caller's side is wall time of one thread with the flush
thread idle; the whole process is CPU time of all threads, delivery to the store included.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import honeytrace
from honeytrace import paused, trace_session
from honeytrace._context import hot

from .workloads import FLOOR_QUEUE, WORKLOADS, Workload, floor, passthrough

Round = dict[str, float]


def caller_side(call: Callable[[], Any], calls: int) -> float:
    """Microseconds a call, in this thread; what is recorded goes to a list nobody reads."""
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - start) / calls / 1000


def whole_process(call: Callable[[], Any], calls: int) -> float:
    """Microseconds of CPU a call, all threads, until everything is delivered."""
    start = time.process_time_ns()
    for _ in range(calls):
        call()
    if not honeytrace.flush(60):
        raise RuntimeError("not everything was delivered")
    return (time.process_time_ns() - start) / calls / 1000


def callers(workload: Workload) -> Round:
    """One round on the caller's side."""
    submitted: list[Any] = []
    submit = hot.submit
    sides = {
        "untraced": workload.make(lambda fn: fn),
        "pass-through": workload.make(passthrough),
        "floor": workload.make(floor),
        "honeytrace": workload.make(trace_session),
    }
    found: Round = {}
    hot.submit = submitted.append
    try:
        for name, call in sides.items():
            call()
            gc.collect()
            found[name] = caller_side(call, workload.calls)
            FLOOR_QUEUE.clear()
            submitted.clear()
        with paused():
            found["recording off"] = caller_side(sides["honeytrace"], workload.calls)
    finally:
        hot.submit = submit
    return found


def store(workload: Workload) -> Round:
    """One round of the whole process, delivering to the embedded store."""
    honeytrace.flush(60)
    return {"embedded store": whole_process(workload.make(trace_session), workload.calls)}


def import_cost() -> float:
    """Milliseconds that `import honeytrace` adds to a bare interpreter, best of five."""

    def once(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return (time.perf_counter() - start) * 1000

    return min(once("import honeytrace") for _ in range(5)) - min(once("pass") for _ in range(5))


def summary(rounds: list[Round], over: str) -> dict[str, dict[str, float]]:
    """Per tracer: the median and spread of the microseconds, and of the ratio to `over`."""
    table = {}
    for name in rounds[0]:
        times = sorted(r[name] for r in rounds)
        ratios = [r[name] / r[over] for r in rounds]
        table[name] = {
            "us": statistics.median(times),
            "low": times[0],
            "high": times[-1],
            "ratio": statistics.median(ratios),
        }
    return table


def markdown(results: dict[str, Any]) -> str:
    lines = ["| workload | tracer | µs a call | of the floor |", "|---|---|---|---|"]
    for workload, table in results["workloads"].items():
        for name, row in table.items():
            lines.append(
                f"| {workload} | {name} | {row['us']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
                f" | {row['ratio']:.2f} |"
            )
    lines.append(f"\n`import honeytrace`: {results['import_ms']:.0f} ms over bare Python.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    args = parser.parse_args()
    results: dict[str, Any] = {"python": platform.python_version(), "workloads": {}}
    with tempfile.TemporaryDirectory() as directory:
        honeytrace.configure(store=f"{directory}/sessions.db", queue_bytes=2_000_000_000)
        for workload in WORKLOADS:
            rounds = [{**callers(workload), **store(workload)} for _ in range(args.rounds)]
            results["workloads"][workload.name] = summary(rounds, over="floor")
        honeytrace.shutdown()
    results["import_ms"] = import_cost()
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    print(markdown(results))


if __name__ == "__main__":
    main()
