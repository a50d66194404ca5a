"""A signal handler raises wherever a call is: the journal and the books are exact afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from honeytrace._base.cython import interpreted
from surroundings import environ

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="timers are POSIX")

PROGRAM = str(Path(__file__).with_name("interrupted.py"))
SEEDS = {"test_at_any_moment": (2, 40)}
EACH = 100
KINDS = ["plain", "large", "failing", "generator", "block", "nested", "update"]


def run(tmp_path: Path, *arguments: str, **env: str) -> int:
    command = [sys.executable, "-W", "ignore", PROGRAM, *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, env=environ(**env), capture_output=True, text=True, timeout=300
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return int(done.stdout.removeprefix("done "))


@pytest.mark.parametrize("kind", KINDS)
def test_at_every_line(kind: str, tmp_path: Path) -> None:
    """Each line that a call runs is interrupted once; the interpreted modules have them all."""
    assert run(tmp_path, "lines", kind, HONEYTRACE_PURE_PYTHON="1") > 50


@pytest.mark.parametrize("kind", KINDS)
def test_at_every_instruction(kind: str, tmp_path: Path) -> None:
    """Each place where Python looks for signals is interrupted once: a place in the journal that
    was taken belongs to somebody at once, and a record that was handed over is known as such."""
    assert run(tmp_path, "instructions", kind, HONEYTRACE_PURE_PYTHON="1") > 50


@pytest.mark.skipif(
    bool(interpreted()), reason="Python looks for signals after every call of a C function"
)
def test_at_any_moment(seed: int, tmp_path: Path) -> None:
    """A timer strikes calls whose whole path is compiled: Python looks for signals only outside."""
    run(tmp_path, "times", str(seed), str(EACH))
