"""An exception in the record: what it was, where, why, and what it brought along."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from honeytrace import session, trace_session
from honeytrace._capture.exceptions import describe
from honeytrace.lookup.recorded import RecordedSession
from honeytrace.testing import capture


def raised(exc: BaseException) -> BaseException:
    """The exception, raised and caught."""
    try:
        raise exc
    except BaseException as caught:
        return caught


def told(exc: BaseException) -> tuple[str, str | None, dict[str, Any]]:
    return describe(raised(exc), str, None)


def record_of(fail: Callable[[], object]) -> RecordedSession:
    with capture() as sessions, pytest.raises(BaseException):
        trace_session(fail)()
    return sessions[-1]


class NamedError(Exception):
    pass


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("str")


class Stop(KeyboardInterrupt):
    pass


@pytest.mark.parametrize(
    ("exc", "status", "error"),
    [
        (ValueError("v"), "error", "ValueError: v"),
        (ValueError(), "error", "ValueError"),
        (NamedError("n"), "error", "NamedError: n"),
        (UnprintableError(), "error", "UnprintableError: <its __str__ raised>"),
        (ValueError("\ud800"), "error", "ValueError: \\ud800"),
        (BaseException("b"), "error", "BaseException: b"),
        (asyncio.CancelledError(), "cancelled", "CancelledError"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
        (Stop(), "interrupted", "Stop"),
        (SystemExit(3), "exited", "SystemExit: 3"),
        (GeneratorExit(), "closed", None),
        (ValueError("x" * 30_000), "error", f"ValueError: {'x' * 19_988}…[cut 10012 characters]"),
    ],
)
def test_status_and_text(exc: BaseException, status: str, error: str | None) -> None:
    """A failure reads `Type: message`; what ends a call without being one has a word of its own."""
    assert told(exc)[:2] == (status, error)


def test_the_traceback_is_the_programs() -> None:
    """The traceback names the program's frames, none of ours, and ends with the error."""

    def inner() -> None:
        raise ValueError("v")

    recorded = record_of(lambda: inner())
    text = recorded.traceback or ""
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ValueError: v")
    assert "in inner" in text
    assert "honeytrace>" not in text
    assert "_ht_" not in text


def test_every_frame_is_told_once() -> None:
    """Where an error passes several sessions, each tells its own frames and names the session
    inside that it came out of."""

    @trace_session
    def inner() -> None:
        raise ValueError("v")

    @trace_session
    def outer() -> None:
        inner()

    with capture() as sessions, pytest.raises(ValueError):
        outer()
    first, second = sessions
    assert second.details["raised_in"] == first.session_id
    assert "in inner" in (first.traceback or "")
    assert "in inner" not in (second.traceback or "")
    assert first.error == second.error == "ValueError: v"


def test_another_error_is_told_whole() -> None:
    """An error made of the one inside has its own frames, and that one among its causes."""

    @trace_session
    def inner() -> None:
        raise ValueError("v")

    @trace_session
    def outer() -> None:
        try:
            inner()
        except ValueError as error:
            raise NamedError("n") from error

    with capture() as sessions, pytest.raises(NamedError):
        outer()
    assert sessions[1].details["causes"] == ["ValueError: v"]
    assert "raised_in" not in sessions[1].details


def test_of_a_deep_traceback_the_newest_frames_are_kept() -> None:
    """A traceback is bounded; the end, where it happened, is what remains."""

    def descend(levels: int) -> None:
        if levels:
            descend(levels - 1)
        else:
            raise ValueError("v")

    text = record_of(lambda: descend(200)).traceback or ""
    assert 'raise ValueError("v")' in text
    assert len(text) < 21_000


def chained(links: int, how: str) -> BaseException:
    exc: BaseException = ValueError("0")
    for i in range(1, links):
        new = ValueError(str(i))
        setattr(new, how, exc)
        exc = new
    return exc


@pytest.mark.parametrize("how", ["__cause__", "__context__"])
@pytest.mark.parametrize(("links", "kept"), [(1, 0), (3, 2), (50, 10)])
def test_causes(how: str, links: int, kept: int) -> None:
    """The chain of causes is kept, the nearest first, up to a bound."""
    causes = describe(chained(links, how), str, None)[2].get("causes", [])
    assert causes == [f"ValueError: {i}" for i in range(links - 2, links - 2 - kept, -1)]


def test_a_suppressed_context_is_no_cause() -> None:
    """`raise ... from None` says that what came before does not matter."""
    exc = chained(2, "__context__")
    exc.__suppress_context__ = True
    assert "causes" not in describe(exc, str, None)[2]


def test_a_cycle_of_causes_ends() -> None:
    """Exceptions that cause each other are told once each."""
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert describe(first, str, None)[2]["causes"] == ["ValueError: 2"]


def test_notes() -> None:
    """Notes are kept, but for what is no text."""
    exc: Any = ValueError("v")
    exc.__notes__ = ["first", 5, "x" * 30_000]
    notes = told(exc)[2]["notes"]
    assert notes[0] == "first"
    assert [len(note) < 21_000 for note in notes] == [True, True]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups are new in 3.11")
def test_members_of_a_group() -> None:
    """A group's members are kept, up to a bound."""
    group = ExceptionGroup("g", [ValueError(str(i)) for i in range(20)])  # noqa: F821
    assert told(group)[2]["exceptions"] == [f"ValueError: {i}" for i in range(10)]


class HostileError(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_an_exception_that_fails_its_reader() -> None:
    """Of an exception whose own code fails, the record says what it can."""
    status, error, details = told(HostileError("h"))
    assert (status, error, list(details)) == ("error", "HostileError: h", ["traceback", "raised"])


def test_telling_an_exception_records_nothing() -> None:
    """Traced code that an exception runs to show itself is not the program's call."""

    class TracedError(Exception):
        @trace_session
        def __str__(self) -> str:
            return "text"

    def fail() -> None:
        raise TracedError

    with capture() as sessions, pytest.raises(TracedError):
        trace_session(fail)()
    assert [s.error for s in sessions] == [f"{TracedError.__qualname__}: text"]


def test_secrets_stay_out() -> None:
    """Error, traceback, causes and notes pass redaction."""
    secret = "sk-abcdefghijklmnopqrstuvwxyz012345"

    def fail() -> None:
        error: Any = ValueError(f"api_key={secret}")
        error.__notes__ = [f"api_key={secret}"]
        raise error from ValueError(f"api_key={secret}")

    recorded = record_of(fail)
    assert secret not in str(recorded.to_dict())
    assert recorded.details["causes"]


def test_source_that_cannot_be_read() -> None:
    """Where a traceback cannot be written, the error is still told."""

    class Loader:
        def get_source(self, name: str) -> str:
            raise RuntimeError("no source")

    space: dict[str, Any] = {"__loader__": Loader(), "__name__": "elsewhere"}
    exec(compile("def fail():\n    raise ValueError('v')", "<elsewhere>", "exec"), space)
    recorded = record_of(space["fail"])
    assert recorded.error == "ValueError: v"
    assert (recorded.traceback or "").endswith("ValueError: v")


def test_a_cancelled_task() -> None:
    """A task cancelled while it waits ends as cancelled, and so does what it was inside of."""

    @trace_session
    async def waits() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        async def work() -> None:
            with session("work"):
                await waits()

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with capture() as sessions:
        asyncio.run(main())
    assert [s.status for s in sessions] == ["cancelled", "cancelled"]
    assert sessions[1].children_ids == [sessions[0].session_id]
