"""Where the caller's time goes, stage by stage: `python -m benchmarks.stages`.

No profiler, which would cost more than what it measures: the stages of a traced call are taken away
one after the other, at the seam through which capture reaches them (`hooks` in
`honeytrace._capture.hooks`), and
what each saves is its cost. All variants are measured in each round; medians over the rounds.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import honeytrace
from honeytrace import paused, trace_session
from honeytrace._capture.hooks import discard, hooks

from .floor import QUEUE, floor, passthrough
from .ours import Nowhere
from .workloads import WORKLOADS, Workload

TAKEN_AWAY: list[tuple[str, dict[str, Any]]] = [
    ("journal", {"opened": discard}),
    ("hand-over to the flush thread", {"submit": discard}),
    ("snapshot of inputs and outputs", {"encode": lambda value, masked, name: b"{}"}),
    ("clocks and id", {"clock_ns": int, "tick": int}),
]


def once(workload: Workload, call: Callable[..., Any]) -> float:
    """µs of CPU a call, of this thread."""
    count = workload.calls * workload.records
    markers = [f"~m{i}~" for i in range(count)]
    gc.collect()
    begin = time.thread_time_ns()
    workload.loop(call, markers)
    spent = time.thread_time_ns() - begin
    honeytrace.flush(60)
    QUEUE.clear()
    return spent / workload.calls / 1000


def peeled(workload: Workload, call: Callable[..., Any]) -> dict[str, float]:
    """One round: the time with everything, then with one stage less each."""
    kept = {name: getattr(hooks, name) for _, stage in TAKEN_AWAY for name in stage}
    times = {"everything": once(workload, call)}
    try:
        for stage, replaced in TAKEN_AWAY:
            for name, value in replaced.items():
                setattr(hooks, name, value)
            times[stage] = once(workload, call)
    finally:
        for name, value in kept.items():
            setattr(hooks, name, value)
    return times


def stages(workload: Workload, rounds: int) -> list[tuple[str, float]]:
    """Stage → its µs; what is left when all are taken away is capture's own."""
    call = workload.make(trace_session)
    bare = {
        "the call itself": workload.make(lambda fn: fn),
        "an empty decorator": workload.make(passthrough),
        "the floor": workload.make(floor),
    }
    found: list[dict[str, float]] = []
    for _ in range(rounds + 1):
        times = peeled(workload, call)
        with paused():
            times["paused"] = once(workload, call)
        times |= {name: once(workload, untraced) for name, untraced in bare.items()}
        found.append(times)
    median = {name: statistics.median(r[name] for r in found[1:]) for name in found[0]}
    order = ["everything", *(stage for stage, _ in TAKEN_AWAY)]
    rows = [(stage, median[before] - median[stage]) for before, stage in pairwise(order)]
    rows.append(
        ("wrapper, session, context variable", median[order[-1]] - median["the call itself"])
    )
    rows += [(name, median[name]) for name in ("the call itself", "everything")]
    return rows + [(name, median[name]) for name in ("paused", "an empty decorator", "the floor")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        honeytrace.configure(sink=Nowhere(), journal=directory)
        table = {workload.name: stages(workload, args.rounds) for workload in WORKLOADS[:2]}
        honeytrace.shutdown()
    print("| µs of CPU, caller's thread | " + " | ".join(table) + " |")
    print("|---" * (len(table) + 1) + "|")
    for rows in zip(*table.values(), strict=True):
        print(f"| {rows[0][0]} | " + " | ".join(f"{us:.2f}" for _, us in rows) + " |")


if __name__ == "__main__":
    main()
