"""Answers under every way to run calls at the same time: each call gets its own, every time."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import replayed_agent as program

import honeytrace
from honeytrace import NotRecorded, RecordedSession, replaying, trace_session
from honeytrace._capture import registry
from honeytrace._replay.code import Code, imported
from honeytrace.testing import capture

ROUNDS = 50


@trace_session
async def grouped() -> list[str]:
    """Ask the same in eight tasks of a group, and take turns in a race."""
    ends: list[str] = []

    async def racer(number: int) -> None:
        ends.append(await program.race(number))

    async with asyncio.TaskGroup() as group:  # type: ignore[attr-defined]
        tasks = [group.create_task(program.branch(i)) for i in range(4)]
        for i in range(4):
            group.create_task(racer(i))
    return [each.result() for each in tasks] + ends


KINDS: list[Callable[[], Any]] = [program.gathered, program.as_completed]
if sys.version_info >= (3, 11):
    KINDS.append(grouped)


def recorded(call: Callable[[], Any]) -> tuple[RecordedSession, Any]:
    """Return the last session that an async call records, and what it returned."""
    with capture() as sessions:
        value = asyncio.run(call())
    program.ran.clear()
    return sessions[-1], value


def test_fifty_rounds_of_eight_replays_beside_a_bystander() -> None:
    """`gather`, `as_completed` and TaskGroup at once, each in a replay of its own: 50 of 50 rounds
    are right, and a thread outside runs live all the while."""
    calls = [KINDS[n % len(KINDS)] for n in range(8)]
    taped = [(call, *recorded(call)) for call in calls]
    done, live = threading.Event(), []

    def bystander() -> None:
        while not done.is_set():
            before = len(program.ran)
            program.ask("bystander")
            live.append(len(program.ran) > before)

    async def one(call: Callable[[], Any], root: RecordedSession) -> Any:
        async with replaying(root, recorded=["ask", "race"], strict=True):
            return await call()

    async def at_once() -> list[Any]:
        return list(await asyncio.gather(*(one(call, root) for call, root, _ in taped)))

    right = 0
    with capture():
        thread = threading.Thread(target=contextvars.Context().run, args=(bystander,))
        thread.start()
        try:
            for _ in range(ROUNDS):
                right += asyncio.run(at_once()) == [value for *_, value in taped]
        finally:
            done.set()
            thread.join()
    assert right == ROUNDS
    assert live
    assert all(live)


def test_blocks_may_close_in_every_order() -> None:
    """Three overlapping blocks leave the decorated function as it was, whatever closes first."""
    root, _ = recorded(program.gathered)
    original = registry.target_of(program.ask)
    for order in permutations(range(3)):
        with capture():
            blocks = [replaying(root, recorded="ask") for _ in range(3)]
            for each in blocks:
                each.__enter__()
            for number in order:
                assert registry.target_of(program.ask) is not original
                blocks[number].__exit__(None, None, None)
        assert registry.target_of(program.ask) is original


@trace_session
async def hurried(limit: float) -> str:
    return await asyncio.wait_for(program.race(-100), limit)


@trace_session
async def patient() -> list[str]:
    return [await asyncio.wait_for(program.race(i), 30) for i in range(2)]


def test_wait_for() -> None:
    """An answer arrives in time; a call that a timeout had cancelled has none, and says so."""
    root, before = recorded(patient)
    with capture(), replaying(root, recorded="tool", strict=True):
        assert asyncio.run(patient()) == before
    with capture() as sessions, pytest.raises(asyncio.TimeoutError):
        asyncio.run(hurried(0.001))
    with (
        capture(),
        pytest.raises(NotRecorded, match="race ended as 'cancelled' when it was recorded"),
        replaying(sessions[-1], recorded="tool", strict=True),
    ):
        asyncio.run(hurried(30))


def test_trio() -> None:
    """Tasks of a nursery get their own answers, in the order of their ends, without a live call."""
    trio = pytest.importorskip("trio")

    @trace_session("turn", event_type="tool")
    async def turn(number: int) -> str:
        await trio.sleep((4 - number) * 0.002)
        return f"t{number}"

    @trace_session("asked")
    async def asked(number: int) -> str:
        await trio.sleep(0)
        return program.ask("always the same")

    @trace_session("both")
    async def both() -> tuple[dict[int, str], list[str]]:
        answers: dict[int, str] = {}
        ends: list[str] = []

        async def ask(number: int) -> None:
            answers[number] = await asked(number)

        async def race(number: int) -> None:
            ends.append(await turn(number))

        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(ask, number)
                nursery.start_soon(race, number)
        return answers, ends

    with capture() as sessions:
        before = trio.run(both)
    program.ran.clear()
    for _ in range(5):
        with capture(), replaying(sessions[-1], recorded=["ask", "turn"], strict=True) as replay:
            assert trio.run(both) == before
        assert replay.unused == []
    assert program.ran == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(backend: str) -> None:
    """A task group of anyio, on either backend."""
    anyio = pytest.importorskip("anyio")
    pytest.importorskip(backend)

    @trace_session("leaf", event_type="model")
    async def leaf(number: int) -> str:
        program.ran.append("leaf")
        await anyio.sleep((3 - number) * 0.002)
        return f"l{number}"

    @trace_session("tree")
    async def tree() -> list[str]:
        ends: list[str] = []

        async def one(number: int) -> None:
            ends.append(await leaf(number))

        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(one, number)
        return ends

    with capture() as sessions:
        before = anyio.run(tree, backend=backend)
    program.ran.clear()
    with capture(), replaying(sessions[-1], recorded="model", strict=True):
        assert anyio.run(tree, backend=backend) == before
    assert program.ran == []


def test_retries_do_not_hide_a_miss() -> None:
    """tenacity tries once what was not recorded, and the miss goes through; an error that was
    recorded is tried again as it was then."""
    tenacity = pytest.importorskip("tenacity")
    tries: list[str] = []

    @trace_session("flaky", event_type="model")
    def flaky(text: str) -> str:
        program.ran.append("flaky")
        if len(program.ran) < 3:
            raise program.BusyError("slow down", status_code=429)
        return text.upper()

    @trace_session("caller")
    @tenacity.retry(stop=tenacity.stop_after_attempt(4), reraise=True)
    def caller(text: str) -> str:
        tries.append(text)
        return flaky(text)

    with capture() as sessions:
        assert caller("a") == "A"
    assert len(tries) == 3
    tries.clear()
    program.ran.clear()
    with capture(), replaying(sessions[-1], recorded="model", strict=True) as replay:
        assert caller("a") == "A"
    assert len(replay.answered) == len(tries) == 3
    tries.clear()
    with (
        capture(),
        pytest.raises(NotRecorded, match="flaky was asked something new"),
        replaying(sessions[-1], recorded="model", strict=True),
    ):
        caller("b")
    assert tries == ["b"]
    assert program.ran == []


def test_errors_that_gather_returns_are_misses_all_the_same() -> None:
    """`return_exceptions=True` and `except Exception` do not swallow a strict miss."""
    root, _ = recorded(program.gathered)

    async def swallowing() -> Any:
        return await asyncio.gather(later("new"), later("newer"), return_exceptions=True)

    async def later(text: str) -> str:
        try:
            return program.ask(text)
        except Exception:
            return "swallowed"

    with (
        capture(),
        pytest.raises(NotRecorded, match=r"ask was asked something new.*\n(.*\n)*  and 1 call"),
        replaying(root, recorded="ask", strict=True),
    ):
        asyncio.run(swallowing())
    assert program.ran == []


def test_a_replay_of_a_replay() -> None:
    """The run of a replay can be replayed itself: its answers are records like any other."""
    with capture():
        asyncio.run(program.gathered())
        before = honeytrace.list_sessions(name="gathered")[0]
        once = honeytrace.replay(before, recorded="ask", strict=True)
        again = honeytrace.replay(once.after, recorded="ask", strict=True)
    assert again.value == once.value
    assert again.comparison.counts["changed"] == 0


def test_threads_import_a_script_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that replay calls of one script all get it whole, from one import."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    script = tmp_path / "slow_script.py"
    script.write_text("import time\ntime.sleep(0.2)\n\n\ndef answer():\n    return 1\n")
    code = Code("__main__", "answer", str(script), 5)
    with ThreadPoolExecutor(4) as pool:
        found = [done.result() for done in [pool.submit(imported, code) for _ in range(4)]]
    assert len({id(each) for each in found}) == 1
    assert found[0]() == 1
    del sys.modules[found[0].__module__]
