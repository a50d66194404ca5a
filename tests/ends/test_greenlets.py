"""Programs under gevent and eventlet: calls go on, records arrive, and `flush` tells the truth."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAM = """
import warnings; warnings.simplefilter("ignore")
{first}
import honeytrace
honeytrace.configure({settings})
{second}
{early}
@honeytrace.trace_session
def child(i):
    sleep(0.001)
    return i
@honeytrace.trace_session
def parent(i):
    return [child(i), child(i + 1)]
ticks = []
def tick():
    while True:
        ticks.append(1)
        sleep(0.001)
spawn(tick)
for each in [spawn(parent, i) for i in range(20)]:
    {join}
before = len(ticks)
result = honeytrace.flush(30)
stats = honeytrace.stats()
assert result.complete and result.pending == 0, result
assert stats.recorded == stats.delivered == 60 + {count}, stats
found = honeytrace.list_sessions(roots_only=True, limit=100)
roots = [session for session in found if session.session_name == "parent"]
assert len(roots) == 20, len(roots)
for root in roots:
    i = root.inputs["i"]
    assert sorted(c.inputs["i"] for c in root.children) == [i, i + 1]
print("done")
"""
GEVENT = ("from gevent import monkey; monkey.patch_all({how})", "from gevent import sleep, spawn")
EVENTLET = ("import eventlet; eventlet.monkey_patch()", "from eventlet import sleep, spawn")
STORE = "store='s.db'"


def run(library: str, tmp_path: Path, *, when: str, settings: str, how: str = "") -> None:
    patch, names = GEVENT if library == "gevent" else EVENTLET
    patch = patch.format(how=how)
    early = "with honeytrace.session('early'): pass\nhoneytrace.flush()\n" if when == "late" else ""
    late = f"{early}{patch}\n{names}"
    program = PROGRAM.format(
        first=f"{patch}\n{names}" if when == "first" else "",
        second="" if when == "first" else late,
        early="",
        settings=settings,
        join="each.join()" if library == "gevent" else "each.wait()",
        count=1 if when == "late" else 0,
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={
            k: v for k, v in os.environ.items() if not k.startswith(("HH_", "HONEYTRACE", "PYTEST"))
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


needs_gevent = pytest.mark.skipif(find_spec("gevent") is None, reason="gevent is not installed")
needs_eventlet = pytest.mark.skipif(find_spec("eventlet") is None, reason="it is not installed")


@needs_gevent
@pytest.mark.parametrize("when", ["first", "after import", "late"])
@pytest.mark.parametrize("settings", [STORE, f"{STORE}, journal=':none:'", "store=':memory:'"])
def test_gevent(when: str, settings: str, tmp_path: Path) -> None:
    """Patched before our import, after it, or after the first record: everything arrives."""
    run("gevent", tmp_path, when=when, settings=settings)


@needs_gevent
@pytest.mark.parametrize("how", ["thread=False", "queue=False", "time=False"])
def test_gevent_in_part(how: str, tmp_path: Path) -> None:
    """Modules that are left as they are change nothing."""
    run("gevent", tmp_path, when="first", settings=STORE, how=how)


@needs_eventlet
@pytest.mark.parametrize("when", ["first", "after import", "late"])
def test_eventlet(when: str, tmp_path: Path) -> None:
    """The same under eventlet."""
    run("eventlet", tmp_path, when=when, settings=STORE)


WAITING = """
from gevent import monkey; monkey.patch_all()
import gevent, honeytrace, threading
class Sink:
    def deliver(self, batch, *, timeout):
        opened.wait(30)
        return honeytrace.sinks.Delivery()
    def close(self): pass
import honeytrace.sinks
from honeytrace._base.native_locks import Event
opened = Event()
honeytrace.configure(sink=Sink(), journal=":none:")
with honeytrace.session("one"): pass
gevent.spawn(opened.set)  # it runs only where the greenlet that flushes lets others run
print(honeytrace.flush(30).complete)
"""


@needs_gevent
def test_other_greenlets_run_while_one_flushes(tmp_path: Path) -> None:
    """`flush` waits as a greenlet does, so a server in the same process goes on answering."""
    done = subprocess.run(
        [sys.executable, "-c", WAITING], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


FORKING = """
from gevent import monkey; monkey.patch_all()
import gevent, honeytrace, os, sys
@honeytrace.trace_session
def call(x):
    gevent.sleep(0.001)
    return x
def work():
    gevent.joinall([gevent.spawn(call, n) for n in range(10)])
work()
for n in range(4):
    child = gevent.os.fork() if n % 2 else os.fork()
    if not child:
        work()
        os._exit(not honeytrace.flush(60).complete) if n < 2 else sys.exit()
    assert os.waitpid(child, 0)[1] == 0
work()
print(honeytrace.flush(60).complete, len(honeytrace.list_sessions(limit=1000)))
"""


@needs_gevent
def test_forks_of_greenlets(tmp_path: Path) -> None:
    """A forked child under gevent delivers what it records, whichever way it forks and ends."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == ("True 60\n", "", 0)


MEETING = """
import sys
from honeytrace.store.memory import MemoryStore
from honeytrace.store.sqlite import SQLiteStore
from honeytrace._record.record import Update
stores = [MemoryStore(), SQLiteStore("s.db")]
import eventlet; eventlet.monkey_patch()
from eventlet import patcher
native = patcher.original("threading")
sys.setswitchinterval(1e-6)
def work(name):
    for n in range(100):
        for store in stores:
            store.update([Update(f"{name} {n}", {"metadata": b"{}"})])
            assert store.get(name) is None
    ended.append(name)
ended = []
threads = [native.Thread(target=work, args=(f"thread {n}",), daemon=True) for n in range(3)]
for each in threads:
    each.start()
work("main")
for each in threads:
    each.join(60)
print(len(ended), [len(s.waiting([f"main {n}" for n in range(100)])) for s in stores])
"""


@needs_eventlet
def test_threads_and_greenlets_meet_at_a_store(tmp_path: Path) -> None:
    """The locks of stores are the system's, also when eventlet is patched in after they were made:
    a thread of the system that meets a greenlet there goes on."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEETING],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("4 [100, 100]\n", "", 0)
