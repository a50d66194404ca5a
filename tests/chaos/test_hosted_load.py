"""Many calls to the hosted API, one request each, over all connections at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ending import Place

ROOT = Path(__file__).parents[2]
FEW, ALL = 5_000, 100_000
CALLS_AT_ONCE = 1_000
GROWTH = 40_000_000
"""Bytes of memory: twice the queue's bound, for the batch under way and the replies to it."""

PROGRAM = """
import gc, os, sys, threading
import honeytrace
from honeytrace import trace_session

calls, at_once = int(sys.argv[1]), int(sys.argv[2])

@trace_session
def call(marker, pad):
    return marker

def resident():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Anonymous"))

def threads():
    return {thread.name for thread in threading.enumerate()}

for n in range(at_once):
    call(f"~m{n}~", "x" * 200)
assert honeytrace.flush(300)
before, memory = threads(), resident()
assert "honeytrace-flush" in before
seen, tasks, most = set(), 0, 0
system = len(os.listdir("/proc/self/task"))
for first in range(at_once, calls, at_once):
    for n in range(first, first + at_once):
        call(f"~m{n}~", "x" * 200)
    seen |= threads()
    tasks = max(tasks, len(os.listdir("/proc/self/task")))
    most = max(most, resident())
result = honeytrace.flush(300)
assert result == (True, calls, 0, 0, 0), result
assert seen <= before, seen - before
assert tasks <= system, (system, tasks)
print(max(most, resident()) - memory)
"""


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a server that counts what it receives and answers after 2 ms."""
    command = [sys.executable, "-m", "benchmarks.sink", "--latency", "0.002"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.mark.timeout(600)
@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="reads /proc")
def test_many_calls_to_the_hosted_api(
    place: Place, server: str, request: pytest.FixtureRequest
) -> None:
    """100,000 calls at concurrency 32 arrive once each, with bounded memory and no more threads."""
    calls = ALL if request.config.getoption("--full", default=False) else FEW
    program = place.start(
        *("-c", PROGRAM, str(calls), str(CALLS_AT_ONCE)),
        HONEYTRACE_API_KEY="k",
        HONEYTRACE_SERVER_URL=server,
        HONEYTRACE_LAYOUT="sessions",
        HONEYTRACE_CONCURRENCY="32",
        HONEYTRACE_QUEUE_BYTES="20000000",
        HONEYTRACE_FLUSH_INTERVAL="0.001",
        HONEYTRACE_BATCH_SIZE="1000",
    )
    grown, errors = program.communicate(timeout=500)
    assert errors == ""
    with urllib.request.urlopen(f"{server}/_received") as reply:
        received = json.load(reply)
    assert (received["markers"], received["requests"]) == (calls, calls)
    assert int(grown) < GROWTH
