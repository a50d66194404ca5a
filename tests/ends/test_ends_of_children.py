"""However a child process begins and ends, what it recorded is stored, once."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from ending import NEXT, PATIENCE, Place, ok, running

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")

METHODS = ["fork", "forkserver", "spawn"]
MAIN = """
import multiprocessing
def work(n):
    call(n)
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
"""


@pytest.mark.parametrize("method", METHODS)
def test_processes_that_end(place: Place, method: str) -> None:
    """Children that return, and whose parent is killed right after: all is there."""
    place.run(
        MAIN.format(method=method)
        + """
    call(0)
    children = [context.Process(target=work, args=(n,)) for n in (1, 2, 3)]
    for child in children: child.start()
    for child in children: child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    os._exit(0)
"""
    )
    assert place.after() == ok(0, 1, 2, 3)


@pytest.mark.parametrize("end", ["terminate", "kill"])
@pytest.mark.parametrize("method", METHODS)
def test_processes_that_are_ended(place: Place, method: str, end: str) -> None:
    """A child that is terminated in the middle of a call: what had returned, and what it was at."""
    place.run(
        "def stay(n, pipe):\n"
        "    @trace_session\n    def stay(x):\n        pipe.send(x)\n        pipe.recv()\n"
        "    call(n)\n    stay(n + 1)\n"
        + MAIN.format(method=method)
        + f"""
    here, there = context.Pipe()
    child = context.Process(target=stay, args=(1, there))
    child.start()
    assert here.recv() == 2
    child.{end}()
    child.join()
    call(0)
"""
    )
    assert place.after() == [(0, "ok"), (1, "ok"), (2, "interrupted")]


@pytest.mark.parametrize("method", METHODS)
def test_pool_that_is_terminated(place: Place, method: str) -> None:
    """`with Pool()` ends its workers by SIGTERM: every job that had a result is stored."""
    place.run(
        MAIN.format(method=method)
        + """
    with context.Pool(2) as pool:
        assert pool.map(call, range(20), chunksize=3) == list(range(20))
"""
    )
    assert place.after() == ok(*range(20))


@pytest.mark.parametrize("method", METHODS)
def test_pool_that_replaces_its_workers(place: Place, method: str) -> None:
    """A worker that ends after two jobs has delivered both: nothing is left to recover."""
    place.run(
        MAIN.format(method=method)
        + """
    call(20)
    with context.Pool(2, maxtasksperchild=2) as pool:
        assert pool.map(call, range(20), chunksize=1) == list(range(20))
        pool.close()
        pool.join()
"""
    )
    assert place.stored() == ok(*range(21))


def test_executor_whose_worker_is_killed(place: Place) -> None:
    """The jobs of a pool that broke: those before are stored, the last one is interrupted."""
    place.run("""
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
import multiprocessing
@trace_session
def die(x):
    os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(call, range(5)))
        try:
            pool.submit(die, 5).result()
        except BrokenProcessPool:
            call(6)
""")
    assert place.after() == [*ok(*range(5)), (5, "interrupted"), (6, "ok")]


@pytest.mark.parametrize(
    "end", ["os._exit(0)", "sys.exit(0)", "honeytrace.flush(0.1); os._exit(0)"]
)
def test_fork_while_threads_trace(place: Place, end: str) -> None:
    """Whatever locks four busy threads and the flush thread hold at the fork, no child is stuck."""
    children, each = 12, 200
    place.run(
        f"""
def busy(first):
    for n in range(first, first + {each}):
        call(n)
    begun.release()
    while not stop.wait(0.01):
        call(first + {each})
begun, stop = threading.Semaphore(0), threading.Event()
threads = [threading.Thread(target=busy, args=(1_000 * k,)) for k in (1, 2, 3, 4)]
for thread in threads: thread.start()
begun.acquire()
for n in range({children}):
    pid = os.fork()
    if pid == 0:
        call(n)
        {end}
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
stop.set()
for thread in threads: thread.join()
""",
        HONEYTRACE_FLUSH_INTERVAL="0.05",
        HONEYTRACE_EXIT_TIMEOUT="0.1",  # the store has one writer at a time
        HONEYTRACE_JOURNAL_BYTES="16000000",
    )
    found = place.after()
    assert {status for _, status in found} == {"ok"}
    numbers = [n for n, _ in found if n % 1_000 != each]  # of the others nobody counts how many
    of_threads = [1_000 * k + n for k in (1, 2, 3, 4) for n in range(each)]
    assert numbers == [*range(children), *of_threads]


ALONE = """
import os, threading
threads = []
# hooks run in reverse: this one, being the first, comes last before the fork
os.register_at_fork(before=lambda: threads.append([t.name for t in threading.enumerate()]))
import honeytrace
call = honeytrace.trace_session(lambda x: None)
call(0)
for n in range(1, 20):
    assert honeytrace.flush(60)
    for thread in threading.enumerate():
        if thread.name == "honeytrace-recovery": thread.join()
    pid = os.fork()
    if pid == 0:
        call(100 + n)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    call(n)
assert threads == [["MainThread"]] * 19, threads
assert honeytrace.stats().recorded == 20
"""


def test_a_fork_finds_no_idle_thread(place: Place) -> None:
    """Python 3.12 and later warn of forks beside threads: where all is delivered, ours ends before,
    and is there again for the next call."""
    process = place.start("-W", "error", "-c", ALONE)
    said, complained = process.communicate(timeout=PATIENCE)
    assert (said, complained, process.returncode) == ("", "", 0)
    assert place.after() == ok(*range(20), *range(101, 120))


def test_a_fork_does_not_stop_delivery(place: Place) -> None:
    """What waits when a program forks is delivered without another call, and what comes after."""
    place.run("""
from honeytrace.sinks import Delivery
delivered = threading.Event()
class Sink:
    def deliver(self, batch, *, timeout):
        delivered.set()
        return Delivery()
    def close(self): pass
call(1)
honeytrace.configure(sink=Sink(), flush_interval=0.001)
delivered.clear()
call(2)
pid = os.fork()
if pid == 0:
    os._exit(0)
assert delivered.wait(60)
assert honeytrace.flush(60)
delivered.clear()
pid = os.fork()
if pid == 0:
    os._exit(0)
call(3)
assert delivered.wait(60)
""")


def test_fork_in_the_middle_of_everything(place: Place) -> None:
    """The flush thread holds turn, books and import lock at the fork; the child is killed after."""
    place.run("""
from honeytrace.sinks import Delivery
entered = threading.Event()
class Stuck:
    def deliver(self, batch, *, timeout):
        entered.set()
        threading.Event().wait()
    def close(self): pass
honeytrace.configure(sink=Stuck(), flush_interval=0.001)
call(1)
entered.wait()
flusher = honeytrace._runtime.runtime._runtime.flusher
with flusher.queue.lock, honeytrace._runtime.runtime._lock:
    pid = os.fork()
if pid == 0:
    call(2)
    os.kill(os.getpid(), signal.SIGKILL)
_, status = os.waitpid(pid, 0)
assert os.WTERMSIG(status) == signal.SIGKILL, status
call(3)
os._exit(0)
""")
    assert place.after() == ok(1, 2, 3)


def test_fork_inside_a_call(place: Place) -> None:
    """A child that leaves by the call it was born in, and its parent, make one session of it."""
    place.run("""
@trace_session
def split(x):
    global pid
    pid = os.fork()
    call(x + 1 if pid else x + 2)
split(1)
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
os._exit(0)
""")
    assert place.after() == ok(1, 2, 3)


def test_child_outlives_its_killed_parent(place: Place) -> None:
    """A parent's journal is recovered although children of it live on."""
    process = place.begin("""
call(1)
if os.fork() == 0:
    call(2)
    for thread in threading.enumerate():
        if thread.name == "honeytrace-recovery":
            thread.join()
    hold(3)
os.read(0, 1)
""")
    running(process)
    process.kill()
    os.waitpid(process.pid, 0)
    recovery = place.start("-c", NEXT)
    recovery.communicate(timeout=PATIENCE)
    assert place.stored() == ok(1)
    store = [path.name for path in (place.path / ".honeytrace" / "journal").iterdir()]
    (child,) = (int(name.partition("-")[0]) for name in store)
    os.kill(child, signal.SIGKILL)
    process.communicate(timeout=PATIENCE)  # its pipes close when the child is gone
    assert place.after() == [(1, "ok"), (2, "ok"), (3, "interrupted")]


def test_daemon(place: Place) -> None:
    """A process that forks twice and lets its parents go: each generation's calls are there."""
    process = place.begin("""
call(1)
if os.fork():
    os._exit(0)
os.setsid()
call(2)
if os.fork():
    os._exit(0)
os.chdir("/")
call(3)
honeytrace.flush(60)
call(4)
print(os.getpid(), flush=True)
hold(5)
""")
    assert process.stdout is not None
    daemon = int(process.stdout.readline())
    running(process)
    os.kill(daemon, signal.SIGTERM)
    process.communicate(timeout=PATIENCE)  # its pipes close when the daemon is gone
    assert place.after() == [*ok(1, 2, 3, 4), (5, "interrupted")]


def test_subprocesses_do_not_keep_a_journal(place: Place) -> None:
    """What a program starts does not inherit its lock: it is recovered while that lives on."""
    process = place.begin("""
import subprocess
call(1)
child = subprocess.Popen([sys.executable, "-c", "input()"], close_fds=False)
print("running", flush=True)
hold(2)
""")
    running(process)
    running(process)
    process.kill()
    os.waitpid(process.pid, 0)
    assert place.after() == [(1, "ok"), (2, "interrupted")]
    process.communicate("\n", timeout=PATIENCE)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="see below: orjson refuses to be loaded")
def test_sub_interpreter(place: Place) -> None:
    """A sub-interpreter records beside the main one, as a process of its own would."""
    place.run("""
import _xxsubinterpreters as interpreters
call(1)
open("calls.py", "w").write(open("program.py").read().partition("import _xx")[0])
other = interpreters.create()
interpreters.run_string(other, "import runpy; runpy.run_path('calls.py')['call'](2)")
call(3)
""")
    assert place.after() == ok(1, 2, 3)


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="sub-interpreters have their own GIL in 3.12"
)
def test_sub_interpreter_without_orjson(place: Place) -> None:
    """Where orjson cannot be loaded in a sub-interpreter, the first decorator warns and goes on."""
    process = place.begin("""
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
call(1)
code = "import honeytrace; assert honeytrace.trace_session(print) is print"
print(interpreters.run_string(interpreters.create(), code))
""")
    said, complained = process.communicate(timeout=PATIENCE)
    assert (said, process.returncode) == ("None\n", 0)
    assert "orjson" in complained
    assert place.after() == ok(1)


def test_threads_that_fork_at_once(place: Place) -> None:
    """The store's lock, which each of them holds for its fork, is free again after the last one."""
    said = place.run("""
honeytrace.configure(flush_interval=0.001)
failed = []
def work(k):
    for n in range(20):
        call(100 * k + n)
        if n % 4 == 0:
            child = os.fork()
            if not child:
                call(10_000 + 100 * k + n)
                os._exit(not honeytrace.flush(60))
            failed.append(os.waitpid(child, 0)[1])
threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert honeytrace.flush(60), honeytrace.stats()
print(set(failed))
""")
    assert said == "{0}\n"
    numbers = [100 * k + n for k in range(6) for n in range(20)]
    assert place.after() == ok(*numbers, *(10_000 + n for n in numbers if n % 4 == 0))


def test_forked_child_delivers_after_its_parent_has_closed(place: Place) -> None:
    """A store that the parent closes meanwhile is still the child's to write."""
    process = place.begin("""
call(1)
assert honeytrace.flush(60)
if os.fork():
    sys.exit(0)  # closes the store
call(2)
assert honeytrace.flush(60)
print("running", flush=True)
sys.stdin.read()
call(3)
assert honeytrace.flush(60)
hold(4)
""")
    running(process)
    os.waitpid(process.pid, 0)
    assert place.stored() == ok(1, 2)
    process.stdin.close()
    running(process)
    assert place.stored() == ok(1, 2, 3)
    os.killpg(process.pid, signal.SIGKILL)
    assert place.after() == [*ok(1, 2, 3), (4, "interrupted")]


def test_fork_in_the_middle_of_a_transaction(place: Place) -> None:
    """A child born while the flush thread writes to the store can write to it, too."""
    place.run("""
from honeytrace.store.sqlite import SQLiteStore
begun, forked = threading.Event(), threading.Event()
insert = SQLiteStore.insert
def slowly(self, *records, **more):
    with self._transaction():
        begun.set()
        forked.wait(1)  # a fork may also wait for us
    return insert(self, *records, **more)
call(1)
assert honeytrace.flush(60)
SQLiteStore.insert = slowly
call(2)
honeytrace._runtime.runtime._runtime.flusher.queue.wake()
threading.Thread(target=honeytrace.flush, daemon=True).start()
begun.wait()
pid = os.fork()
forked.set()
SQLiteStore.insert = insert
if pid == 0:
    call(3)
    os._exit(0 if honeytrace.flush(20) else 9)
_, status = os.waitpid(pid, 0)
assert status == 0, status
""")
    assert place.after() == ok(1, 2, 3)


def test_fork_while_another_process_is_recovered(place: Place) -> None:
    """A fork never finds the recovery thread in the middle of an import, which the child needs."""
    place.run("call(1)\nos._exit(0)")
    place.run("""
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "honeytrace.store.sqlite" and os.getpid() == parent:
            importing.set()
            forked.wait(1)
importing, forked, parent = threading.Event(), threading.Event(), os.getpid()
sys.meta_path.insert(0, Slow())
call(2)
importing.wait()
pid = os.fork()  # waits until the import is done
if pid == 0:
    call(3)
    os._exit(0 if honeytrace.flush(20) else 9)
forked.set()
_, status = os.waitpid(pid, 0)
assert status == 0, status
""")
    assert place.after() == ok(1, 2, 3)
