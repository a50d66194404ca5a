"""The end of a program is as without us: its files are flushed, its finalisers run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BASE = """
import sys
out = open("out.txt", "w")
class Bye:
    def __del__(self): print("finaliser ran", flush=True)
bye = Bye()
import honeytrace
{setup}
@honeytrace.trace_session{options}
def call(x): return x
call(1)
out.write("data")
"""
SINK = """
class Sink:
    def deliver(self, batch, *, timeout):
        from honeytrace.sinks import Delivery
        return Delivery()
    def close(self): pass
honeytrace.configure(sink=Sink())
"""


def run(program: str, folder: Path, pure: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HONEYTRACE_PURE_PYTHON": pure},
    )


@pytest.mark.parametrize("pure", ["", "1"], ids=["compiled", "interpreted"])
@pytest.mark.parametrize(
    ("setup", "options"),
    [
        ("", ""),
        (SINK, ""),
        ("honeytrace.configure(redact=lambda path, value: value)", ""),
        ("", "(reduce=len)"),
    ],
    ids=["store", "sink", "redact", "reduce"],
)
def test_files_and_finalisers(setup: str, options: str, pure: str, tmp_path: Path) -> None:
    """Whatever functions of the program honeytrace was given, none of its objects outlives it."""
    done = run(BASE.format(setup=setup, options=options), tmp_path, pure)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.txt").read_text() == "data"
    assert done.stdout == "finaliser ran\n"


@pytest.mark.parametrize("pure", ["", "1"], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("before", ["", "client.close()"], ids=["the first", "a later"])
def test_a_call_while_the_interpreter_shuts_down(before: str, pure: str, tmp_path: Path) -> None:
    """A traced method that a finaliser calls at the very end runs, and nothing is said."""
    program = f"""
import os, honeytrace
class Client:
    @honeytrace.trace_session
    def close(self, write=os.write): write(1, b"closed ")
    def __del__(self): self.close()
client = Client(); client.cycle = client
{before}
"""
    done = run(program, tmp_path, pure)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "closed " * (1 + bool(before))
