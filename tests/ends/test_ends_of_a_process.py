"""However a process ends, the next one's store has every call that had returned, once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ending import NEXT, PATIENCE, Place, ok, running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no journal on Windows")

RETURNED = "for n in range(20): call(n)\n"
SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"]


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that accepts every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def hanging(server: socket.socket) -> dict[str, str]:
    """The settings of a program whose server is this one."""
    return {
        "HONEYTRACE_API_KEY": "k",
        "HONEYTRACE_SERVER_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
        "HONEYTRACE_REQUEST_TIMEOUT": "100000",  # that is not what lets the program go
        "HONEYTRACE_EXIT_TIMEOUT": "0.1",
    }


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param("", 0, id="end"),
        pytest.param("sys.exit(3)", 3, id="exit"),
        pytest.param("1 / 0", 1, id="exception"),
        pytest.param("threading.Thread(target=sys.exit, args=(5,)).start()", 0, id="thread exit"),
        pytest.param("os._exit(4)", 4, id="_exit"),
        pytest.param("os.abort()", -signal.SIGABRT, id="abort"),
        pytest.param("import ctypes; ctypes.string_at(1)", -signal.SIGSEGV, id="segfault"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, id="kill -9"),
    ],
)
def test_what_had_returned_is_stored(place: Place, end: str, code: int) -> None:
    """Whether the process goes by itself or is gone at once: all that had returned is there."""
    place.run(RETURNED + end, code)
    assert place.after() == ok(*range(20))


def test_clean_end_leaves_nothing_to_recover(place: Place) -> None:
    """A process that could deliver everything takes its journal with it."""
    place.run(RETURNED)
    assert list((place.path / ".honeytrace" / "journal").iterdir()) == []
    assert place.stored() == ok(*range(20))


def test_exit_in_a_thread_ends_the_thread_alone(place: Place) -> None:
    """`sys.exit` inside a traced call of a thread is that call's end, and nobody else's."""
    place.run("""
@trace_session
def leave(x):
    sys.exit(x)
call(1)
thread = threading.Thread(target=leave, args=(2,))
thread.start()
thread.join()
call(3)
os._exit(0)
""")
    (one, (number, status), three) = place.after()
    assert [one, three] == ok(1, 3)
    assert (number, status) == (2, "exited")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL", "SIGQUIT"])
def test_signal_that_nobody_handles(place: Place, name: str) -> None:
    """A signal's default action ends the process as ever; what it had cut off is interrupted."""
    process = place.begin(RETURNED + "hold(20)")
    running(process)
    process.send_signal(number := getattr(signal, name))
    _, complained = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complained) == (-number, "")
    assert place.after() == [*ok(*range(20)), (20, "interrupted")]


def test_keyboard_interrupt(place: Place) -> None:
    """Ctrl-C is an exception in the running call: the call has an end, and the process its own."""
    process = place.begin(RETURNED + "hold(20)")
    running(process)
    process.send_signal(signal.SIGINT)
    _, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGINT
    assert complained.splitlines()[-1] == "KeyboardInterrupt"
    assert place.after() == [*ok(*range(20)), (20, "interrupted")]


def test_no_handler_is_installed(place: Place) -> None:
    """Recording, delivering and ending leave every signal's action as it was found."""
    said = place.run("""
def actions():
    return {n: signal.getsignal(n) for n in signal.valid_signals()}
before = actions()
call(1)
honeytrace.flush()
honeytrace.shutdown()
print(actions() == before)
""")
    assert said == "True\n"


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_own_handler_stays(place: Place, name: str, when: str) -> None:
    """The program's own handler is the one that runs, once, whether set before or after a call."""
    setting = f"signal.signal(signal.{name}, handler)\n"
    process = place.begin(
        "def handler(number, frame):\n    os.write(1, b'handled\\n')\n    sys.exit(7)\n"
        + (setting + RETURNED if when == "before" else RETURNED + setting)
        + f"assert signal.getsignal(signal.{name}) is handler\nhold(20)\n"
    )
    running(process)
    process.send_signal(getattr(signal, name))
    said, complained = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said, complained) == (7, "handled\n", "")
    assert place.after() == [*ok(*range(20)), (20, "exited")]


def test_ignored_signal_stays_ignored(place: Place) -> None:
    """A program under `nohup` goes on after SIGHUP, and so does its recording."""
    process = place.begin(
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\ncall(1)\n"
        "print('running', flush=True)\nsys.stdin.read()\ncall(2)\nos._exit(0)"
    )
    running(process)
    process.send_signal(signal.SIGHUP)
    process.communicate("", timeout=PATIENCE)
    assert process.returncode == 0
    assert place.after() == ok(1, 2)


def test_execv(place: Place) -> None:
    """A process that becomes another program leaves what it had to whoever comes next."""
    place.write("other.py", "call(21)\nos._exit(0)")
    place.run(RETURNED + "@trace_session\ndef become(x):\n"
              "    os.execv(sys.executable, [sys.executable, 'other.py'])\nbecome(20)")  # fmt: skip
    assert place.after() == [*ok(*range(20)), (20, "interrupted"), (21, "ok")]


def test_calls_that_threads_still_run(place: Place) -> None:
    """Daemon threads in the middle of a call cannot hold the end; their calls are interrupted."""
    place.run("""
@trace_session
def stay(x):
    entered.release()
    threading.Event().wait()
def go(n):
    call(n)
    stay(n + 10)
entered = threading.Semaphore(0)
call(-1)
for n in range(4):
    threading.Thread(target=go, args=(n,), daemon=True).start()
for n in range(4):
    entered.acquire()
""")
    interrupted = [(n, "interrupted") for n in range(10, 14)]
    assert place.after() == ok(*range(-1, 4)) + interrupted


def test_exit_hooks_after_a_clean_end(place: Place) -> None:
    """A journal that was done with is taken up again by whoever records after it."""
    (place.path / "last.py").write_text(
        "import atexit, os\n@atexit.register\ndef last():\n    import calls\n    calls.hold(2)\n"
    )
    place.write("calls.py", "")
    process = place.start("-c", "import last, calls; calls.call(1)")
    running(process)
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert place.after() == [(1, "ok"), (2, "interrupted")]


def test_a_signal_while_the_first_call_makes_the_journal(place: Place) -> None:
    """What its handler records then is in the journal as well, with what is around the call."""
    place.run("""
from honeytrace._runtime import keeper as _keeping
signal.signal(signal.SIGUSR1, lambda number, frame: call(call(2)))
make = _keeping.open_journal
def struck(*arguments):
    signal.raise_signal(signal.SIGUSR1)
    made = make(*arguments)
    signal.raise_signal(signal.SIGUSR1)
    return made
_keeping.open_journal = struck
with honeytrace.session("around", inputs={"x": 1}):
    os._exit(0)
""")
    assert sorted(place.after()) == [(1, "interrupted"), *[(2, "ok")] * 4]


def test_first_calls_of_two_threads(place: Place) -> None:
    """A call that begins while another thread's first call makes the journal is in it, too."""
    place.run("""
from honeytrace._runtime import keeper as _keeping
make = _keeping.open_journal
def slowly(*arguments):
    other.start()
    other.join(0.2)  # it cannot go on before we have a journal
    return make(*arguments)
_keeping.open_journal = slowly
other = threading.Thread(target=call, args=(2,))
call(1)
other.join()
os._exit(0)
""")
    assert place.after() == ok(1, 2)


def test_threads_that_never_stop_tracing(place: Place) -> None:
    """Daemon threads that trace on while the interpreter goes lose no call that had returned."""
    said = place.run(
        """
def go(first):
    for n in range(first, first + 1_000_000):
        call(n)
        os.write(1, b"%d\\n" % n)
        told.set()
told = threading.Event()
call(-21)
for k in range(3):
    threading.Thread(target=go, args=(k * 1_000_000,), daemon=True).start()
told.wait()
for n in range(-20, 0):
    call(n)
""",
        HONEYTRACE_JOURNAL_BYTES=str(64 << 20),
    )  # they are many, and the journal is bounded
    returned = {int(line) for line in said.splitlines()} | set(range(-21, 0))
    found = place.after()
    assert returned <= {n for n, status in found if status == "ok"}
    assert len(found) == len(dict(found)) <= len(returned) + 3


def test_exit_hooks_after_ours(place: Place, silent: socket.socket) -> None:
    """What the very last exit hook records is there, too, even where nothing can be delivered."""
    (place.path / "last.py").write_text(
        "import atexit\n@atexit.register\ndef last():\n    import calls\n    calls.call(2)\n"
    )
    place.write("calls.py", "")
    process = place.start("-c", "import last, calls; calls.call(1)", **hanging(silent))
    process.communicate(timeout=PATIENCE)
    assert place.after() == ok(1, 2)


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "honeytrace.flush(0.01)"])
def test_hanging_server_cannot_hold_the_end(place: Place, silent: socket.socket, end: str) -> None:
    """The process is gone while its server still hangs; the next one delivers what was left."""
    place.run(
        RETURNED + end,
        **hanging(silent),
    )
    assert place.after() == ok(*range(20))


def test_server_that_answers_by_halves(place: Place, silent: socket.socket) -> None:
    """A reply that begins and does not end is no acknowledgement."""
    process = place.begin(
        RETURNED + "sys.stdin.read()", **hanging(silent), HONEYTRACE_FLUSH_INTERVAL="0.001"
    )
    silent.settimeout(PATIENCE)
    connection, _ = silent.accept()
    with connection:
        assert connection.recv(100_000)
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
        process.communicate("", timeout=PATIENCE)
    assert place.after() == ok(*range(20))


FREEZE = """
@trace_session
def handler(x):
    return x
def invoke(n):
    handler(n)
    assert honeytrace.flush(60)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def frozen(process: subprocess.Popen[str]) -> None:
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)


def test_serverless_freeze(place: Place) -> None:
    """What a handler flushed is stored while it is frozen, and it goes on where it was thawed."""
    process = place.begin(FREEZE + "invoke(1)\ninvoke(2)\ncall(3)\nos._exit(0)")
    for count in (1, 2):
        frozen(process)
        assert place.stored() == ok(*range(1, count + 1))
        process.send_signal(signal.SIGCONT)
    process.communicate(timeout=PATIENCE)
    assert place.after() == ok(1, 2, 3)


def test_frozen_process_that_never_thaws(place: Place) -> None:
    """Nobody takes what a frozen process has; what it had is there once it is killed."""
    process = place.begin(FREEZE + "invoke(1)\ncall(2)\nos.kill(os.getpid(), signal.SIGSTOP)")
    frozen(process)
    process.send_signal(signal.SIGCONT)
    frozen(process)
    place.start("-c", NEXT).communicate()
    assert place.stored() == ok(1)
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert place.after() == ok(1, 2)


def test_next_process_recovers_by_itself(place: Place) -> None:
    """One recorded call is enough for what a dead process left to be delivered."""
    place.run(RETURNED + "os._exit(0)")
    place.run("""
call(20)
for thread in threading.enumerate():
    if thread.name == "honeytrace-recovery":
        thread.join()
""")
    assert place.stored() == ok(*range(21))
    assert list((place.path / ".honeytrace" / "journal").iterdir()) == []
