"""After a fork the parent's locks are free: of honeytrace, of logging, of thread pools."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import concurrent.futures, logging, os, sys, threading
import honeytrace
honeytrace.configure(store=sys.argv[1], journal=":none:")
for _ in range(2):
    with honeytrace.session("parent"):
        child = os.fork()
        if child == 0:
            with honeytrace.session("child"):
                pass
            honeytrace.flush(20)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
free = threading.Event()

def use():
    logging.getLogger("other").handlers
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(print, "free").result()
    free.set()

threading.Thread(target=use, daemon=True).start()
assert free.wait(20), "a lock is held"
assert honeytrace.flush(20)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")
def test_a_fork_leaves_no_lock_behind(tmp_path: object) -> None:
    """Threads of the parent log, and make pools, after any number of forks."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"{tmp_path}/sessions.db"],
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert (done.returncode, done.stdout) == (0, "free\n"), done.stderr
