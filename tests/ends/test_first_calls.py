"""The first traced call of a process, beside a fork or after the end of the main thread."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FORKS = """
import os, sys, threading
import honeytrace
@honeytrace.trace_session
def call(x): return x
def work():
    for n in range(200): call("x" * 3000)
workers = [threading.Thread(target=work) for _ in range(3)]
for worker in workers: worker.start()
for n in range(5):
    child = os.fork()
    if not child:
        call(n)
        os._exit(not honeytrace.flush(30))
    assert os.waitpid(child, 0)[1] == 0
for worker in workers: worker.join()
assert honeytrace.flush(30)
print(honeytrace.stats().recorded)
"""

OUTLIVES = """
import threading, time
import honeytrace
@honeytrace.trace_session
def call(x): return x
def work():
    threading.main_thread().join()
    print(call(1), call(2), honeytrace.stats().recorded)
threading.Thread(target=work).start()
"""

HOOK = """
import os, sys
import honeytrace
honeytrace.configure(store="s.db")
with honeytrace.session("parent"): pass
honeytrace.flush()
class Watching:
    def find_spec(self, *args): imported.append(args[0])
imported = []
child = os.fork()
if not child:
    found = list(imported)
    with honeytrace.session("child"): pass
    os._exit(bool(found) + 2 * (not honeytrace.flush(30)))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""".replace("imported = []", "imported = []; sys.meta_path.insert(0, Watching())")


def run(program: str, place: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=place,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.strip()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")


@needs_fork
def test_a_fork_while_other_threads_make_their_first_call(tmp_path: Path) -> None:
    """No child hangs, each delivers its own call, and the parent loses none."""
    assert run(FORKS, tmp_path) == "600"


@needs_fork
def test_a_fork_imports_nothing(tmp_path: Path) -> None:
    """A thread that the child does not have may hold the lock of a module that it would import."""
    run(HOOK, tmp_path)


def test_the_first_call_in_a_thread_that_outlives_main(tmp_path: Path) -> None:
    """It is recorded, though the interpreter takes no further exit handlers by then."""
    assert run(OUTLIVES, tmp_path) == "1 2 2"
