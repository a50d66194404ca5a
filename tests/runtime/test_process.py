"""Whole processes: nothing finished is lost at their end, in their children, or under load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore

Run = Callable[..., "subprocess.CompletedProcess[str]"]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")

PRELUDE = """
import honeytrace, os, sys, threading
from honeytrace import trace_session
@trace_session
def call(x=0):
    return x
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a program in an empty directory, with no environment but what is given."""

    def run(program: str, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.py").write_text(PRELUDE + program)
        keep = {k: v for k, v in os.environ.items() if k.startswith(("COVERAGE", "SYSTEMROOT"))}
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "program.py"],
            cwd=tmp_path,
            env=keep | env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        return done

    return run


def stored(tmp_path: Path) -> list[str]:
    """The inputs of every stored session, as JSON text, sorted."""
    store = SQLiteStore(tmp_path / ".honeytrace" / "sessions.db", readonly=True)
    try:
        return sorted((r.inputs or b"").decode() for r in store.list(Query(limit=1_000_000)))
    finally:
        store.close()


def xs(*numbers: int) -> list[str]:
    return sorted(f'{{"x":{n}}}' for n in numbers)


def test_pending_records_survive_the_end(run: Run, tmp_path: Path) -> None:
    """A program that ends right after its last call leaves it in the store, and says nothing."""
    done = run("call(1)\ncall(2)")
    assert (done.stdout, done.stderr) == ("", "")
    assert stored(tmp_path) == xs(1, 2)


@pytest.mark.parametrize(
    ("end", "code"), [("sys.exit(3)", 3), ("raise SystemExit(4)", 4), ("1 / 0", 1)]
)
def test_exit_code_stays(run: Run, tmp_path: Path, end: str, code: int) -> None:
    """However a program ends by itself, its exit code is its own and its calls are stored."""
    run(f"call(1)\n{end}", code)
    assert stored(tmp_path) == xs(1)


def test_non_daemon_threads_finish_first(run: Run, tmp_path: Path) -> None:
    """What threads record after the main thread has ended is stored, too."""
    run("""
ended = threading.Event()
def late():
    threading.main_thread().join()
    call(2)
threading.Thread(target=late).start()
call(1)
""")
    assert stored(tmp_path) == xs(1, 2)


def test_exit_hooks_may_record(run: Run, tmp_path: Path) -> None:
    """Exit hooks are recorded whether they run before our own or after it."""
    (tmp_path / "early.py").write_text(
        "import atexit\n@atexit.register\ndef last():\n    import program_calls as p; p.call(3)\n"
    )
    (tmp_path / "program_calls.py").write_text(PRELUDE)
    done = run("call(0)")  # the plain program, whose imports come first
    (tmp_path / "program.py").write_text(
        "import early, atexit, program_calls as p\natexit.register(p.call, 2)\np.call(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env={}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert stored(tmp_path) == xs(0, 1, 2, 3)


def test_shutdown_then_record_then_exit(run: Run, tmp_path: Path) -> None:
    """What is recorded after a shutdown is delivered at the end like everything else."""
    run("call(1)\nassert honeytrace.shutdown()\ncall(2)")
    assert stored(tmp_path) == xs(1, 2)


def test_unwritable_store_costs_one_line(run: Run, tmp_path: Path) -> None:
    """A program whose store cannot be written ends as it would, with one warning that says why."""
    (tmp_path / ".honeytrace").write_text("in the way")
    done = run("print(call(1))", HONEYTRACE_EXIT_TIMEOUT="2")
    assert done.stdout == "1\n"
    (line,) = done.stderr.splitlines()
    assert "1 records were not delivered before the program ended: the store" in line


def test_hanging_sink_cannot_hold_the_exit(run: Run) -> None:
    """A destination that never answers is left behind when `exit_timeout` is over."""
    done = run("""
class Hang:
    def deliver(self, batch, *, timeout):
        threading.Event().wait()
    def close(self): pass
honeytrace.configure(sink=Hang(), exit_timeout=0.1, flush_interval=0.001)
call(1)
""")
    (line,) = done.stderr.splitlines()
    assert "1 records were not delivered" in line


def test_bad_environment_costs_one_line(run: Run, tmp_path: Path) -> None:
    """A broken setting is told once; the program runs, and no store appears."""
    done = run("call(1)\nprint(call(2))", HONEYTRACE_BATCH_SIZE="lots")
    assert done.stdout == "2\n"
    (line,) = done.stderr.splitlines()
    assert "records nothing: HONEYTRACE_BATCH_SIZE='lots': it must be a whole number" in line
    assert not (tmp_path / ".honeytrace").exists()


def test_disabled_leaves_no_trace(run: Run, tmp_path: Path) -> None:
    """Recording off: no file, no thread, no line, and no HTTP library."""
    program = "call(1)\nprint(threading.active_count(), 'httpx' in sys.modules)"
    done = run(program, HONEYTRACE_DISABLED="1")
    assert (done.stdout, done.stderr) == ("1 False\n", "")
    assert not (tmp_path / ".honeytrace").exists()


def test_program_that_records_nothing_leaves_no_trace(run: Run, tmp_path: Path) -> None:
    """Importing and decorating alone starts no thread and writes no file."""
    done = run("print(threading.active_count(), honeytrace.flush().complete)")
    assert (done.stdout, done.stderr) == ("1 True\n", "")
    assert not (tmp_path / ".honeytrace").exists()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX interval timers")
def test_signal_handlers_may_flush(run: Run) -> None:
    """A handler that flushes in the middle of a flush, a call or the books loses and hangs nothing.

    One that interrupts a delivery cannot wait for it, and says so.
    """
    # in a process of its own: the tracer of coverage takes a lock that no handler may interrupt
    run("""
import signal
honeytrace.configure(store=":memory:", batch_size=5)
handled = []
def handler(signum, frame):
    call(1)
    handled.append(honeytrace.flush(60))
    signal.setitimer(signal.ITIMER_REAL, 0.002)  # not before: handlers must not pile up
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.002)
calls = 0
while len(handled) < 100:
    call(2)
    calls += 1
    honeytrace.stats()
    assert honeytrace.flush(60)
signal.setitimer(signal.ITIMER_REAL, 0)
assert honeytrace.flush(60).delivered == calls + len(handled)
""")


@needs_fork
def test_fork_with_a_full_queue(run: Run, tmp_path: Path) -> None:
    """The parent delivers its own, the child its own alone, with ids and books of its own."""
    done = run(
        """
for n in range(100):
    call(n)
pid = os.fork()
if pid == 0:
    assert honeytrace.stats() == honeytrace.Stats(), honeytrace.stats()
    for n in range(100, 150):
        call(n)
    assert honeytrace.flush()
    os._exit(0 if honeytrace.stats().delivered == 50 else 9)
for n in range(150, 200):
    call(n)
_, status = os.waitpid(pid, 0)
assert status == 0, status
assert honeytrace.flush()
assert honeytrace.stats().delivered == 150
""",
        HONEYTRACE_FLUSH_INTERVAL="60",
    )
    assert done.stderr == ""
    assert stored(tmp_path) == xs(*range(200))


@needs_fork
def test_fork_in_the_middle_of_delivery(run: Run, tmp_path: Path) -> None:
    """A fork while the flush thread holds every lock it has leaves a child that delivers."""
    run("""
from honeytrace.sinks import Delivery
entered, go = threading.Event(), threading.Event()
class Slow:
    def deliver(self, batch, *, timeout):
        if os.getpid() == parent:
            entered.set()
            go.wait()
        else:
            delivered.extend(batch)
        return Delivery()
    def close(self): pass
parent, delivered = os.getpid(), []
honeytrace.configure(sink=Slow(), flush_interval=0.001)
call(1)
entered.wait()
flusher = honeytrace._runtime.runtime._runtime.flusher
with flusher.queue.lock:
    pid = os.fork()
if pid == 0:
    call(2)
    os._exit(0 if honeytrace.flush(30) and len(delivered) == 1 else 9)
_, status = os.waitpid(pid, 0)
go.set()
assert status == 0, status
assert honeytrace.flush(30)
assert honeytrace.stats().delivered == 1
""")


@needs_fork
def test_forked_child_that_exits_delivers(run: Run, tmp_path: Path) -> None:
    """A child of `os.fork` that ends normally runs the exit hook for its own records."""
    run("""
call(1)
pid = os.fork()
call(2 if pid else 3)
if pid:
    os.waitpid(pid, 0)
""")
    assert stored(tmp_path) == xs(1, 2, 3)


@pytest.mark.parametrize(
    "method",
    [
        pytest.param("fork", marks=needs_fork),
        pytest.param("forkserver", marks=needs_fork),
        "spawn",
    ],
)
def test_multiprocessing_children_deliver(run: Run, tmp_path: Path, method: str) -> None:
    """Workers leave by `os._exit`; what they recorded is in the store all the same."""
    done = run(f"""
import multiprocessing
def work(n):
    call(n)
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    call(0)
    for n in (1, 2):
        process = context.Process(target=work, args=(n,))
        process.start()
        process.join()
        assert process.exitcode == 0
""")
    assert done.stderr == ""
    assert stored(tmp_path) == xs(0, 1, 2)


@needs_fork
def test_process_pools_deliver(run: Run, tmp_path: Path) -> None:
    """A `ProcessPoolExecutor` under a session: every job is stored."""
    run("""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
if __name__ == "__main__":
    fork = multiprocessing.get_context("fork")
    with honeytrace.session("pool", inputs={"x": -1}), ProcessPoolExecutor(2, fork) as pool:
        assert list(pool.map(call, range(20))) == list(range(20))
""")
    assert stored(tmp_path) == xs(-1, *range(20))


def test_hundred_thousand_calls(run: Run, tmp_path: Path) -> None:
    """100,000 tiny calls in a loop: all in the store, nothing dropped, memory within its bound."""
    run("""
most = 0
for n in range(100_000):
    call(n)
    if n % 100 == 0:
        most = max(most, honeytrace._runtime.runtime._runtime.flusher.queue.bytes)
result = honeytrace.flush(100)
assert result == (True, 100_000, 0, 0, 0), result
assert most <= 128_000_000, most
""")
    store = SQLiteStore(tmp_path / ".honeytrace" / "sessions.db", readonly=True)
    assert store.size().sessions == 100_000
    store.close()


def test_four_processes_one_store(run: Run, tmp_path: Path) -> None:
    """Four processes record 5,000 sessions each into one store at once: 20,000 are there."""
    done = run(
        """
import subprocess
if len(sys.argv) == 1:
    workers = [
        subprocess.Popen([sys.executable, __file__, str(k)], stdin=subprocess.PIPE)
        for k in range(4)
    ]
    for worker in workers:
        worker.stdin.close()  # all at once
    assert [worker.wait() for worker in workers] == [0] * 4
else:
    sys.stdin.read()
    start = int(sys.argv[1]) * 5_000
    for n in range(start, start + 5_000):
        call(n)
""",
        HONEYTRACE_EXIT_TIMEOUT="100",
    )
    assert done.stderr == ""
    assert stored(tmp_path) == xs(*range(20_000))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_stays_bounded_in_an_outage(run: Run) -> None:
    """A flood against a destination that hangs: the process grows by the bound, not by the load.

    Nothing of it is lost: what memory has no room for waits on disk.
    """
    done = run("""
class Hang:
    def deliver(self, batch, *, timeout):
        threading.Event().wait()
    def close(self): pass
honeytrace.configure(sink=Hang(), queue_bytes=20_000_000, exit_timeout=0, flush_interval=0.001)
def resident():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Anonymous"))
call("x" * 2_000)
before = resident()
for n in range(100_000):
    call(str(n) * 400)
stats = honeytrace.stats()
assert stats.recorded == 100_001
assert stats.journalled > 60_000
assert (stats.dropped, stats.unprotected) == ({}, 0)
print(resident() - before)
""")
    assert int(done.stdout) < 60_000_000


def test_same_books_from_every_exit_path(run: Run) -> None:
    """`configure`, `flush`, `shutdown` and lookups from many threads at the end of a program."""
    done = run("""
def busy(n):
    for i in range(50):
        call(i)
        if i % 10 == n:
            honeytrace.configure(source=str(i))
        honeytrace.flush() if i % 7 == 0 else honeytrace.list_sessions(limit=1)
        if i == 25:
            honeytrace.shutdown()
threads = [threading.Thread(target=busy, args=(n,)) for n in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert honeytrace.flush()
print(honeytrace.stats().delivered, len(honeytrace.list_sessions(limit=1000)))
""")
    assert (done.stdout, done.stderr) == ("200 200\n", "")
