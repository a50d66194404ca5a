"""What a value's own code raises while it is recorded stays here; what interrupts it does not."""

from __future__ import annotations

import asyncio
import functools
import itertools
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import pytest

import honeytrace
from destinations import PATIENCE, Gate
from honeytrace import session, trace_session
from honeytrace._runtime import runtime as _runtime
from honeytrace.testing import capture


class Ending(BaseException):
    """Neither an error nor an exit, of a library that the program uses."""


class Shown:
    """A value that runs this when it is shown."""

    __slots__ = ("_run",)

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run

    def __repr__(self) -> str:
        self._run()
        return "<shown>"


def raising(end: type[BaseException]) -> Callable[[], object]:
    def run() -> None:
        raise end

    return run


@pytest.mark.parametrize("end", [SystemExit, GeneratorExit, asyncio.CancelledError, Ending])
def test_a_value_that_ends_the_program_when_shown_costs_only_itself(
    end: type[BaseException],
) -> None:
    """The call goes on with its arguments and gives its result; the record names what happened."""
    value = Shown(raising(end))
    with capture(snapshot={Shown: repr}) as sessions:
        assert trace_session(lambda given, other: given)(value, 1) is value
    assert sessions[0].inputs == {"given": f"<Shown: {end.__name__} when recorded>", "other": 1}


class Hash:
    """A key that can be hashed once: for the dict it is in."""

    def __init__(self) -> None:
        self.hashed = False

    def __hash__(self) -> int:
        if self.hashed:
            raise SystemExit
        self.hashed = True
        return 1


def test_a_key_that_ends_the_program_when_hashed() -> None:
    """The program goes on."""
    with capture() as sessions:
        assert trace_session(lambda given: "given")({Hash(): 1}) == "given"
    assert sessions[0].outputs == {"result": "given"}


def test_an_exception_that_ends_the_program_when_told() -> None:
    """The program gets the exception it raised, not the one that its `__str__` does."""

    class Untold(Exception):  # noqa: N818
        exceptions = property(raising(SystemExit))

        def __str__(self) -> str:
            raise SystemExit

    def fail() -> None:
        raise Untold

    with capture() as sessions, pytest.raises(Untold):
        trace_session(fail)()
    assert sessions[0].error == (
        "test_an_exception_that_ends_the_program_when_told.<locals>.Untold: <its __str__ raised>"
    )


class Fields(Mapping[str, int]):
    def __getitem__(self, name: str) -> int:
        raise SystemExit

    def __iter__(self) -> Iterator[str]:
        return iter("a")

    def __len__(self) -> int:
        return 1


def test_fields_that_end_the_program_when_read() -> None:
    """`update` takes what it is given, whatever reading it does."""
    with capture() as sessions, session("update") as s:
        s.update(metadata=Fields(), children_ids=Fields(), session_name=Shown(raising(SystemExit)))
    assert sessions[0].session_name == "<Shown: its __str__ raised>"
    assert sessions[0].metadata == {"value": {"__type__": "Fields"}}


def test_redaction_that_ends_the_program() -> None:
    """A function that fails so leaves no value behind either."""

    def end(path: str, value: Any) -> Any:
        raise SystemExit

    with capture(redact=end) as sessions:
        assert trace_session(lambda given: given)("secret") == "secret"
    assert "secret" not in str(sessions[0].to_dict())


class Handler:
    def method(self, number: int, frame: FrameType | None) -> None:
        raise SystemExit(number)

    def all(self, *given: object) -> None:
        raise SystemExit(given[0])


@pytest.mark.parametrize(
    "handler", [Handler().method, Handler().all, functools.partial(Handler.method, Handler())]
)
def test_what_a_signal_handler_raises_while_a_value_is_shown(
    handler: Callable[..., None],
) -> None:
    """A program that SIGTERM ends by `sys.exit` ends, also in the middle of a `__repr__`."""
    value = Shown(lambda: signal.raise_signal(signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with capture(snapshot={Shown: repr}), pytest.raises(SystemExit) as end:
            trace_session(lambda given: given)(value)
        assert end.value.code == signal.SIGTERM
        assert not honeytrace.current_session()
    finally:
        signal.signal(signal.SIGTERM, before)


def timed_out(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("too long")


@pytest.fixture
def alarm() -> Iterator[Callable[[], None]]:
    """Raises SIGALRM, whose handler raises TimeoutError."""
    before = signal.signal(signal.SIGALRM, timed_out)
    yield lambda: signal.raise_signal(signal.SIGALRM)
    signal.signal(signal.SIGALRM, before)


def test_a_timeout_while_a_value_is_shown(alarm: Callable[[], None]) -> None:
    """What the program's handler raises to end what takes too long ends it; the record says so."""
    with capture(snapshot={Shown: repr}) as sessions:
        with pytest.raises(TimeoutError):
            trace_session(lambda given: given)(Shown(alarm))
        with pytest.raises(TimeoutError), session("block", inputs={"q": 1}) as s:
            s.outputs = Shown(alarm)
        assert not honeytrace.current_session()
    assert [(s.session_name, s.error) for s in sessions] == [("block", "TimeoutError: too long")]


def calls() -> Iterator[Any]:
    """Every way to record, each of them again and again."""

    @trace_session
    def plain(x: bytes) -> bytes:
        return x

    @trace_session
    def stream(x: bytes) -> Iterator[bytes]:
        yield x

    def block(x: bytes) -> None:
        with session("block", inputs={"x": x.decode()}):
            pass

    yield plain
    yield lambda x: list(stream(x))
    yield block
    yield lambda x: honeytrace.update_session("s", feedback={"x": x.decode()})


@pytest.mark.parametrize("call", list(calls()), ids=["call", "generator", "block", "update"])
def test_a_timeout_ends_the_wait_for_room(
    call: Callable[[bytes], object], alarm: Callable[[], None], alone: None, monkeypatch: Any
) -> None:
    """With `overflow="block"` and a destination that is away; what waits arrives, once."""
    gate = Gate()
    honeytrace.configure(sink=gate, overflow="block", queue_bytes=50_000, disk_bytes=1)
    flusher = _runtime.runtime().flusher
    monkeypatch.setattr(flusher.ledger.changed, "wait", lambda timeout: alarm())
    numbers = itertools.count(1)
    with pytest.raises(TimeoutError):
        deque((call(b"%0999d" % n) for n in numbers), 0)
    recorded = next(numbers) - 1
    assert recorded > 10
    assert not honeytrace.current_session()
    monkeypatch.undo()
    stats = honeytrace.stats()
    assert (stats.recorded, stats.dropped) == (recorded, {})
    gate.open.set()
    assert honeytrace.flush(PATIENCE)
    assert honeytrace.stats().delivered == len(gate.items) == recorded
