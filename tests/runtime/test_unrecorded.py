"""Calls that honeytrace failed to record: the program goes on, and the books say so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from honeytrace import trace_session
from honeytrace._capture.hooks import hooks
from honeytrace.sinks.memory import MemorySink
from surroundings import environ

pytestmark = pytest.mark.usefixtures("alone")


@trace_session
def plain(x: int) -> int:
    return x


@trace_session
def generator(x: int) -> Any:
    yield x


def block(x: int) -> int:
    with honeytrace.session("block", inputs={"x": x}):
        return x


def defect(*args: Any) -> Any:
    raise RuntimeError("a defect of honeytrace")


CALLS: list[Callable[[int], Any]] = [plain, lambda x: next(generator(x)), block]


@pytest.mark.parametrize("call", CALLS, ids=["call", "generator", "block"])
@pytest.mark.parametrize("hook", ["encode", "opened", "tick"])
def test_a_call_that_could_not_begin_is_counted(
    hook: str, call: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program gets its value, `stats()` counts a loss, and the next flush is not complete."""
    honeytrace.configure(sink=MemorySink(), journal=":none:")
    assert call(1) == 1
    assert honeytrace.flush().complete
    with monkeypatch.context() as patch:
        patch.setattr(hooks, hook, defect)
        assert call(2) == 2
    stats = honeytrace.stats()
    assert stats.dropped == {"not recorded": 1}
    assert stats.recorded == stats.delivered + stats.pending + 1
    result = honeytrace.flush()
    assert (result.complete, result.dropped) == (False, 1)
    assert call(3) == 3
    assert honeytrace.flush().complete


def test_an_update_that_could_not_be_recorded_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It raises nothing, and counts like a call."""
    honeytrace.configure(sink=MemorySink(), journal=":none:")
    plain(1)
    from honeytrace._runtime.runtime import runtime

    with monkeypatch.context() as patch:
        patch.setattr(runtime().flusher.queue, "add", defect)
        honeytrace.update_session("id", metadata={"a": 1})
    assert honeytrace.stats().dropped == {"not recorded": 1}
    assert not honeytrace.flush().complete


def test_a_call_that_could_not_configure_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also before there is a runtime, and when it is made later."""
    with monkeypatch.context() as patch:
        patch.setattr("honeytrace._runtime.runtime.runtime", defect)
        assert plain(1) == 1
    assert honeytrace.stats().dropped == {"not recorded": 1}
    assert not honeytrace.flush().complete
    honeytrace.configure(sink=MemorySink(), journal=":none:")
    assert plain(2) == 2
    assert honeytrace.stats().dropped == {"not recorded": 1}
    assert not honeytrace.flush().complete


def test_an_invalid_environment_is_never_complete(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is recorded then, so no flush says that everything was."""
    monkeypatch.setenv("HONEYTRACE_BATCH_SIZE", "many")
    assert plain(1) == 1
    assert not honeytrace.flush().complete
    assert not honeytrace.flush().complete
    (told,) = caplog.records
    assert "records nothing" in told.getMessage()


ISOLATED = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
    inside, run = interpreters.create("isolated"), interpreters.exec
else:
    import _xxsubinterpreters as interpreters
    inside, run = interpreters.create(isolated=True), interpreters.run_string
failed = run(inside, '''
import sys, honeytrace
honeytrace.configure(store=":memory:", journal=":none:")
def plain(x): return x
def generator(x): yield x
class Class:
    @honeytrace.trace_session
    @staticmethod
    def static(x): return x
    @honeytrace.trace_session
    @property
    def value(self): return 1
@honeytrace.trace_session
class Whole:
    def method(self, x): return x
for function in (plain, generator):
    for decorate in (honeytrace.trace_session, honeytrace.trace_session("name")):
        same = decorate(function) is function
        assert same or sys.version_info < (3, 12)
assert honeytrace.trace_session(plain)(1) == 1
assert list(honeytrace.trace_session(generator)(1)) == [1]
assert (Class.static(1), Class().value, Whole().method(1)) == (1, 1, 1)
with honeytrace.session("block") as s:
    s.update(metadata={"a": 1})
    assert bool(s) == (sys.version_info < (3, 12))
honeytrace.update_session(s.session_id, metadata={"a": 1})
recorded = honeytrace.stats().recorded
assert (recorded == 0) == same and honeytrace.flush(5).complete == (not same)
honeytrace.shutdown()
''')
print(failed)
interpreters.destroy(inside)
"""


def test_an_isolated_interpreter(tmp_path: Path) -> None:
    """Where extensions do not load, decorating warns once and leaves the function alone."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ISOLATED],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == ("None\n", 0), done.stderr
    lines = done.stderr.splitlines()
    if sys.version_info >= (3, 12):
        assert len(lines) == 1
        assert "records nothing in this interpreter" in lines[0]
    else:
        assert lines == []
