"""The functions of the package that act on the runtime."""

from __future__ import annotations

import pytest

import honeytrace
from honeytrace import trace_session
from honeytrace.sinks.memory import MemorySink

pytestmark = pytest.mark.usefixtures("alone")


def test_aflush_works_in_trio() -> None:
    """`aflush` delivers under trio, and other tasks run meanwhile."""
    trio = pytest.importorskip("trio")
    sink = MemorySink()
    honeytrace.configure(sink=sink)
    ran = []

    @trace_session
    async def ask() -> int:
        await trio.lowlevel.checkpoint()
        return 42

    async def beside() -> None:
        await trio.lowlevel.checkpoint()
        ran.append(True)

    async def main() -> honeytrace.FlushResult:
        await ask()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beside)
            return await honeytrace.aflush(5)

    assert trio.run(main)
    assert (len(sink.items), ran) == (1, [True])


def test_an_update_of_an_unknown_session_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """The embedded store knows its sessions, so a mistyped id is named; known ids are silent."""
    with honeytrace.session("known") as found:
        pass
    honeytrace.update_session(found.session_id, metrics={"score": 1})
    assert honeytrace.flush()
    assert not caplog.records
    for _ in range(2):
        honeytrace.update_session("mistyped", metrics={"score": 1})
        assert honeytrace.flush()
    (told,) = caplog.records
    assert "update_session('mistyped'): there is no such session in" in told.getMessage()
