"""Replies that never end, or that burst when unpacked, cannot hold the end of a process."""

from __future__ import annotations

import itertools
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Event

import pytest

from ending import PATIENCE, Place, ok

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no journal on Windows")

Reply = Callable[[bytes], Iterable[bytes]]
"""The parts of the reply to a request, whose first line is given. A pause follows an empty part."""

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SMALL, LARGE = b"x", b"x" * 65_536


@cache
def bomb() -> bytes:
    """A quarter of a gigabyte of zeros as a quarter of a megabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(256)), packer.flush()])


def endless(request: bytes) -> Iterable[bytes]:
    return itertools.chain([OK + b"\r\n"], itertools.repeat(LARGE))


def endless_chunks(request: bytes) -> Iterable[bytes]:
    yield OK + b"transfer-encoding: chunked\r\n\r\n"
    while True:
        yield b"10000\r\n" + LARGE + b"\r\n"


def dripping(request: bytes) -> Iterable[bytes]:
    return itertools.chain([OK + b"content-length: 1000000\r\n\r\n"], itertools.cycle((SMALL, b"")))


def dripping_head(request: bytes) -> Iterable[bytes]:
    return itertools.chain([OK + b"x: "], itertools.cycle((SMALL, b"")))


def exploding(request: bytes) -> Iterable[bytes]:
    packed = bomb()
    length = f"content-encoding: gzip\r\ncontent-length: {len(packed)}\r\n\r\n"
    return [OK + length.encode() + packed]


def exploding_without_end(request: bytes) -> Iterable[bytes]:
    yield OK + b"content-encoding: gzip\r\n\r\n"
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    while True:
        yield packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)


def interim(request: bytes) -> Iterable[bytes]:
    return itertools.repeat(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 100)


def headers_without_end(request: bytes) -> Iterable[bytes]:
    return itertools.chain([OK], itertools.repeat(b"x: " + LARGE + b"\r\n"))


def one_long_header(request: bytes) -> Iterable[bytes]:
    return itertools.chain([OK + b"x: "], itertools.repeat(LARGE))


def redirected_for_ever(request: bytes) -> Iterable[bytes]:
    return [b"HTTP/1.1 307 Moved\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n"]


def redirected(then: Reply) -> Reply:
    """The reply of another page, which a redirect leads to."""

    def reply(request: bytes) -> Iterable[bytes]:
        return then(request) if b"/there" in request else redirected_for_ever(request)

    reply.__name__ = f"{then.__name__} behind a redirect"
    return reply


@contextmanager
def serving(reply: Reply) -> Iterator[str]:
    """A server that answers every request so, until the client has gone; its URL."""
    over = Event()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        accepting = threading.Thread(target=_accept, args=(listener, reply, over))
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(PATIENCE)


def _accept(listener: socket.socket, reply: Reply, over: Event) -> None:
    with suppress(OSError):  # the end of the test
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=_talk, args=(sock, reply, over), daemon=True).start()


def _talk(sock: socket.socket, reply: Reply, over: Event) -> None:
    with suppress(OSError), sock, sock.makefile("rb") as file:
        while line := file.readline():
            length = 0
            while header := file.readline().strip():
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            file.read(length)
            for part in reply(line):
                if over.is_set() or not (part or not over.wait(0.01)):
                    return
                sock.sendall(part)


REPLIES = [
    endless,
    endless_chunks,
    dripping,
    dripping_head,
    exploding,
    exploding_without_end,
    interim,
    headers_without_end,
    one_long_header,
    redirected_for_ever,
    redirected(endless),
    redirected(dripping),
    redirected(exploding),
]


CASES = [(reply, "") for reply in REPLIES] + [
    (reply, "honeytrace.flush(0.3)") for reply in (endless, exploding, redirected(exploding))
]
"""Each reply, and some to a flush thread that is in the middle of it when the end comes."""


@pytest.mark.parametrize(
    ("reply", "before"), CASES, ids=lambda value: getattr(value, "__name__", value) or "at the end"
)
def test_odd_replies(place: Place, reply: Reply, before: str) -> None:
    """The process ends with one line that counts its calls, and the next process delivers them."""
    place.write("calls.py", f"for n in range(20): call(n)\n{before}")
    program = (
        "import atexit\n"
        "atexit.register(lambda: print(calls.honeytrace.stats()))\n"  # the last hook
        "import calls"
    )
    with serving(reply) as url:
        process = place.start(
            "-c",
            program,
            HONEYTRACE_API_KEY="k",
            HONEYTRACE_SERVER_URL=url,
            HONEYTRACE_REQUEST_TIMEOUT="100000",  # that is not what lets the program go
            HONEYTRACE_EXIT_TIMEOUT="0.5",
        )
        said, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    warnings = [line for line in complained.splitlines() if "records were not delivered" in line]
    assert len(warnings) == 1, complained
    assert warnings[0].startswith("honeytrace: 20 records were not delivered")
    assert "recorded=20, delivered=0, pending=20" in said
    assert place.after() == ok(*range(20))


SHARED = """
import atexit, time
def last():
    for n in range(3): call(n)
atexit.register(last)  # before the hook of honeytrace, so it runs after that
import honeytrace
from honeytrace.sinks import Delivery
class Slow:
    def deliver(self, batch, *, timeout):
        time.sleep(0.01)
        print(timeout)
        return Delivery()
    def close(self): pass
honeytrace.configure(sink=Slow(), exit_timeout=2, journal=":none:")
@honeytrace.trace_session
def call(x): return x
"""


def test_later_exit_hooks_share_the_time(place: Place) -> None:
    """Later exit hooks have together what is left of `exit_timeout`; none has all of it again."""
    (place.path / "shared.py").write_text(SHARED)
    said, complained = place.start("shared.py").communicate(timeout=PATIENCE)
    assert complained == ""
    timeouts = [float(line) for line in said.splitlines()]
    assert len(timeouts) == 3
    assert timeouts[0] < 2  # the rest is for the end of the interpreter
    assert all(after <= before - 0.01 for before, after in itertools.pairwise(timeouts))


def test_a_hanging_server_costs_later_exit_hooks_nothing(place: Place) -> None:
    """Once the time is up, what later exit hooks record goes to the next process at once."""
    program = SHARED.replace("time.sleep(0.01)", "time.sleep(600)").replace(
        ', journal=":none:"', ""
    )
    (place.path / "shared.py").write_text(
        program.replace("exit_timeout=2", "exit_timeout=0.1") + "call(3)\n"
    )
    said, complained = place.start("shared.py").communicate(timeout=PATIENCE)
    assert said == ""
    assert complained.count("1 records were not delivered") == 1
    assert place.after() == ok(*range(4))
