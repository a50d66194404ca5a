"""`python -m benchmarks.worker`: one tracer in a process of its own, told what to run.

Arguments: the name of a peer and the address of its server, or `bare` or `honeytrace` and what
`benchmarks.ours` takes, as a JSON list. Each line of standard input is a JSON list of a workload
and a number of calls; the answer is a line of JSON. At the end of input it ends as programs do.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from .workloads import BY_NAME

_next = 0


def markers(count: int) -> list[str]:
    """As many markers as calls, none of them used before."""
    global _next
    _next += count
    return [f"~m{i}~" for i in range(_next - count, _next)]


def measured(call: Any, workload: Any, calls: int, flush: Any, around: Any) -> dict[str, float]:
    """Per call in µs, `caller` and `process` in CPU time; `calling` and `flush` in seconds."""
    given = markers(calls * workload.records)
    gc.collect()
    wall, cpu, mine = time.perf_counter(), time.process_time_ns(), time.thread_time_ns()
    with around():
        workload.loop(call, given)
    mine = time.thread_time_ns() - mine
    called = time.perf_counter()
    flush()
    cpu = time.process_time_ns() - cpu
    return {
        "caller": mine / calls / 1000,
        "process": cpu / calls / 1000,
        "calling": called - wall,
        "flush": time.perf_counter() - called,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> float:
    """The most memory that this process has had; `ru_maxrss` would count its parent's, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def tracer(name: str, arguments: list[Any]) -> Any:
    if name in ("bare", "honeytrace"):
        from . import ours

        return getattr(ours, name)(*arguments)
    decorate, flush = importlib.import_module(f"benchmarks.peers.{name}").setup(*arguments)
    return decorate, flush, lambda: None, nullcontext


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")  # what the libraries print is not for the driver
    os.dup2(2, 1)
    decorate, flush, delivered, around = tracer(sys.argv[1], json.loads(sys.argv[2]))
    made = {name: workload.make(decorate) for name, workload in BY_NAME.items()}
    for line in sys.stdin:
        name, calls = json.loads(line)
        found = measured(made[name], BY_NAME[name], calls, flush, around)
        print(json.dumps({**found, "recorded": _next, "delivered": delivered()}), file=answers)
        answers.flush()
    workload = BY_NAME["tiny"]
    workload.loop(made["tiny"], markers(100))  # there is something left to deliver at the exit


if __name__ == "__main__":
    main()
