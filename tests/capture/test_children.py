"""What ran inside what: `children_ids` equals it exactly, in order of start."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from honeytrace import current_session, session, trace_session
from honeytrace.lookup.recorded import RecordedSession
from honeytrace.testing import CapturedSessions, capture


def named(sessions: list[RecordedSession]) -> dict[str, RecordedSession]:
    found = {s.session_name: s for s in sessions}
    assert len(found) == len(sessions)
    return found


def family(sessions: CapturedSessions, name: str) -> list[str]:
    """The names of a session's children, in the order it lists them."""
    by_id = {s.session_id: s.session_name for s in sessions}
    return [by_id[child] for child in named(sessions)[name].children_ids]


def test_a_hundred_concurrent_requests_never_mix() -> None:
    """Every session of a hundred interleaved requests, three levels deep and with a hop into the
    thread pool, lists exactly what ran inside it, in order of start."""
    ran: dict[str, list[str]] = {}

    def log(name: str) -> None:
        """What this call is called, and inside of what it runs, told by arguments alone."""
        current_session().session_name = name
        ran.setdefault(name, [])
        if "/" in name:
            ran[name.rpartition("/")[0]].append(name)

    @trace_session
    def leaf(name: str) -> None:
        log(name)

    @trace_session
    def in_pool(name: str) -> None:
        log(name)
        leaf(f"{name}/a")
        leaf(f"{name}/b")

    @trace_session
    async def stage(name: str) -> None:
        log(name)
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, in_pool, f"{name}/pool")
        leaf(f"{name}/leaf")
        await asyncio.to_thread(leaf, f"{name}/thread")

    @trace_session
    async def request(name: str) -> None:
        log(name)
        await stage(f"{name}/first")
        await asyncio.gather(*(stage(f"{name}/{i}") for i in range(3)))

    async def main() -> None:
        await asyncio.gather(*(request(f"r{i}") for i in range(100)))

    with capture() as sessions:
        asyncio.run(main())
    assert len(sessions) == 100 * (1 + 4 * (1 + 3 + 2))
    by_name = named(sessions)
    by_id = {s.session_id: name for name, s in by_name.items()}
    for name, s in by_name.items():
        assert [by_id[child] for child in s.children_ids] == ran[name]
        parent = by_name.get(name.rpartition("/")[0])
        assert s.parent_id == (parent and parent.session_id)
        assert s.root_id == by_name[name.partition("/")[0]].session_id


def test_a_task_that_outlives_its_parent_is_its_child() -> None:
    """What starts after its parent was recorded arrives there by an update."""

    async def main() -> None:
        ended = asyncio.Event()

        @trace_session
        async def late() -> None:
            with session("later"):
                pass

        async def background() -> None:
            with session("early"):
                pass
            await ended.wait()
            await late()

        with session("request"):
            task = asyncio.create_task(background())
            await asyncio.sleep(0)
        ended.set()
        await task

    with capture() as sessions:
        asyncio.run(main())
    by_name = {s.session_name.rpartition(".")[2]: s for s in sessions}
    children = [by_name["early"].session_id, by_name["late"].session_id]
    assert by_name["request"].children_ids == children
    assert by_name["late"].children_ids == [by_name["later"].session_id]
    assert by_name["later"].root_id == by_name["request"].session_id


@pytest.mark.skipif(sys.version_info < (3, 11), reason="TaskGroup is new in 3.11")
def test_a_task_group_is_inside() -> None:
    """The tasks of a group, one of which fails, belong to the session around it."""

    async def part(name: str) -> None:
        with session(name):
            await asyncio.sleep(0)
            if name == "bad":
                raise ValueError(name)

    async def main() -> None:
        with session("all"):
            async with asyncio.TaskGroup() as group:
                for name in ("a", "bad", "c"):
                    group.create_task(part(name))

    with capture() as sessions, pytest.raises(Exception, match="unhandled errors"):
        asyncio.run(main())
    assert family(sessions, "all") == ["a", "bad", "c"]
    assert named(sessions)["all"].details["exceptions"] == ["ValueError: bad"]


def test_very_many_children() -> None:
    """A parent lists a hundred thousand children, each once and in order."""

    @trace_session
    def tiny() -> None:
        pass

    with capture() as sessions, session("parent") as parent:
        for _ in range(100_000):
            tiny()
        running = parent.children_ids
    assert running == sessions[-1].children_ids == [s.session_id for s in sessions[:-1]]
    assert len(set(running)) == 100_000


def test_very_deep_nesting() -> None:
    """Five hundred levels are one chain from the root to the last."""

    @trace_session
    def nest(levels: int) -> None:
        if levels:
            nest(levels - 1)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        with capture() as sessions:
            nest(500)
    finally:
        sys.setrecursionlimit(limit)
    assert len(sessions) == 501
    for inner, outer in pairwise(sessions):
        assert (inner.parent_id, outer.children_ids) == (outer.session_id, [inner.session_id])
        assert inner.root_id == sessions[-1].session_id


def test_children_given_and_found() -> None:
    """Children named by the program stand where it named them among those that ran."""
    with capture() as sessions, session("p", children_ids=iter(["given"])) as p:
        with session("c") as c:
            pass
        p.update(children_ids=["later"])
        p.update(children_ids="one")
    assert named(sessions)["p"].children_ids == ["given", c.session_id, "later", "one"]


def test_a_chosen_id_is_what_the_parent_lists() -> None:
    """A child with an id of its own is listed under it, running and recorded."""
    with capture() as sessions, session("p") as p:
        with session("c", session_id="mine") as c:
            assert (c.session_id, c.parent_id) == ("mine", p.session_id)
        assert p.children_ids == ["mine"]
    assert named(sessions)["p"].children_ids == ["mine"]


@pytest.mark.parametrize("levels", [0, 1, 3])
def test_continuing_a_session_from_inside_makes_no_cycle(levels: int) -> None:
    """A block that continues one around it is that one again, and nobody's child."""

    @trace_session
    def nest(levels: int, session_id: str) -> None:
        if levels:
            nest(levels - 1, session_id)
        else:
            with session(session_id=session_id), session("innermost"):
                pass

    with capture() as sessions, session("outer") as outer:
        nest(levels, outer.session_id)
    again, last = (s for s in sessions if s.session_id == outer.session_id)
    assert again.parent_id is None
    assert [s.session_name for s in last.children if s.session_name == "innermost"]
    assert outer.session_id not in {child for s in sessions for child in s.children_ids}


FORKS = """
    import json, os, sys
    import honeytrace
    from honeytrace import session

    honeytrace.configure(store=sys.argv[1])
    with session("parent") as parent:
        with session("before"):
            pass
        assert honeytrace.flush()
        child = os.fork()
        if child == 0:
            with session("in the child"), session("inside"):
                pass
            done = honeytrace.flush()
            os._exit(0 if done else 1)
        assert os.waitpid(child, 0)[1] == 0
        with session("after"):
            pass
    assert honeytrace.flush()
    found = honeytrace.get_session(parent.session_id)
    print(json.dumps({s.session_name: s.parent.session_name for s in found.children}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_children_in_a_forked_process(tmp_path: Path) -> None:
    """What a forked child records inside a session of its parent is that session's child."""
    script = [sys.executable, "-c", textwrap.dedent(FORKS), str(tmp_path / "x.db")]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    expected = dict.fromkeys(("before", "after", "in the child"), "parent")
    assert json.loads(done.stdout) == expected


def closed_coroutine(leave: Callable[[Any], None]) -> None:
    """A coroutine that began in session A, in a context of its own, is left inside session B."""

    class Once:
        def __await__(self) -> Any:
            yield

    @trace_session
    async def waiting() -> None:
        with session("block"):
            await Once()

    async def main() -> None:
        held = [waiting()]

        async def start() -> None:
            with session("A"):
                held[0].send(None)

        await asyncio.create_task(start())
        with session("B"):
            leave(held)
            with session("after"):
                pass

    asyncio.run(main())


@pytest.mark.parametrize(
    "leave", [lambda held: held[0].close(), lambda held: held.clear()], ids=["close", "collected"]
)
def test_a_coroutine_closed_elsewhere_leaves_what_runs_there(leave: Callable[[Any], None]) -> None:
    """A request whose coroutine is closed inside another leaves no trace in that one."""
    with capture() as sessions:
        closed_coroutine(leave)
    assert family(sessions, "B") == ["after"]
    assert {s.session_name.rpartition(".")[2]: s.status for s in sessions} == {
        "A": "ok",
        "block": "closed",
        "waiting": "closed",
        "after": "ok",
        "B": "ok",
    }
