"""One recorded call made again: its function, its arguments, its comparison."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import replayed_agent as program
from hypothesis import given
from hypothesis import strategies as st

import honeytrace
from honeytrace import NotRecorded, RecordedSession, ReplayError, trace_session
from honeytrace._replay.elsewhere import calls_elsewhere
from honeytrace.testing import capture
from surroundings import environ

tone = "kind"


@dataclass
class Order:
    number: int
    at: dt.date


@trace_session
def price(order: Order, *more: int, unit: str = "EUR", **notes: str) -> str:
    return f"{tone} {order.number + sum(more)} {unit} {sorted(notes)} {program.ask('price')}"


@trace_session
async def later(number: int) -> str:
    await asyncio.sleep(0)
    return program.ask(str(number))


@trace_session(capture_inputs=["question"])
def reads(db: Any, question: str) -> str:
    return f"{db['name']} {question}"


class Shop:
    def __init__(self, name: str = "corner") -> None:
        self.name = name

    @trace_session
    def sell(self, what: str) -> str:
        return f"{self.name} sells {what}"


def record(call: Any, *args: Any, **kwargs: Any) -> RecordedSession:
    """Return the session that a call records."""
    with capture() as sessions:
        found = call(*args, **kwargs)
        if asyncio.iscoroutine(found):
            asyncio.run(found)
    program.ran.clear()
    return sessions[-1]


def test_a_call_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments are rebuilt, the model answers from the recording, and the change is found."""
    before = record(price, Order(3, dt.date(2026, 1, 2)), 4, 5, unit="USD", a="x")
    with capture():
        same = honeytrace.replay(before, recorded="model", strict=True)
        assert same.value == before.outputs["result"]
        assert same.comparison.counts == {"same": 2, "changed": 0, "added": 0, "removed": 0}
        assert same.after.inputs == before.inputs
        assert same.after.parent is not None
        assert same.after.parent.metadata == {"of": before.session_id}
        assert same.after.parent.source == "replay"
        monkeypatch.setattr(sys.modules[__name__], "tone", "rude")
        changed = honeytrace.replay(before, recorded="model")
    assert changed.comparison.counts["changed"] == 1
    assert program.ran == []


def test_async_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """`replay` runs a loop of its own; inside a running one `areplay` is named."""
    before = record(later, 5)

    async def inside() -> Any:
        with pytest.raises(ReplayError, match="areplay"):
            honeytrace.replay(before, recorded="model")
        return await honeytrace.areplay(before, recorded="model")

    with capture():
        assert honeytrace.replay(before, recorded="model").value == before.outputs["result"]
        assert asyncio.run(inside()).value == before.outputs["result"]


def test_arguments_that_were_not_recorded() -> None:
    """A parameter that was left out, an instance, and one that is gone are named."""
    before = record(reads, {"name": "db"}, "why?")
    with capture():
        with pytest.raises(ReplayError, match="db was not recorded: --set db="):
            honeytrace.replay(before)
        assert honeytrace.replay(before, set={"db": {"name": "new"}}).value == "new why?"
        with pytest.raises(ReplayError, match="nothing is no parameter; there are db, question"):
            honeytrace.replay(before, set={"db": {"name": "new"}, "nothing": 1})
    before = record(Shop().sell, "tea")
    with capture():
        with pytest.raises(ReplayError, match=r"sell is a method of Shop: --set self=\w+:Shop\(\)"):
            honeytrace.replay(before)
        assert honeytrace.replay(before, set={"self": Shop("big")}).value == "big sells tea"
        with pytest.raises(ReplayError, match="what is no parameter any more"):
            honeytrace.replay(before, fn=trace_session(lambda self: 1), set={"self": Shop()})


def test_masked_and_cut_arguments_are_refused() -> None:
    """Arguments that the record does not hold whole are named, and can be given."""

    @trace_session
    def login(api_key: str, q: str) -> str:
        return q

    before = record(login, "sk-1", "hi")
    with capture():
        with pytest.raises(ReplayError, match=r"api_key was masked; --set api_key=@api_key\.json"):
            honeytrace.replay(before, fn=login)
        assert honeytrace.replay(before, fn=login, set={"api_key": "sk-2"}).value == "hi"
        with pytest.raises(ReplayError, match=r"login is defined inside .*fn=login"):
            honeytrace.replay(before)


def test_an_error_is_an_outcome_and_a_miss_is_raised() -> None:
    """What the call raises is in the result; a strict replay that differs raises."""

    @trace_session
    def fails(n: int) -> int:
        raise ValueError(n)

    with capture() as sessions, pytest.raises(ValueError):
        fails(1)
    with capture():
        found = honeytrace.replay(sessions[0], fn=fails)
        assert isinstance(found.error, ValueError)
        assert found.comparison.counts["same"] == 1
    before = record(later, 5)
    with capture(), pytest.raises(NotRecorded):
        honeytrace.replay(before, recorded="model", strict=True, set={"number": 6})


def test_a_plan_calls_nothing() -> None:
    """The plan says what is called, answered and refused, and what runs."""
    before = record(price, Order(3, dt.date(2026, 1, 2)))
    made = honeytrace.plan(before, recorded="model")
    text = "\n".join(made.lines())
    assert f"call      {__name__}:price" in text
    assert 'order = {"number":3,"at":"2026-01-02"}' in text
    assert "answered  ask (1)" in text
    assert "live      price" in text
    assert program.ran == []


def test_blocks_cannot_be_replayed() -> None:
    """A with-block is refused, with the calls inside it."""
    with capture() as sessions, honeytrace.session("demo"):
        reads({"name": "db"}, "why?")
    with pytest.raises(ReplayError, match=r"demo is a with-block.*inside it: reads \(1\)\. Try: "):
        honeytrace.plan(sessions[-1])


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text("abc", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "result"]), inner, max_size=2)
    ),
    max_leaves=8,
)
out: Any = None


@trace_session("echo")
def echo(x: Any, *rest: Any, **named: Any) -> Any:
    program.ran.append("echo")
    return out


@trace_session("echoes")
def echoes(items: Any) -> Any:
    yield from items


@trace_session
def calls(xs: Any) -> Any:
    return [echo(x, x, k=x) for x in xs] + [list(echoes(xs))]


@given(st.lists(PLAIN, max_size=3), PLAIN | st.fixed_dictionaries({"result": PLAIN}))
def test_plain_json_is_replayed_exactly(xs: Any, result: Any) -> None:
    """Any plain JSON goes through a recording and back, and no body of an answered call runs."""
    global out
    out = result
    with capture(redact=False) as sessions:
        before = calls(xs)
    out = "live"
    program.ran.clear()
    recorded = ["echo", "echoes"] if xs else ["echoes"]
    with capture(redact=False):
        found = honeytrace.replay(sessions[-1], recorded=recorded, strict=True)
    assert found.error is None
    assert json.dumps(found.value) == json.dumps(before)
    assert program.ran == []


APP = """
import honeytrace
from honeytrace import trace_session

@trace_session(event_type="model")
def ask(text: str) -> str:
    return text.upper()

@trace_session
def answer(question: str, client) -> str:
    return ask(question) + "!"

if __name__ == "__main__":
    answer("why?", object())
    honeytrace.flush()
"""


def test_the_command_line(tmp_path: Path) -> None:
    """A script's call is replayed by id: plan, consent, run, difference; in JSON as well."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        store = ["--store", "s.db"]
        command = [sys.executable, "-m", "honeytrace", "replay", *arguments, *store]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    app = tmp_path / "app.py"
    app.write_text(APP)
    env = {"HONEYTRACE_STORE": "s.db", "PATH": ""}
    subprocess.run([sys.executable, "app.py"], cwd=tmp_path, env=env, check=True)
    refused = run("--yes")
    assert refused.returncode == 1
    assert "client is an object" in refused.stderr
    assert "--set client=@client.json" in refused.stderr
    given_client = ("--set", "client=null", "--recorded", "model")
    assert "give --yes" in run(*given_client).stderr
    dry = run(*given_client, "--dry-run")
    assert dry.returncode == 0
    assert "answered  ask (1)" in dry.stderr
    app.write_text(APP.replace('"!"', '"?"'))
    done = run(*given_client, "--yes", "--json", "--strict")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    changed = found["comparison"]["sessions"][0]["changes"]
    assert {each["path"] for each in changed} == {"inputs.client", "outputs.result"}
    again = run(*given_client, "--yes", "--json")  # @last is the replay: its call is made again
    assert json.loads(again.stdout)["before"] == found["before"]
    app.write_text(APP.replace("ask(question)", 'ask(question + " now")'))
    missed = run(found["before"], *given_client, "--yes", "--strict")
    assert missed.returncode == 1
    assert "honeytrace: ask was asked something new" in missed.stderr
    assert "\n  inputs.text  at character" in missed.stderr
    failure = [sys.executable, "-m", "honeytrace", "show", "@last-error", "--store", "s.db"]
    shown = subprocess.run(failure, cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 1  # a failure in a replay is none of the program's own


POOLS = """
import concurrent.futures, multiprocessing, sys
import honeytrace
from honeytrace import trace_session
from honeytrace.propagation import carried

@trace_session(event_type="model")
def ask(text: str) -> str:
    return text.upper()

@trace_session
def answer(method: str) -> str:
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(carried(ask), "there").result(60) + ask("here")

if __name__ == "__main__":
    answer(sys.argv[1])
    honeytrace.flush()
"""


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_plan_warns_of_child_processes(tmp_path: Path, method: str) -> None:
    """Calls that another process made are named, since a child process answers nothing."""
    (tmp_path / "pools.py").write_text(POOLS)
    env = environ(HONEYTRACE_STORE="s.db", HONEYTRACE_JOURNAL="journal")
    done = subprocess.run([sys.executable, "pools.py", method], cwd=tmp_path, env=env, check=True)
    assert done.returncode == 0
    command = [sys.executable, "-m", "honeytrace", "replay", "@last", "--recorded", "model"]
    planned = subprocess.run(
        [*command, "--dry-run"], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert planned.returncode == 0, planned.stderr
    assert "another process called ask (1): a child process runs live" in planned.stderr


def test_a_plan_of_one_process_warns_of_nothing() -> None:
    """Threads, tasks and chosen ids are no other process."""
    with capture() as sessions:
        program.in_threads()
    assert calls_elsewhere(sessions[-1]) == {}
    assert honeytrace.plan(sessions[-1], recorded="model").notes == []
