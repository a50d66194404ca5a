"""A journal that another program truncates while its owner runs: the owner goes on, and counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from honeytrace._durability.journal import Journal
from surroundings import environ

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no journal on Windows")

PROGRAM = """
import glob, honeytrace, logging, os, sys, threading
said = threading.Event()
class Told(logging.StreamHandler):
    def emit(self, record):
        super().emit(record)
        if "truncated" in record.getMessage(): said.set()
logging.getLogger("honeytrace").addHandler(Told())
class Away:
    def deliver(self, batch, *, timeout): raise ConnectionError("away")
    def close(self): pass
honeytrace.configure(sink=Away(), journal="j", journal_bytes=1_000_000, flush_interval=0.001)
@honeytrace.trace_session
def call(x): return x
for n in range(10): call(n)
(path,) = glob.glob("j/*.journal")
size = os.path.getsize(path)
os.truncate(path, int(size * float(sys.argv[1])))
if sys.argv[2] == "grown": os.truncate(path, size)
calls = 10
while not honeytrace.stats().unprotected:
    call("x" * (calls % 700)); calls += 1
lost = honeytrace.stats().unprotected
for n in range(10): call(n)
print(len(glob.glob("j/*.journal")) > 1 or glob.glob("j/*.journal") != [path])
print(honeytrace.stats().recorded == calls + 10, 0 < lost <= calls)
said.wait(30)
os._exit(0)
"""


@pytest.mark.parametrize(
    ("kept", "then"), [("0", "short"), ("0.01", "short"), ("0.999", "short"), ("0", "grown")]
)
def test_a_program_outlives_its_journal(kept: str, then: str, tmp_path: Path) -> None:
    """The program goes on, one line says what was unprotected, and a new journal is made."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, kept, then],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == ("True\nTrue True\n", 0), done.stderr
    assert done.stderr.count("was deleted, moved or truncated") == 1


OTHERS = """
import faulthandler, honeytrace, mmap, os, signal, sys
way = sys.argv[1]
if way == "python": signal.signal(signal.SIGBUS, lambda *_: print("handled", flush=True))
if way == "ignored": signal.signal(signal.SIGBUS, signal.SIG_IGN)
if way == "faulthandler": faulthandler.enable()
honeytrace.configure(store=":memory:", journal="j")
from honeytrace._durability.journal import Journal
journal = Journal.create(os.path.abspath("j"), 1_000_000)
if len(sys.argv) > 2:
    os.kill(os.getpid(), signal.SIGBUS)
else:
    with open("own", "wb") as file: file.write(bytes(8192))
    fd = os.open("own", os.O_RDWR)
    own = mmap.mmap(fd, 8192)
    os.truncate("own", 0)
    own[5000] = 1
print("alive")
"""


@pytest.mark.parametrize(
    ("way", "sent", "said", "status"),
    [
        ("default", "sent", "", -signal.SIGBUS),
        ("default", "", "", -signal.SIGBUS),
        ("python", "sent", "handled\nalive\n", 0),
        ("ignored", "sent", "alive\n", 0),
        ("ignored", "", "", -signal.SIGBUS),
        ("faulthandler", "", "", -signal.SIGBUS),
    ],
)
def test_any_other_bus_error_is_as_before(
    way: str, sent: str, said: str, status: int, tmp_path: Path
) -> None:
    """A signal that is sent, and a fault in memory of the program, have the program's own end."""
    done = subprocess.run(
        [sys.executable, "-c", OTHERS, way, *([sent] if sent else [])],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == (said, status), done.stderr
    assert ("Bus error" in done.stderr) == (way == "faulthandler")


def test_an_intact_journal_is_not_gone(tmp_path: Path) -> None:
    """Only a journal that a recovery would not find, or not read, is replaced."""
    journal = Journal.create(str(tmp_path), 1_000_000)
    assert not journal.is_gone()
    os.pwrite(journal._fd, b"\0", 0)
    assert journal.is_gone()
    os.pwrite(journal._fd, b"h", 0)
    assert not journal.is_gone()
    os.truncate(journal.path, 1_000)
    assert journal.is_gone()
    journal.forget()
