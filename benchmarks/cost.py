"""What one traced call makes the interpreter do, counted and not timed: the regression guard.

    python -m benchmarks.cost                     # the counts of this interpreter
    python -m benchmarks.cost --record [PYTHON…]  # write them, and those of others, to cost.json
    python -m benchmarks.cost --machine           # what valgrind counts of the compiled hot path

The counts are of the calling thread, with everything warm, and the same in every run and on every
machine. They rise with each step that is added to the way of a call, whatever the clock says. Of
each version there are two: with what is compiled, and in Python alone.

instructions: bytecode instructions, of honeytrace's functions and the traced one.
calls: functions entered, Python's and C's.
kept: bytes that a call leaves in memory until it is delivered.

What is compiled has no bytecode: of its functions valgrind counts the processor's instructions.
These depend on the compiler, which is recorded with them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import orjson

import honeytrace
from honeytrace._base.cython import interpreted

from .ours import Nowhere
from .workloads import BY_NAME, WORKLOADS, Workload, hundred_at_once

RECORDED = Path(__file__).with_name("cost.json")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}" + (
    "" if interpreted() else " compiled"
)
WARM = 200
"""Calls before counting, beyond what the interpreter takes to specialise its bytecode."""
Counts = dict[str, int]
_FAR: Any = {"flush_interval": 3600.0, "batch_bytes": 1 << 30, "queue_bytes": 1 << 31}
"""Nothing is delivered while counting: an hour and a gigabyte away."""


if sys.version_info >= (3, 12):  # where a trace function misses instructions now and then

    def instructions(call: Callable[[], Any]) -> int:
        monitoring, thread, count = sys.monitoring, threading.get_ident(), 0
        tool, event = monitoring.PROFILER_ID, monitoring.events.INSTRUCTION

        def heard(code: CodeType, offset: int) -> None:
            nonlocal count
            count += threading.get_ident() == thread

        monitoring.use_tool_id(tool, "honeytrace cost")
        monitoring.register_callback(tool, event, heard)
        monitoring.set_events(tool, event)
        try:
            call()
        finally:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)
        return count

else:

    def instructions(call: Callable[[], Any]) -> int:
        count = 0

        def local(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal count
            count += event == "opcode"
            return local

        def enter(frame: FrameType, event: str, arg: Any) -> Any:
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return local

        before = sys.gettrace()
        sys.settrace(enter)
        try:
            call()
        finally:
            sys.settrace(before)
        return count


def calls(call: Callable[[], Any]) -> int:
    count = 0

    def heard(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(heard)
    try:
        call()
    finally:
        sys.setprofile(before)
    return count


def kept(call: Callable[[], Any], windows: int = 5, times: int = 16) -> int:
    """The mean of many calls, in the usual window: a container grows by leaps, now and then."""
    tracemalloc.start()
    try:
        call()
        ends = [tracemalloc.get_traced_memory()[0]]
        for _ in range(windows):
            for _ in range(times):
                call()
            ends.append(tracemalloc.get_traced_memory()[0])
        return statistics.median_low(after - before for before, after in pairwise(ends)) // times
    finally:
        tracemalloc.stop()


def measured() -> dict[str, Counts]:
    """What each kind of call costs, by its name."""
    with tempfile.TemporaryDirectory() as journal:
        honeytrace.configure(sink=Nowhere(), journal=journal, journal_bytes=1 << 28, **_FAR)
        found = {name: counted(call) for name, call in _calls().items()}
        honeytrace.configure(enabled=False)
        found["recording off"] = counted(_calls()["tiny"])
        honeytrace.shutdown()
    return found


def counted(call: Callable[[], Any]) -> Counts:
    for _ in range(WARM):
        call()
    honeytrace.flush(60)  # the journal has room again
    call()  # and the first after a flush wakes the thread
    gc.collect()
    gc.disable()
    counts = {"instructions": instructions(call), "calls": calls(call), "kept": kept(call)}
    gc.enable()
    return counts


def _calls() -> dict[str, Callable[[], Any]]:
    def looped(workload: Workload) -> Callable[[], Any]:
        call, markers = workload.make(honeytrace.trace_session), ["~m0~"] * workload.records
        return lambda: workload.loop(call, markers)

    def block() -> None:
        with honeytrace.session("block", inputs={"a": 1}) as s:
            s.outputs = {"b": 2}

    made = {w.name: looped(w) for w in WORKLOADS if w.loop is not hundred_at_once}
    ask = BY_NAME["gather of 100"].make(honeytrace.trace_session)

    def coroutine() -> None:
        """Without an event loop, whose own memory varies."""
        running = ask("~m0~")
        with suppress(StopIteration):
            while True:
                running.send(None)

    return {**made, "coroutine": coroutine, "with block": block}


def built() -> str:
    """With what the machine's instructions were made."""
    compiler = subprocess.run(["cc", "--version"], check=True, capture_output=True, text=True)
    python = f"Python {sys.version.split()[0]}, orjson {orjson.__version__}"
    return f"{compiler.stdout.splitlines()[0]}, {python}"


def machine() -> dict[str, Any]:
    """Instructions of the processor in `begin` and `done`, a call, by the workload's name."""
    few, many = 400, 1_400
    return {"built": built()} | {
        workload.name: (_collected(workload.name, many) - _collected(workload.name, few))
        // (many - few)
        for workload in WORKLOADS[:2]
    }


def _collected(workload: str, calls: int) -> int:
    """What valgrind counts of so many calls, the first of which configures."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command += ["--collect-atstart=no", "--toggle-collect=__pyx_pw_*_capture_*call_*begin"]
    command += ["--toggle-collect=__pyx_pw_*_capture_*call_*done"]
    command += [sys.executable, "-m", "benchmarks.cost", "--calls", str(calls), workload]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        cwd=RECORDED.parent.parent,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    return int(done.stderr.rpartition("Collected : ")[2].split()[0])


def _undelivered(calls: int, workload: str) -> None:
    """Make calls, and end without delivering them."""
    with tempfile.TemporaryDirectory() as journal:
        honeytrace.configure(sink=Nowhere(), journal=journal, journal_bytes=1 << 26, **_FAR)
        gc.disable()
        call = BY_NAME[workload].make(honeytrace.trace_session)
        BY_NAME[workload].loop(call, ["~m0~"] * calls)
    os._exit(0)


def record(pythons: Sequence[str]) -> None:
    """Write what this interpreter and the others count over what was recorded of them."""
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    for python in (sys.executable, *pythons):
        for pure in ("", "1"):
            done = subprocess.run(
                [python, "-m", "benchmarks.cost"],
                check=True,
                capture_output=True,
                cwd=RECORDED.parent.parent,
                env={**os.environ, "HONEYTRACE_PURE_PYTHON": pure},
            )
            recorded.update(json.loads(done.stdout))
    recorded["machine"] = machine()
    RECORDED.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--record", nargs="*", metavar="PYTHON", help="also of these interpreters")
    parser.add_argument("--machine", action="store_true", help="the processor's instructions")
    parser.add_argument("--calls", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.calls:
        _undelivered(int(args.calls[0]), args.calls[1])
    elif args.machine:
        print(json.dumps(machine(), indent=1))
    elif args.record is None:
        print(json.dumps({VERSION: measured()}, indent=1))
    else:
        record(args.record)


if __name__ == "__main__":
    main()
