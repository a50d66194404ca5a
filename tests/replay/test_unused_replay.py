"""Replay costs nothing while it is not used: counted, not timed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from surroundings import environ

ROOT = Path(__file__).parents[2]

COUNTED = """
import json
import honeytrace
from benchmarks.cost import calls, instructions
from honeytrace import replaying, trace_session
from honeytrace.testing import capture

@trace_session(event_type="model")
def ask(x): return x

@trace_session(event_type="model")
def stream(x): yield x

@trace_session
def outer(x): return ask(x), list(stream(x))

def one(): ask(1)
def two(): list(stream(1))

def counts():
    for _ in range(300):
        one(), two()
    return [(instructions(call), calls(call)) for call in (one, two)]

with capture() as sessions:
    outer(1)
with capture():
    before = counts()
    for _ in range(3):
        with replaying(sessions[-1], recorded="model", strict=True):
            outer(1)
    after = counts()
print(json.dumps([before, after]))
"""


def test_a_call_after_a_block_is_a_call_before_it() -> None:
    """Instructions and calls of traced functions are the same before and after replay blocks."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTED],
        cwd=ROOT,
        env=environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = json.loads(done.stdout)
    assert before == after
    assert all(instructions > 0 for instructions, _ in before)
