"""The way of a traced call does not grow: counted, not timed, against what was recorded of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from honeytrace._base.cython import interpreted

ROOT = Path(__file__).parents[1]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}" + (
    "" if interpreted() else " compiled"
)
BOUNDS = json.loads((ROOT / "benchmarks" / "cost.json").read_text())
RECORDED = BOUNDS.get(VERSION, {})
GROWTH = 1.1

Counts = dict[str, dict[str, int]]


def told(*arguments: str) -> dict[str, Any]:
    """What `benchmarks.cost` prints, in a process that nothing else traces or configures."""
    kept = ("PATH", "SYSTEMROOT", "HONEYTRACE_PURE_PYTHON")
    keep = {k: v for k, v in os.environ.items() if k.startswith(kept)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cost", *arguments],
        cwd=ROOT,
        env=keep,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def counted() -> Counts:
    """The counts of this checkout."""
    counts: Counts = told()[VERSION]
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


@pytest.mark.skipif(bool(interpreted()), reason="nothing was compiled, or it is not wanted")
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind counts, and is not here")
@pytest.mark.skipif(not shutil.which("cc"), reason="no compiler to build with")
def test_what_is_compiled_does_not_grow() -> None:
    """The compiled part of a call takes at most a tenth more instructions than recorded."""
    bounds, counted = BOUNDS["machine"], told("--machine")
    if bounds["built"] != counted["built"]:
        pytest.skip(f"recorded with {bounds['built']}, built with {counted['built']}")
    grown = {
        call: (bound, counted[call])
        for call, bound in bounds.items()
        if call != "built" and counted[call] > bound * GROWTH
    }
    assert not grown, f"(recorded, now) {grown}: see benchmarks/cost.py"
