"""Traced code where Python is at its limits: all is recorded, and nothing is disturbed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ending import NEXT, PATIENCE, Place, ok

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits, signals and mounts")


@pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="a finaliser that sets a ContextVar within ContextVar.set crashes CPython before 3.12",
)
def test_finalisers(place: Place) -> None:
    """Objects that trace while they are collected, wherever in our code that happens."""
    place.run("""
import gc
class Dying:
    def __init__(self, n):
        self.n, self.me = n, self
    def __del__(self):
        call(self.n)
gc.set_threshold(7)
for n in range(0, 1_000, 2):
    Dying(n)
    call(n + 1)
gc.collect()
os._exit(0)
""")
    assert place.after() == ok(*range(1_000))


def test_signal_handlers(place: Place) -> None:
    """Handlers that trace in the middle of calls, of the journal and of the queue lose none."""
    said = place.run("""
numbers = iter(range(1_000_000))
def handler(number, frame):
    call(next(numbers))
    signal.setitimer(signal.ITIMER_REAL, 0.0003)  # not before: handlers must not pile up
signal.signal(signal.SIGALRM, handler)
call(next(numbers))  # makes the journal
signal.setitimer(signal.ITIMER_REAL, 0.0003)
while True:
    n = next(numbers)
    call(n)
    if n > 3_000:
        break
signal.setitimer(signal.ITIMER_REAL, 0)
print(next(numbers), flush=True)
os._exit(0)
""", HONEYTRACE_JOURNAL_BYTES="16000000")  # fmt: skip
    assert place.after() == ok(*range(int(said)))


def test_recursion_to_the_limit(place: Place) -> None:
    """Every call of a recursion that broke is in the journal, and so is what comes after it."""
    place.run("""
@trace_session
def deeper(x):
    return deeper(x + 1)
try:
    deeper(1)
except RecursionError:
    call(0)
os._exit(0)
""", HONEYTRACE_JOURNAL_BYTES="16000000")  # fmt: skip
    found = place.after()
    assert found[0] == (0, "ok")
    # the last ones had no frame left to be described in
    assert {status for _, status in found[1:-20]} == {"error"}
    assert [n for n, _ in found] == list(range(len(found)))


def test_out_of_memory(place: Place) -> None:
    """A value that there is no memory to look at costs its record a part, and the call nothing."""
    said = place.run("""
import resource
class Big:
    pass
def rule(value):  # a rule of the program's, which needs more memory than there is
    return "x" * 10**10
honeytrace.configure(snapshot={Big: rule})
call(1)
assert honeytrace.flush(60)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, resource.RLIM_INFINITY))
big = Big()
@trace_session
def take(x, big):
    return big
assert take(2, big) is big
call(3)
found = honeytrace.list_sessions()
print([f.session_name for f in found], "MemoryError" in str(found[1].inputs))
""")
    assert said == "['call', 'take', 'call'] True\n"


@pytest.fixture
def small_disk(place: Place) -> Iterator[Path]:
    """A file system of one megabyte in `small`."""
    path = place.path / "small"
    path.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if mount is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_full_disk_under_the_store(place: Place, small_disk: Path) -> None:
    """The program goes on; what found no room is delivered once there is some."""
    store = {"HONEYTRACE_STORE": str(small_disk / "sessions.db")}
    process = place.begin("""
@trace_session
def large(x, pad):
    return x
for n in range(30):
    assert large(n, os.urandom(50_000).hex()) == n
honeytrace.flush(0.5)
stats = honeytrace.stats()
print(stats.recorded == stats.delivered + stats.pending, flush=True)
""", **store, HONEYTRACE_JOURNAL_BYTES="16000000", HONEYTRACE_EXIT_TIMEOUT="0.1")  # fmt: skip
    said, complained = process.communicate(timeout=PATIENCE)
    assert (said, process.returncode) == ("True\n", 0)
    assert "full" in complained
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    recovery = place.start("-c", NEXT, **store)
    assert recovery.communicate(timeout=PATIENCE) == ("", "")
    count = "import honeytrace; print(len(honeytrace.list_sessions(limit=1000)))"
    assert place.start("-c", count, **store).communicate(timeout=PATIENCE) == ("30\n", "")


def test_no_room_for_a_journal(place: Place, small_disk: Path) -> None:
    """A journal that does not fit where it should be is made elsewhere, and found there."""
    journal = str(small_disk / "journal")
    process = place.begin(
        "call(1)\nos._exit(0)", HONEYTRACE_JOURNAL=journal, HONEYTRACE_JOURNAL_BYTES="16000000"
    )
    assert process.communicate(timeout=PATIENCE) == ("", "")
    assert list((small_disk / "journal").iterdir()) == []
    recovery = place.start("-c", NEXT, HONEYTRACE_JOURNAL=journal)
    assert recovery.communicate(timeout=PATIENCE) == ("", "")
    assert place.stored() == ok(1)


def test_read_only_directory(place: Place, small_disk: Path) -> None:
    """Neither store nor journal can be made: each is said once, and the calls do as they would."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    place.write(
        "program.py",
        """
os.chdir("small")
import tempfile
tempfile.tempdir = os.getcwd()
for n in range(20):
    assert call(n) == n
print(honeytrace.stats().recorded)
""",
    )
    process = place.start(
        "program.py", XDG_STATE_HOME=str(small_disk), HONEYTRACE_EXIT_TIMEOUT="0.1"
    )
    said, complained = process.communicate(timeout=PATIENCE)
    assert (said, process.returncode) == ("20\n", 0)
    first, *others = complained.splitlines()
    assert "cannot keep a journal" in first
    assert len(others) <= 2
    assert all("Read-only" in line or "not delivered" in line for line in others)


def test_file_size_limit(place: Place) -> None:
    """Under `ulimit -f` there is no journal; the store takes what it can; the books balance."""
    process = place.begin("""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for n in range(200):
    assert call("x" * 5_000) == "x" * 5_000
honeytrace.flush(0.2)
stats = honeytrace.stats()
told = stats.delivered + stats.pending + sum(stats.dropped.values())
print(stats.recorded, stats.recorded == told)
""", HONEYTRACE_EXIT_TIMEOUT="0.1")  # fmt: skip
    said, complained = process.communicate(timeout=PATIENCE)
    assert (said, process.returncode) == ("200 True\n", 0)
    assert "cannot keep a journal" in complained


def test_clock_that_jumps(place: Place) -> None:
    """The system's clock goes back and forth by decades; ids stay unique, durations stay true."""
    said = place.run("""
import time
real = time.time_ns
for n, years in enumerate([0, -20, 30, -1, 0]):
    time.time_ns = lambda: real() + years * 365 * 86_400 * 10**9
    call(2 * n)
    assert honeytrace.flush(60)
    call(2 * n + 1)
    if n < 4: assert honeytrace.flush(60)
found = honeytrace.list_sessions(limit=100)
print(len({f.session_id for f in found}), all(0 <= f.duration < 60_000 for f in found), flush=True)
os._exit(0)
""")
    assert said == "10 True\n"
    assert place.after() == ok(*range(10))


def test_forty_threads(place: Place) -> None:
    """Forty threads record beside each other; each call is there, in whichever journal slot."""
    place.run("""
def go(first):
    ready.wait()
    for n in range(first, first + 100):
        call(n)
ready = threading.Barrier(40)
threads = [threading.Thread(target=go, args=(100 * k,)) for k in range(40)]
for thread in threads: thread.start()
for thread in threads: thread.join()
os._exit(0)
""", HONEYTRACE_JOURNAL_BYTES="16000000")  # fmt: skip
    assert place.after() == ok(*range(4_000))


def test_event_loop_closed_under_us(place: Place) -> None:
    """Tasks that a closed loop leaves behind end as closed calls, or are known as interrupted."""
    place.run("""
import asyncio, warnings
warnings.simplefilter("ignore")
@trace_session
async def wait(x):
    await asyncio.Event().wait()
loop = asyncio.new_event_loop()
tasks = [loop.create_task(wait(n)) for n in range(1, 6)]
for task in tasks: task._log_destroy_pending = False
loop.run_until_complete(asyncio.sleep(0))
loop.close()
del tasks[2:], task
call(0)
os._exit(0)
""")
    found = place.after()
    assert found[0] == (0, "ok")
    assert [n for n, _ in found] == list(range(6))
    assert {status for _, status in found[1:]} <= {"closed", "interrupted"}


def test_traced_repr(place: Place) -> None:
    """A value whose `__repr__` is traced: one session for it, inside of nobody's recording."""
    said = place.run("""
class Value:
    @trace_session
    def __repr__(self):
        return "value"
class Holder:
    def __repr__(self):
        return f"holder of {Value()!r}"
@trace_session
def take(x):
    return x
holder, value = Holder(), Value()
assert take(holder) is holder
assert take(value) is value
assert honeytrace.flush(60)
print(honeytrace.stats().recorded < 20)
""")
    assert said == "True\n"


def test_logging_handlers_that_trace(place: Place) -> None:
    """A handler that traces what our own warnings tell neither loops nor locks."""
    said = place.run("""
import logging
class Traced(logging.Handler):
    @trace_session(capture_inputs=False)
    def emit(self, record):
        told.append(record.getMessage())
        call(1)
class Dead:
    def deliver(self, batch, *, timeout):
        raise ConnectionError("nobody there")
    def close(self): pass
told = []
logging.getLogger().addHandler(Traced())
logging.getLogger().setLevel(logging.DEBUG)
honeytrace.configure(sink=Dead(), exit_timeout=0.1)
call(0)
honeytrace.flush(0.2)
print(sum("nobody there" in line for line in told), honeytrace.stats().recorded < 30, flush=True)
os._exit(0)
""")
    assert said == "1 True\n"


def test_our_http_calls_are_not_recorded(place: Place) -> None:
    """A program that traces httpx itself sees its own requests, and none of the delivery's."""
    server = place.start("-m", "honeytrace", "serve", "--port", "0", "--store", "server.db")
    assert server.stderr is not None
    url = server.stderr.readline().split()[-1]
    said = place.run(f"""
import httpx
httpx.Client.send = trace_session(httpx.Client.send)
httpx.AsyncClient.send = trace_session(httpx.AsyncClient.send)
httpx.get({url!r} + "/health")
for n in range(3):
    call(n)
    assert honeytrace.flush(60)
print(honeytrace.stats().recorded)
""", HONEYTRACE_API_KEY="k", HONEYTRACE_SERVER_URL=url)  # fmt: skip
    assert said == "4\n"
