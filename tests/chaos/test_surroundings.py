"""Difficult surroundings at random moments: forks, deleted directories, no descriptors."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from honeytrace._durability.recovery import recover
from journalled import die, recording, recovered

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")

SEEDS = {
    "test_forks_during_a_configuration": (3, 50),
    "test_descriptors_run_out_during_recovery": (3, 50),
    "test_a_directory_that_vanishes": (2, 20),
}

FORKS = """
import os, random, sys, threading, time
import honeytrace
chance = random.Random(int(sys.argv[1]))
@honeytrace.trace_session
def call(x): return x
def work():
    for n in range(100): call("x" * chance.randrange(5000))
workers = [threading.Thread(target=work) for _ in range(chance.randrange(1, 5))]
for worker in workers: worker.start()
for n in range(3):
    time.sleep(chance.random() / 50)  # anywhere in the first call, or behind it
    child = os.fork()
    if not child:
        call(n)
        os._exit(not honeytrace.flush(60))
    assert os.waitpid(child, 0)[1] == 0
for worker in workers: worker.join()
assert honeytrace.flush(60)
assert honeytrace.stats().delivered == 100 * len(workers), honeytrace.stats()
print(len(honeytrace.list_sessions(limit=1000)) - 100 * len(workers))
"""


def test_forks_during_a_configuration(seed: int, tmp_path: Path) -> None:
    """No child hangs, and neither the parent nor a child loses a call."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS, str(seed)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == ("3\n", "", 0)


def test_descriptors_run_out_during_recovery(seed: int, tmp_path: Path) -> None:
    """Whichever call fails for lack of a descriptor, no journal is moved, and all is recovered."""
    chance = random.Random(seed)
    with recording(tmp_path) as recorder:
        for n in range(20):
            with recorder.call(f"call {n}"):
                pass
        die(recorder.journal)
    real: Any = {name: getattr(os, name) for name in ("open", "listdir", "pread")}
    with pytest.MonkeyPatch.context() as patch:
        for name, function in real.items():

            def failing(*args: Any, function: Any = function, **kwargs: Any) -> Any:
                if chance.random() < 0.3:
                    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                return function(*args, **kwargs)

            patch.setattr(os, name, failing)
        for _ in range(50):
            with suppress(OSError):
                recover(str(tmp_path), away)
    assert not (tmp_path / "damaged").exists()
    items, found = recovered(tmp_path)
    assert (len(items), found.damaged) == (20, 0)


def away(batch: Any) -> Any:
    raise ConnectionError("away")


VANISHING = """
import os, sys, time
import honeytrace
class Away:
    def deliver(self, batch, *, timeout): raise ConnectionError("away")
    def close(self): pass
honeytrace.configure(sink=Away(), flush_interval=0.01)
@honeytrace.trace_session
def call(x): return x
n = 0
while True:
    call(n)
    n += 1
    if not n % 100: os.write(1, f"{n} {honeytrace.stats().unprotected}\\n".encode())
"""


@pytest.mark.parametrize("how", ["removed", "truncated"])
def test_a_directory_that_vanishes(seed: int, how: str, tmp_path: Path) -> None:
    """A kill costs at most the calls that `stats()` had counted as unprotected."""
    chance = random.Random(seed)
    process = subprocess.Popen(
        [sys.executable, "-c", VANISHING],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    watchdog = threading.Timer(100, process.kill)
    watchdog.start()
    try:
        for _ in range(chance.randrange(1, 20)):
            process.stdout.readline()
        if how == "removed":
            shutil.rmtree(tmp_path / ".honeytrace")
        else:
            (journal,) = tmp_path.glob(".honeytrace/journal/*.journal")
            os.truncate(journal, chance.randrange(journal.stat().st_size))
        recorded = unprotected = 0
        while not unprotected:
            recorded, unprotected = map(int, process.stdout.readline().split())
        for _ in range(chance.randrange(1, 20)):
            recorded, unprotected = map(int, process.stdout.readline().split())
    finally:
        process.kill()
        process.communicate()
        watchdog.cancel()
    items, found = recovered(tmp_path / ".honeytrace" / "journal")
    assert found.damaged == (how == "truncated")  # the cut file, as a whole
    assert len(items) >= recorded - unprotected
