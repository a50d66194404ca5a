"""Cassettes: tests whose model calls are answered from a file, offline, with readable failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import replayed_agent as program

import honeytrace
from honeytrace import NotRecorded, ReplayError, trace_session
from honeytrace._replay.cassette import export_cassette
from honeytrace._replay.cassette_file import read_cassette
from honeytrace.testing import capture
from surroundings import environ

PROGRAM = """
import asyncio, random, socket
import pytest
from honeytrace import trace_session

@trace_session(event_type="model")
async def ask(text: str) -> str:
    await asyncio.sleep(random.random() / 500)
    if LIVE is None:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    return text.upper()

@trace_session
async def answer(question: str) -> str:
    parts = await asyncio.gather(*(ask(f"{TONE} {question} {i}") for i in range(4)))
    return " ".join([*parts, await ask("again"), await ask("again")])

LIVE = None
TONE = "kindly"
"""

TEST = (
    PROGRAM
    + """
@pytest.mark.honeytrace_cassette()
@pytest.mark.parametrize("q", ["why", "who"])
def test_answer(q):
    assert q.upper() in asyncio.run(answer(q))
"""
)


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a directory of its own, without plugins, whose import takes a second."""
    plugins = ["-p", "no:cacheprovider", "-p", "honeytrace._pytest"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, *arguments]
    env = environ(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True)


def live(text: str) -> str:
    return text.replace("LIVE = None", "LIVE = True")


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A directory whose test has its cassettes."""
    (tmp_path / "test_it.py").write_text(live(TEST))
    missing = run(tmp_path)
    assert missing.returncode == 1
    nodeid = "test_it.py::test_answer[why]"
    missed = (
        f"cassettes/test_answer[why].jsonl is not recorded yet: pytest --honeytrace-record {nodeid}"
    )
    assert missed in missing.stdout
    done = run(tmp_path, "--honeytrace-record")
    assert done.returncode == 0, done.stdout
    (tmp_path / "test_it.py").write_text(TEST)
    return tmp_path


def test_a_recorded_test_needs_no_network(recorded: Path) -> None:
    """The test passes from its file; recorded again, the file is the same byte by byte."""
    done = run(recorded)
    assert done.returncode == 0, done.stdout
    files = sorted((recorded / "cassettes").iterdir())
    assert [each.name for each in files] == ["test_answer[who].jsonl", "test_answer[why].jsonl"]
    before = [each.read_bytes() for each in files]
    (recorded / "test_it.py").write_text(live(TEST))
    assert run(recorded, "--honeytrace-record").returncode == 0
    assert [each.read_bytes() for each in files] == before
    lines = [json.loads(line) for line in before[0].splitlines()]
    assert lines[0] == {
        "honeytrace_cassette": 1,
        "of": "test",
        "recorded": ["model", "tool"],
        "calls": 6,
    }
    assert list(lines[1]) == ["name", "code", "inputs", "ended", "outputs"]
    assert "path" in lines[6]


def test_failures_name_the_difference_and_the_cure(recorded: Path) -> None:
    """A changed prompt, a call less, and a file that is damaged fail with their cure."""
    test = recorded / "test_it.py"
    test.write_text(TEST.replace('TONE = "kindly"', 'TONE = "kindler"'))
    changed = run(recorded, "-k", "why").stdout
    assert (
        "ask was asked something new (call 1 of 6, recorded in test_answer[why].jsonl)" in changed
    )
    assert "inputs.text  at character 5" in changed
    assert "and 3 calls after it" in changed
    assert changed.count("ask was asked something new") == 2  # once in the short summary
    assert "If that is meant: pytest --honeytrace-record test_it.py::test_answer[why]" in changed
    test.write_text(TEST.replace(', await ask("again")]', "]"))
    unused = run(recorded, "-k", "why").stdout
    assert "recorded but never asked: ask (line 7)" in unused
    assert "allow_unused=True" in unused
    test.write_text(test.read_text().replace("cassette()", "cassette(allow_unused=True)"))
    assert run(recorded, "-k", "why").returncode == 0
    with (recorded / "cassettes/test_answer[why].jsonl").open("a") as file:
        file.write("{}\n")
    assert "has 7 calls, and its header says 6" in run(recorded, "-k", "why").stdout


def test_a_failed_test_writes_nothing(tmp_path: Path) -> None:
    """Only a test that passed is recorded, and two tests do not write one file."""
    body = (
        live(PROGRAM)
        + """
@pytest.mark.honeytrace_cassette("one.jsonl")
def test_fails():
    asyncio.run(answer("x"))
    assert False
"""
    )
    (tmp_path / "test_it.py").write_text(body)
    assert run(tmp_path, "--honeytrace-record").returncode == 1
    assert not (tmp_path / "cassettes").exists()
    (tmp_path / "test_it.py").write_text(
        body + body.partition("LIVE = True")[2].replace("fails", "b")
    )
    both = run(tmp_path, "--honeytrace-record").stdout
    assert "test_fails and test_it.py::test_b would both write cassettes/one.jsonl" in both
    (tmp_path / "test_it.py").write_text(body.replace('"one.jsonl"', "name=1"))
    assert "takes path, recorded, ignore and allow_unused, not name" in run(tmp_path).stdout


def test_unused_files_are_listed(recorded: Path) -> None:
    """A file that no collected test names is listed on request."""
    (recorded / "cassettes" / "old.jsonl").write_text("")
    told = run(recorded, "--honeytrace-unused").stdout
    assert "no collected test names cassettes/old.jsonl" in told
    assert told.count("no collected test names") == 1


def test_fixtures_and_other_captures_are_recorded(tmp_path: Path) -> None:
    """Calls in a fixture and inside of a capture of the test are part of its cassette."""
    body = (
        live(PROGRAM)
        + """
@pytest.fixture
def early():
    return asyncio.run(ask("early"))

@pytest.mark.honeytrace_cassette()
def test_both(early, honeytrace_sessions):
    assert early == "EARLY"
    assert asyncio.run(ask("late")) == "LATE"
    assert honeytrace_sessions[0].session_name == "ask"
"""
    )
    (tmp_path / "test_it.py").write_text(body)
    recording = run(tmp_path, "--honeytrace-record")
    assert recording.returncode == 0, recording.stdout
    (tmp_path / "test_it.py").write_text(body.replace("LIVE = True", "LIVE = None"))
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert len((tmp_path / "cassettes/test_both.jsonl").read_text().splitlines()) == 3


def test_an_exported_session_answers(tmp_path: Path) -> None:
    """A cassette from a recorded session answers like the session itself."""
    with capture() as sessions:
        before = program.in_threads()
    path = str(tmp_path / "threads.jsonl")
    assert export_cassette(path, sessions[-1], ["model"]) == 8
    program.ran.clear()
    with capture(), honeytrace.replaying(path, recorded="model", strict=True) as replay:
        assert sorted(program.in_threads()) == sorted(before)
    assert program.ran == []
    assert len(replay.answered) == 8
    with (
        capture(),
        pytest.raises(NotRecorded),
        honeytrace.replaying(path, recorded="model", strict=True),
    ):
        program.ask("new")


def test_the_command_line_exports(tmp_path: Path) -> None:
    """`export ID --cassette` writes the calls of a run in the store."""
    code = """
import honeytrace
@honeytrace.trace_session(event_type="model")
def ask(x): return x
@honeytrace.trace_session
def answer(x): return ask(x)
answer(1); honeytrace.flush()
"""
    env = environ(HONEYTRACE_STORE=str(tmp_path / "s.db"))
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, check=True)
    command = [sys.executable, "-m", "honeytrace", "export", "@last", "--cassette", "c.jsonl"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert "1 call written to c.jsonl" in done.stderr
    assert [call.name for call in read_cassette(str(tmp_path / "c.jsonl")).calls] == ["ask"]


def test_what_could_not_be_answered_is_not_exported(tmp_path: Path) -> None:
    """A masked output, and a session without calls, are refused by name."""

    @trace_session("secret", event_type="model")
    def secret() -> dict[str, str]:
        return {"api_key": "sk-1"}

    @trace_session
    def outer() -> object:
        return secret()

    with capture() as sessions:
        outer()
    with pytest.raises(ReplayError, match=r"secret .* could not be answered: api_key was masked"):
        export_cassette(str(tmp_path / "x.jsonl"), sessions[-1], ["model"])
    with pytest.raises(ReplayError, match="has no call of tool"):
        export_cassette(str(tmp_path / "x.jsonl"), sessions[-1], ["tool"])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1"),
        ("[]\n", "line 1: not an object"),
        ('{"honeytrace_cassette":9,"calls":0}\n', "has format 9"),
        ('{"a":1}\n', "no cassette"),
        ('{"honeytrace_cassette":1,"calls":1}\n{"name":"f"\n', "line 2"),
        (
            '{"honeytrace_cassette":1,"calls":1}\n{"name":"f","inputs":1,"ended":0}\n',
            "line 2: inputs",
        ),
        ('{"honeytrace_cassette":1,"calls":1}\n{"inputs":{}}\n', "line 2: name"),
    ],
)
def test_damaged_files_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    """A file that is no cassette, or a line of it, is a ReplayError with its place."""
    path = tmp_path / "c.jsonl"
    path.write_text(text)
    with pytest.raises(ReplayError, match=message):
        read_cassette(str(path))
    with pytest.raises(ReplayError, match="there is no cassette"):
        read_cassette(str(tmp_path / "none.jsonl"))


STREAMS = """
import asyncio
import pytest
import honeytrace
from honeytrace import trace_session

LIVE = None

def check():
    assert LIVE, "ran live"

@trace_session(event_type="model", reduce=len)
def counted(n):
    check()
    yield from ({"i": i} for i in range(n))

@trace_session(event_type="model", reduce=lambda items: "".join(items).upper())
async def shouted(text):
    check()
    for letter in text:
        with honeytrace.session("inside"):
            yield letter

@trace_session(event_type="model")
def many(n):
    check()
    for i in range(n):
        yield [i]
    return "end"

@trace_session(event_type="model", reduce="".join)
def pieces():
    check()
    yield from "abc"

@pytest.mark.honeytrace_cassette(recorded=["model"])
def test_streams(honeytrace_sessions):
    assert [each["i"] for each in counted(5)] == list(range(5))
    async def shout():
        return [letter async for letter in shouted("hey")]
    assert asyncio.run(shout()) == ["h", "e", "y"]
    def through():
        return (yield from many(1500))
    generator = through()
    taken = []
    try:
        while True:
            taken.append(next(generator))
    except StopIteration as end:
        assert end.value == "end"
    assert taken == [[i] for i in range(1500)]
    assert list(pieces()) == ["a", "b", "c"]
    started = counted(9)
    assert next(started) == {"i": 0}
    started.close()
    assert honeytrace_sessions.by_name("counted")[0].outputs == {"result": 5}
    assert honeytrace_sessions.by_name("shouted")[0].outputs == {"result": "HEY"}
"""


def test_streams_are_recorded_whole(tmp_path: Path) -> None:
    """`reduce=` and the bound of a record change nothing: every yield is in the file, in order."""
    test, file = tmp_path / "test_it.py", tmp_path / "cassettes/test_streams.jsonl"
    test.write_text(live(STREAMS))
    recording = run(tmp_path, "--honeytrace-record")
    assert recording.returncode == 0, recording.stdout
    before = file.read_bytes()
    test.write_text(STREAMS)
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    calls = read_cassette(str(file)).calls
    assert [call.outputs.get("count") for call in calls] == [5, 3, 1500, None, 1]
    assert [call.details.get("whole") for call in calls] == [True, True, True, None, True]
    test.write_text(live(STREAMS))
    assert run(tmp_path, "--honeytrace-record").returncode == 0
    assert file.read_bytes() == before


def test_workers_of_xdist_record_and_answer(recorded: Path) -> None:
    """`-n 2` writes the same files, answers from them, and lists those that no test names."""
    pytest.importorskip("xdist", reason="no xdist: pip install pytest-xdist")
    parallel = ("-p", "xdist", "-n", "2")
    files = sorted((recorded / "cassettes").iterdir())
    before = [each.read_bytes() for each in files]
    (recorded / "cassettes" / "old.jsonl").write_text("")
    answered = run(recorded, *parallel, "--honeytrace-unused")
    assert "2 passed" in answered.stdout, answered.stdout
    assert answered.stdout.count("no collected test names") == 1
    assert "no collected test names cassettes/old.jsonl" in answered.stdout
    (recorded / "test_it.py").write_text(live(TEST))
    again = run(recorded, *parallel, "--honeytrace-record")
    assert "2 passed" in again.stdout, again.stdout
    assert [each.read_bytes() for each in files] == before
    test = (recorded / "test_it.py").read_text().replace("cassette()", 'cassette("one.jsonl")')
    (recorded / "test_it.py").write_text(test)
    both = run(recorded, *parallel, "--honeytrace-record")
    assert "would both write cassettes/one.jsonl" in both.stdout


ANYIO = """
import anyio
import pytest
from honeytrace import trace_session

LIVE = None

@trace_session(event_type="model")
async def ask(text):
    assert LIVE, "ran live"
    await anyio.sleep(0)
    return text.upper()

@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param

@pytest.fixture(scope="module")
async def early():
    yield "early"

@pytest.mark.anyio
@pytest.mark.honeytrace_cassette("{name}.jsonl")
async def test_both(early):
    answers = []
    async def one(text):
        answers.append(await ask(text))
    async with anyio.create_task_group() as group:
        for text in ("a", "b"):
            group.start_soon(one, text)
    assert sorted(answers) == ["A", "B"]
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_tests_of_anyio(tmp_path: Path, backend: str) -> None:
    """A test whose task was made by a module's async fixture, before its cassette was opened."""
    pytest.importorskip("anyio")
    pytest.importorskip(backend)
    test = tmp_path / "test_it.py"
    body = ANYIO.replace("{name}", backend)
    test.write_text(live(body))
    options = ("-p", "anyio", "-k", backend)
    recording = run(tmp_path, *options, "--honeytrace-record")
    assert recording.returncode == 0, recording.stdout
    test.write_text(body)
    done = run(tmp_path, *options)
    assert "1 passed" in done.stdout, done.stdout
    calls = read_cassette(str(tmp_path / f"cassettes/{backend}.jsonl")).calls
    assert sorted(call.inputs["text"] for call in calls) == ["a", "b"]
