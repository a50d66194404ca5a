"""Raise an exception from a signal handler at every line of honeytrace that a call runs.

    python interrupted.py lines KIND            # of one kind of call, interpreted
    python interrupted.py instructions KIND     # the same at every instruction where Python looks
    python interrupted.py times SEED COUNT      # by a timer, at random moments of compiled calls

After each: the outer session is current again, every place in the journal is free, and the books
add up to what the sink has. A call whose body ran is recorded once; another at most once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from opcode import opmap, opname
from types import FrameType
from typing import Any

import honeytrace
from honeytrace._capture.context import current
from honeytrace._runtime.runtime import runtime
from honeytrace.sinks import Delivery

OURS = os.path.dirname(honeytrace.__file__)
ROUNDS = 5_000
LOOKS = ("RESUME", "CALL", "JUMP_BACKWARD", "JUMP_ABSOLUTE")
"""Instructions after which Python looks for signals."""


class Interrupt(BaseException):
    """The exception of the handler."""


def handler(number: int, frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    raise Interrupt


class Sink:
    """Counts what arrives, by name."""

    def __init__(self) -> None:
        self.items = 0
        self.names: Counter[str] = Counter()

    def deliver(self, batch: Any, *, timeout: float) -> Delivery:
        self.items += len(batch)
        self.names.update(getattr(item, "event_name", "update") for item in batch)
        return Delivery()

    def close(self) -> None:
        pass


class Interrupts:
    """Runs calls with an interrupt to come. `ran` has the names of the calls whose body ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.arm: Callable[[], object] = bool
        self.struck = ""
        """The place of the last interrupt; empty if the call ended before."""

    def run(self, call: Callable[[], object]) -> None:
        self.struck = ""
        try:
            try:
                self.arm()
                call()
            finally:
                sys.settrace(None)
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Interrupt:
            self.struck = self.struck or "in time"

    def at_line(self, wanted: int) -> None:
        """Raise at the line of this number, among those at which a signal can strike."""
        seen = 0

        def trace(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal seen
            name = frame.f_code.co_filename
            if not name.startswith(("<honeytrace", OURS)):
                return None
            if event == "line" and can_strike(frame):
                seen += 1
                if seen == wanted:
                    self.struck = f"{name}:{frame.f_lineno}"
                    signal.raise_signal(signal.SIGALRM)
            return trace

        self.arm = lambda: sys.settrace(trace)

    def at_instruction(self, wanted: int) -> None:
        """Raise at the place of this number, among those where Python looks for signals: at the
        beginning of a function, after a jump back, and when a function in C has returned."""
        seen = 0
        last: dict[FrameType, str] = {}
        """The instruction before, of each frame; empty after a call of a function in Python."""

        def trace(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal seen
            code = frame.f_code
            if event == "call" and frame.f_back is not None:
                last[frame.f_back] = ""
            if not code.co_filename.startswith(("<honeytrace", OURS)):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            if event == "opcode":
                before, now = last.get(frame, ""), opname[code.co_code[frame.f_lasti]]
                last[frame] = now
                # a NOP is all that is left of `try:`; where Python looked before it, its block
                # had begun
                looked = before.startswith(LOOKS) and now != "NOP"
                if looked and could_be_handled(frame, before):
                    seen += 1
                    if seen == wanted:
                        self.struck = f"{code.co_filename}:{frame.f_lineno} {before} {now}"
                        signal.raise_signal(signal.SIGALRM)
            return trace

        self.arm = lambda: sys.settrace(trace)

    def within(self, seconds: float) -> None:
        """Raise when this time has passed."""
        self.arm = lambda: signal.setitimer(signal.ITIMER_REAL, seconds)


def could_be_handled(frame: FrameType, before: str) -> bool:
    """Return whether an exception after this instruction is in any hands of ours: a second one
    while the first is recorded is not, nor is one at the very start of `__exit__`."""
    if isinstance(sys.exc_info()[1], ValueError):
        return False
    return not (frame.f_code.co_name == "__exit__" and before.startswith("RESUME"))


def can_strike(frame: FrameType) -> bool:
    """Return whether a signal can strike at this line, and its exception could be handled at all.

    A NOP, which is all that is left of `try:`, checks for no signals. A second exception while the
    first one is recorded, and one at the very start of `__exit__`, are in no hands of ours.
    """
    code = frame.f_code
    if code.co_code[frame.f_lasti] == opmap["NOP"]:
        return False
    if isinstance(sys.exc_info()[1], ValueError):
        return False
    first = code.co_firstlineno + 1
    return not (code.co_name == "__exit__" and frame.f_lineno == first)


def plain(on: Interrupts, name: str) -> None:
    @honeytrace.trace_session(name)
    def call(x: str) -> str:
        on.ran.append(name)
        return x

    on.run(lambda: call("x"))


def large(on: Interrupts, name: str) -> None:
    @honeytrace.trace_session(name)
    def call(x: str) -> str:
        on.ran.append(name)
        return x * 2

    on.run(lambda: call("x" * 9_000))


def failing(on: Interrupts, name: str) -> None:
    @honeytrace.trace_session(name)
    def call(x: str) -> str:
        on.ran.append(name)
        raise ValueError(x)

    def expect() -> None:
        try:
            call("x")
        except ValueError:
            pass

    on.run(expect)


def generator(on: Interrupts, name: str) -> None:
    @honeytrace.trace_session(name)
    def call(x: str) -> Any:
        on.ran.append(name)
        yield x
        yield x

    on.run(lambda: list(call("x")))


def block(on: Interrupts, name: str) -> None:
    def call() -> None:
        with honeytrace.session(name, inputs={"x": 1}) as s:
            s.update(metadata={"a": 1})
            on.ran.append(name)

    on.run(call)


def nested(on: Interrupts, name: str) -> None:
    @honeytrace.trace_session("inner")
    def inner(x: int) -> int:
        return x

    @honeytrace.trace_session(name)
    def call(x: int) -> int:
        on.ran.append(name)
        return inner(x) + inner(x)

    on.run(lambda: call(1))


def update(on: Interrupts, name: str) -> None:
    on.run(lambda: honeytrace.update_session(name, metadata={"n": name}))


KINDS = {each.__name__: each for each in (plain, large, failing, generator, block, nested, update)}


def check(sink: Sink, on: Interrupts, name: str) -> None:
    about = name, on.struck
    assert current.get() is None, about
    assert honeytrace.flush(60), about
    stats = honeytrace.stats()
    assert stats.pending == 0, (about, stats)
    assert stats.recorded == stats.delivered + sum(stats.dropped.values()), (about, stats)
    assert stats.delivered == sink.items, (about, stats, sink.items)
    journal = runtime().keeper.journal
    assert journal is not None
    free = len(journal._free) + len(journal._blocks)
    assert (journal.in_use(), free) == (0, journal._idle), about
    assert sink.names[name] <= 1, about
    assert sink.names[name] == 1 or name not in on.ran, about


def main(way: str, what: str, count: int = 0) -> None:
    sink, on = Sink(), Interrupts()
    signal.signal(signal.SIGALRM, handler)
    honeytrace.configure(sink=sink, journal="j", journal_bytes=1_000_000, flush_interval=0.001)
    for name, kind in KINDS.items():
        kind(on, f"first {name}")
        check(sink, on, f"first {name}")
    if way != "times":
        strike = on.at_line if way == "lines" else on.at_instruction
        for place in range(1, ROUNDS):
            strike(place)
            KINDS[what](on, f"{what} {place}")
            check(sink, on, f"{what} {place}")
            if not on.struck:
                break
        print("done", place)
        return
    chance, struck = random.Random(int(what)), 0

    @honeytrace.trace_session("timed")
    def timed(x: int) -> int:
        on.ran.append("timed")
        return timed(0) if x else x

    on.arm = bool
    on.run(lambda: timed(1))  # its name is in the journal from here on
    for n in range(count):
        on.within(10 ** chance.uniform(-6, -4))
        on.run(lambda: timed(1))
        struck += bool(on.struck)
        check(sink, on, f"call {n}")
        assert on.ran.count("timed") <= sink.names["timed"] <= 2 * (n + 2)
    print("done", struck)


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
