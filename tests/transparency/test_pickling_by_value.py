"""Traced functions travel where ordinary ones do: by value, as cloudpickle and dill send them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import functools, {library} as library
import honeytrace.testing
from honeytrace import trace_session

@trace_session
def plain(x): return x + 1
@trace_session(metadata={{"way": 2}}, event_type="tool")
def generator(n): yield from range(n)
@trace_session
async def coroutine(x): return x
class Box:
    @trace_session
    def method(self, x): return [x]
    @trace_session
    @classmethod
    def maker(cls): return cls.__name__
calls = [plain, functools.partial(plain, 1), generator, coroutine, Box, lambda x: plain(x)]
there = [library.loads(library.dumps(call)) for call in calls]
with honeytrace.testing.capture() as sessions:
    print(there[0](1), there[1](), list(there[2](2)), there[4]().method(3), there[5](4))
print([(s.session_name, s.event_type) for s in sessions])
"""


@pytest.mark.parametrize("library", ["cloudpickle", "dill"])
def test_functions_of_a_script(library: str, tmp_path: Path) -> None:
    """Functions, methods, classes and their callers of `__main__` arrive, and record as before."""
    pytest.importorskip(library)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(library=library))
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    told, recorded = done.stdout.splitlines()
    assert told == "2 2 [0, 1] [3] 5"
    names: list[Any] = eval(recorded)
    assert [name for name, _ in names] == ["plain", "plain", "generator", "Box.method", "plain"]
