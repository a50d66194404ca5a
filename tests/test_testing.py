"""The testing aid: what code records, in memory and at once; then everything is as before."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from destinations import Scripted, isolated
from honeytrace import ConfigurationError, session, trace_session
from honeytrace._capture.hooks import Recorder, hooks
from honeytrace._runtime import runtime as _runtime
from honeytrace.testing import CapturedSessions, capture


@trace_session
def inner(x: int) -> int:
    return x + 1


@trace_session
def outer(x: int) -> int:
    return inner(x) * 2


def state() -> dict[str, Any]:
    names = [name for name in Recorder._fields if name != "on"]
    return {name: getattr(hooks, name) for name in names} | {"runtime": _runtime._runtime}


def test_whole_session_is_a_literal() -> None:
    """With an injected clock and ids, two runs record the same to the last digit."""
    for _ in range(2):
        with capture(start=1_700_000_000.0, project="p") as sessions:
            outer(1)
        assert [s.to_dict() for s in sessions] == [
            {
                "project": "p",
                "session_name": "inner",
                "source": "dev",
                "session_id": "018bcfe5-6801-7000-8000-000000000002",
                "children_ids": [],
                "start_time": 1700000000001.0,
                "end_time": 1700000000002,
                "duration": 1.0,
                "config": {},
                "inputs": {"x": 1},
                "metrics": {},
                "feedback": {},
                "metadata": {
                    "honeytrace": {
                        "parent_id": "018bcfe5-6800-7000-8000-000000000001",
                        "root_id": "018bcfe5-6800-7000-8000-000000000001",
                    }
                },
                "user_properties": {},
                "outputs": {"result": 2},
            },
            {
                "project": "p",
                "session_name": "outer",
                "source": "dev",
                "session_id": "018bcfe5-6800-7000-8000-000000000001",
                "children_ids": ["018bcfe5-6801-7000-8000-000000000002"],
                "start_time": 1700000000000.0,
                "end_time": 1700000000003,
                "duration": 3.0,
                "config": {},
                "inputs": {"x": 1},
                "metrics": {},
                "feedback": {},
                "metadata": {},
                "user_properties": {},
                "outputs": {"result": 4},
            },
        ]
        assert sessions[1].tree() == "outer  3.0 ms\n└─ inner  1.0 ms"


def test_fixture(honeytrace_sessions: CapturedSessions) -> None:
    """The fixture captures like the block, relatives and names included."""
    outer(1)
    (found,) = honeytrace_sessions.by_name("inner")
    assert found.parent == honeytrace_sessions[1]
    assert honeytrace_sessions[1].children == [found]


def test_everything_is_as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After a block, left by an exception or never entered, nothing of it remains."""

    def failing() -> None:
        with capture(start=0.0):
            outer(1)
            honeytrace.configure(project="inside")
            raise KeyError

    def impossible(**settings: Any) -> None:
        with capture(**settings):
            raise AssertionError("not reached")

    with isolated(monkeypatch, tmp_path):
        before = state()
        with pytest.raises(KeyError):
            failing()
        with pytest.raises(ConfigurationError):
            impossible(sample_rate=3.0)
        with pytest.raises(ConfigurationError):
            impossible(redact=[3])
        assert state() == before
        assert _runtime._arguments == {}


def test_threads_are_patched_only_while_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A capture in an unconfigured program leaves `threading` as it found it."""
    with isolated(monkeypatch, tmp_path):
        with capture(propagate_threads=False):
            plain = threading.Thread.start
        with capture():
            assert threading.Thread.start is not plain
        assert threading.Thread.start is plain


def test_innermost_capture_takes_all() -> None:
    """Captures nest; what is recorded inside the inner one is its alone."""
    with capture() as first:
        inner(1)
        with capture() as second:
            inner(2)
        inner(3)
    assert [s.inputs["x"] for s in first] == [1, 3]
    assert [s.inputs["x"] for s in second] == [2]


def test_threads_and_tasks_are_captured() -> None:
    """What other threads and tasks record while the block runs is in the list, too."""

    @trace_session
    async def later(x: int) -> int:
        return inner(x)

    async def main() -> None:
        await asyncio.gather(later(1), later(2))

    with capture() as sessions:
        threads = [threading.Thread(target=inner, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run(main())
    assert sorted(s.inputs["x"] for s in sessions.by_name("inner")) == [0, 1, 1, 2, 2, 3]
    assert all(s.parent is not None for s in sessions.by_name("inner")[-2:])


def test_outer_session_is_not_the_parent() -> None:
    """What runs in the block has no parent outside of it."""
    with capture() as outside, session("around"), capture() as sessions:
        inner(1)
    assert sessions[0].parent_id is None
    assert outside[0].children_ids == []


def test_updates_show() -> None:
    """An update after the fact changes the session in the list, one of an unknown id nothing."""
    with capture() as sessions:
        inner(1)
        honeytrace.update_session(
            sessions[0].session_id, feedback={"rating": 5}, error=OSError("x")
        )
        honeytrace.update_session("unknown", feedback={"rating": 1})
    assert sessions[0].feedback == {"rating": 5}
    assert sessions[0].error == "OSError: x"
    assert len(sessions) == 1


def test_lookup_works_inside() -> None:
    """`get_session` and the lists read what was captured; nothing waits for a thread."""
    with capture() as sessions:
        outer(1)
        assert honeytrace.get_session(sessions[1].session_id).children == [sessions[0]]
        assert honeytrace.list_sessions(roots_only=True) == [sessions[1]]
        assert honeytrace.flush()
        assert _runtime.runtime().flusher._thread is None


def test_configuring_inside_stays_captured() -> None:
    """A program that configures itself under test is still captured, with its settings."""
    sink = Scripted()
    with capture() as sessions:
        inner(1)
        honeytrace.configure(project="app", sink=sink)
        inner(2)
    assert [s.project for s in sessions] == ["default", "app"]
    assert sink.batches == []


def test_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a machine exports cannot make a test fail."""
    monkeypatch.setenv("HONEYTRACE_DISABLED", "1")
    monkeypatch.setenv("HH_PROJECT", "theirs")
    with capture() as sessions:
        inner(1)
    assert sessions[0].project == "default"


def test_settings_are_those_of_configure() -> None:
    """A capture may sample, turn off or redact as `configure` does."""
    with capture(enabled=False) as sessions:
        inner(1)
    with capture(sample_rate=0.0) as sampled:
        inner(1)
        assert honeytrace.stats().sampled_out == 1
    assert sessions == sampled == []
