"""The way of a traced call does not grow: counted, not timed, against what was recorded of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
RECORDED = json.loads((ROOT / "benchmarks" / "cost.json").read_text()).get(VERSION, {})
GROWTH = 1.1

Counts = dict[str, dict[str, int]]


@pytest.fixture(scope="module")
def counted() -> Counts:
    """The counts of this checkout, from a process that nothing else traces or configures."""
    keep = {k: v for k, v in os.environ.items() if k.startswith(("PATH", "SYSTEMROOT"))}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cost"],
        cwd=ROOT,
        env=keep,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    counts: Counts = json.loads(done.stdout)[VERSION]
    return counts


@pytest.mark.skipif(not RECORDED, reason=f"nothing is recorded for Python {VERSION}")
@pytest.mark.parametrize("call", RECORDED)
def test_the_way_of_a_call_does_not_grow(counted: Counts, call: str) -> None:
    """A traced call takes at most a tenth more instructions, calls and memory than recorded."""
    grown = {
        what: (bound, counted[call][what])
        for what, bound in RECORDED[call].items()
        if counted[call][what] > bound * GROWTH
    }
    assert not grown, (
        f"{call}: (recorded, now) {grown}; where that is wanted, "
        "run `python -m benchmarks.cost --record` on every version"
    )


@pytest.mark.skipif(not RECORDED, reason=f"nothing is recorded for Python {VERSION}")
def test_every_call_is_guarded(counted: Counts) -> None:
    """What is counted and what is recorded are the same calls."""
    assert set(counted) == set(RECORDED)
