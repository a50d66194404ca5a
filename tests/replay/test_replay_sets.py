"""Sets: many calls made again, scored on both sides, none of which can end the set."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import replayed_agent as program

import honeytrace
from honeytrace import RecordedSession, ReplayError, trace_session
from honeytrace.lookup.replays import ReplayRow, Score, is_set, stored_rows
from honeytrace.testing import capture
from surroundings import environ

state: dict[str, Any] = {}


@trace_session
def respond(question: str, client: Any = None) -> str:
    if state.get("fails") == question:
        raise ValueError(f"no answer to {question}")
    if state.get("exits") == question:
        raise SystemExit(3)
    return program.ask(question) + str(state.get("tail", ""))


@trace_session
async def respond_later(question: str) -> str:
    await asyncio.sleep(0)
    return program.ask(question)


def length(session: RecordedSession) -> float:
    return float(len(session.outputs["result"]))


async def judged(session: RecordedSession) -> dict[str, float]:
    await asyncio.sleep(0)
    return {"short": float(len(session.outputs["result"]) < 100), "asked": 1.0}


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    state.clear()
    program.ran.clear()
    yield
    state.clear()


def recorded(*questions: Any, call: Any = respond) -> list[RecordedSession]:
    """Return the sessions of calls with these arguments."""
    with capture() as sessions:
        for each in questions:
            made = call(*each) if isinstance(each, tuple) else call(each)
            if asyncio.iscoroutine(made):
                asyncio.run(made)
    program.ran.clear()
    return [each for each in sessions if each.session_name == call.__name__]


def verdicts(rows: Any) -> list[str]:
    return [row.verdict for row in rows]


@pytest.mark.parametrize("workers", [1, 4])
def test_one_run_never_ends_a_set(workers: int) -> None:
    """A call that is refused, one that fails and one that exits are rows; the others go on."""
    sessions = recorded("a", "b", ("c", object()), "d", "e")
    state.update(fails="b", exits="d")
    with capture():
        found = honeytrace.replay_all(sessions, recorded="model", workers=workers)
    assert verdicts(found) == ["match", "failed", "refused", "failed", "match"]
    assert found[1].reason == "ValueError: no answer to b"
    assert found[2].reason.startswith("respond cannot be called: client is an object")
    assert found[3].reason == "SystemExit: 3"
    assert found.counts == {"match": 2, "changed": 0, "failed": 2, "refused": 1}
    assert [row.before_id for row in found] == [each.session_id for each in sessions]
    assert [row.asked for row in found][:2] == ["a", "b"]
    assert program.ran == []


def test_both_sides_are_scored() -> None:
    """Every score is of the recorded and of the new run; several functions, async ones too."""
    sessions = recorded("a", "b")
    state["tail"] = "!!"
    with capture() as seen:
        found = honeytrace.replay_all(sessions, recorded="model", score=[length, judged])
    assert verdicts(found) == ["changed", "changed"]
    row = found[0]
    assert row.scores["length"].change == 2.0
    assert row.scores["short"] == Score(1.0, 1.0)
    assert list(found.scores) == ["length", "short", "asked"]
    standing = found.scores["length"]
    assert (standing.better, standing.worse, standing.same) == (2, 0, 0)
    assert standing.after == pytest.approx((standing.before or 0) + 2)
    after = found.replayed[row.before_id].after
    assert (row.after_id, row.calls_changed) == (after.session_id, 1)
    member = seen.by_name("replay")[0]
    assert member.children_ids == [after.session_id]
    assert member.metrics == {name: each.after for name, each in row.scores.items()}
    assert seen.by_name("replays")[0].outputs["counts"]["changed"] == 2


def test_a_score_that_raises_is_a_note() -> None:
    """The run keeps its verdict, and the note has no secret."""

    def broken(session: RecordedSession) -> float:
        raise KeyError("sk-abcdefghijklmnopqrstuvwx")

    sessions = recorded("a")
    with capture():
        (row,) = honeytrace.replay_all(sessions, recorded="model", score=[broken, length])
    assert row.verdict == "match"
    assert row.notes[0].startswith("broken of before: KeyError")
    assert "sk-abc" not in str(row)
    assert set(row.scores) == {"length"}


def test_misses_are_told() -> None:
    """A call that ran live is a note; in a strict set it is the reason of a failure."""
    sessions = recorded("a", "b")
    others = {"set": {"question": "new"}, "recorded": "model"}
    with capture():
        loose = honeytrace.replay_all(sessions, **others)
        assert program.ran == ["ask", "ask"]
        program.ran.clear()
        strict = honeytrace.replay_all(sessions, strict=True, **others)
    assert verdicts(loose) == ["changed", "changed"]
    assert "ran live: ask was asked something new" in loose[0].notes[0]
    assert verdicts(strict) == ["failed", "failed"]
    assert strict[0].reason.startswith("ask was asked something new")
    assert program.ran == []


def test_the_store_knows_the_set() -> None:
    """The rows come back from the tree of the set's session, as they were."""
    sessions = recorded("a", ("b", object()))
    with capture():
        found = honeytrace.replay_all(sessions, recorded="model", score=length)
        stored = honeytrace.get_session(found.session_id)
        assert is_set(stored)
        assert stored.status == "ok"
        reader = stored._family._store  # type: ignore[union-attr]
        rows = stored_rows(reader, found.session_id, 10)
        assert {row.before_id: row.to_dict() for row in rows} == {
            row.before_id: row.to_dict() for row in found
        }
        assert len(stored_rows(reader, found.session_id, 1)) == 2
    assert json.loads(json.dumps(found.to_dict()))["counts"]["match"] == 1
    assert ReplayRow.of({"verdict": "match"}) is None
    assert ReplayRow.of(None) is None


def test_replays_are_not_replayed_again() -> None:
    """Calls that a replay recorded are left out, at whatever depth, and counted."""
    with capture():
        respond("a")
        honeytrace.replay_all(honeytrace.list_sessions(name="respond"), recorded="model")
        honeytrace.replay(honeytrace.list_sessions(name="respond")[-1], recorded="model")
        everything = honeytrace.list_sessions(name="respond")
        assert len(everything) == 3
        found = honeytrace.replay_all(everything, recorded="model")
        assert (len(found), found.skipped) == (1, 2)
        inner = honeytrace.replay_all(honeytrace.list_sessions(name="ask"))
        assert (len(inner), inner.skipped) == (1, 3)


def test_async_calls_and_a_running_loop() -> None:
    """Async calls run in threads where a loop is running, as in a notebook."""
    sessions = recorded("a", "b", call=respond_later)

    async def notebook() -> Any:
        return honeytrace.replay_all(sessions, recorded="model", score=judged)

    with capture():
        assert verdicts(honeytrace.replay_all(sessions, recorded="model")) == ["match", "match"]
        assert verdicts(asyncio.run(notebook())) == ["match", "match"]
    assert program.ran == []


def test_figures_leave_answered_calls_out() -> None:
    """A run whose model was answered spent no tokens; one whose model ran did."""

    @trace_session("counts", event_type="model")
    def counts() -> int:
        honeytrace.current_session().update(metrics={"total_tokens": 7}, config={"model": "m"})
        return 1

    @trace_session("counting")
    def counting() -> int:
        return counts()

    with capture():
        counting()
        (before,) = honeytrace.list_sessions(name="counting")
        (live,) = honeytrace.replay_all([before], fn=counting)
        (answered,) = honeytrace.replay_all([before], fn=counting, recorded="model")
    assert (live.before.tokens, live.after.tokens) == (7, 7)
    assert (answered.before.tokens, answered.after.tokens) == (7, None)


def test_invalid_options_are_errors_before_anything_runs() -> None:
    """What would refuse every call alike is raised."""
    sessions = recorded("a")
    with capture():
        for options, told in (
            ({"workers": 0}, "workers is 1 or more, not 0"),
            ({"match": "regex"}, 'match is "inputs" or "name"'),
            ({"score": 5}, "score is a function"),
            ({"recorded": [""]}, "recorded is a name"),
        ):
            with pytest.raises(ReplayError, match=told):
                honeytrace.replay_all(sessions, **options)  # type: ignore[arg-type]
        with honeytrace.paused(), pytest.raises(ReplayError, match="paused"):
            honeytrace.replay_all(sessions)
    with capture(enabled=False), pytest.raises(ReplayError, match="recording is off"):
        honeytrace.replay_all(sessions)
    assert program.ran == []


def test_a_notebook_shows_a_table() -> None:
    """The table has the verdicts, the scores and the reasons, escaped."""
    sessions = recorded("<b>", ("c", object()))
    with capture():
        found = honeytrace.replay_all(sessions, recorded="model", score=length)
    html = found._repr_html_()
    assert "1 match; 1 refused; length" in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "client is an object" in html
    assert repr(found) == "<ReplaySet 1 match, 0 changed, 0 failed, 1 refused>"


APP = """
import os, signal
import honeytrace
from honeytrace import trace_session

@trace_session(event_type="model")
def ask(text: str) -> str:
    honeytrace.current_session().update(metrics={"total_tokens": 8})
    return text.upper()

@trace_session
def answer(question: str, client: object = None) -> str:
    if DIES == question:
        os.kill(os.getpid(), DIES_OF)
    return ask(question) + TAIL

def length(session) -> float:
    return float(len(session.outputs["result"]))

DIES, DIES_OF, TAIL = None, 0, ""
if __name__ == "__main__":
    for each in ("a", "bb", "ccc"):
        answer(each)
    answer("d", object())
    honeytrace.flush()
"""


class App:
    """A recorded program in a directory of its own, and the command line there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.env = environ(HONEYTRACE_STORE="s.db", HONEYTRACE_JOURNAL="journal")
        self.write()
        subprocess.run([sys.executable, "app.py"], cwd=directory, env=self.env, check=True)

    def write(self, **globals_: Any) -> None:
        values = {"DIES": None, "DIES_OF": 0, "TAIL": "", **globals_}
        line = "DIES, DIES_OF, TAIL = " + ", ".join(map(repr, values.values()))
        (self.directory / "app.py").write_text(
            APP.replace('DIES, DIES_OF, TAIL = None, 0, ""', line)
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "honeytrace", *arguments]
        return subprocess.run(
            command, cwd=self.directory, env=self.env, capture_output=True, text=True
        )


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


def test_a_set_on_the_command_line(app: App) -> None:
    """Conditions choose, a plan can be seen first, the table has both sides, JSON has all of it."""
    choice = ("replay", "--name", "answer", "--since", "1d")
    planned = app.run(*choice, "--recorded", "model", "--dry-run")
    assert planned.stderr.count("answer: answers ask (1)") == 3
    assert "client is an object" in planned.stderr
    assert "give --yes" in app.run(*choice).stderr
    app.write(TAIL="!")
    done = app.run(*choice, "--recorded", "model", "--score", "app:length", "--yes")
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "id asked length duration tokens"
    assert "a 1 → 2" in lines[4]
    assert "8 → \u2013" in lines[4]
    assert "0 match, 3 changed, 0 failed, 1 refused" in lines
    assert "length 2 → 3 (3 better, 0 worse)" in lines
    assert "\x1b" not in done.stderr
    assert "replaying" not in done.stderr  # the progress bar is for terminals
    limited = app.run(*choice, "--limit", "2", "--yes", "--json", "--workers", "2")
    document = json.loads(limited.stdout)
    assert document["counts"] == {"match": 0, "changed": 1, "failed": 0, "refused": 1}
    shown = app.run("show", document["set"]).stdout
    assert "replays" in shown
    assert "client is an object" in shown
    scored = ("--score", "app:length", "--yes", "--fail-under")
    assert app.run(*choice, *scored, "2.5").returncode == 0
    assert app.run(*choice, *scored, "3.5").returncode == 1
    assert "no session meets" in app.run("replay", "--name", "nobody", "--yes").stderr
    assert "not both" in app.run("replay", "@last", "--name", "answer").stderr
    assert "are for sets" in app.run("replay", "--score", "app:length").stderr


def test_a_set_that_is_killed_keeps_its_rows(app: App) -> None:
    """kill -9 in the third run: the rows before it are in the store, and the run is found."""
    app.write(DIES="a", DIES_OF=int(signal.SIGKILL))
    killed = app.run("replay", "--name", "answer", "--recorded", "model", "--yes")
    assert killed.returncode == -signal.SIGKILL
    app.run("recover")
    listed = [json.loads(line) for line in app.run("list", "--all", "--json").stdout.splitlines()]
    (found,) = [each for each in listed if each["session_name"] == "replays"]
    assert found["status"] == "interrupted"
    cut = next(each for each in listed if each["session_name"] == "answer")
    assert (cut["status"], cut["inputs"]["question"]) == ("interrupted", "a")
    shown = app.run("show", found["session_id"]).stdout
    assert shown.count("= match") == 2
    assert "- refused" in shown


def test_an_interrupt_prints_what_is_done(app: App) -> None:
    """Ctrl-C in a run ends the set with the rows that there are."""
    app.write(DIES="a", DIES_OF=int(signal.SIGINT))
    stopped = app.run("replay", "--name", "answer", "--recorded", "model", "--yes")
    assert stopped.returncode not in (0, 1)
    assert stopped.stdout.count("= match") == 2
    assert "interrupted after 3 of 4" in stopped.stderr


def test_a_terminal_sees_progress(app: App) -> None:
    """The bar is drawn on standard error where that is a terminal."""
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "honeytrace", "replay", "--name", "answer", "--yes"]
    with subprocess.Popen(
        command,
        cwd=app.directory,
        env={**app.env, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=child,
        text=True,
    ) as process:
        os.close(child)
        seen = b""
        while True:
            try:
                read = os.read(parent, 65536)
            except OSError:  # the other end was closed
                break
            if not read:
                break
            seen += read
        out, _ = process.communicate()
    os.close(parent)
    assert b"replaying" in seen
    assert "3 match" in out
