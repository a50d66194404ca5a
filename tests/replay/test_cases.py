"""Cases: a recorded call as one reviewable file, checked by field."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import replayed_agent as program

from honeytrace import ReplayError, trace_session
from honeytrace._replay.cases import add_case, find_cases, read_case
from honeytrace.testing import capture
from surroundings import environ

state: dict[str, Any] = {}


@trace_session
def compute(n: int, client: Any = None) -> dict[str, Any]:
    return {"total": n, "text": program.ask("hi"), "id": str(n), **state}


def at_least(expected: Any, now: Any) -> bool:
    return bool(now >= expected)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case of `compute(3)` whose model is answered."""
    state.clear()
    with capture() as sessions:
        compute(3)
    path = tmp_path / "three.json"
    add_case(sessions[-1], str(path), recorded=["model"])
    program.ran.clear()
    return path


def changed(path: Path, **compare: str) -> list[str]:
    """Return what a case says about the code as it is now."""
    fields = json.loads(path.read_text())
    fields["compare"] = {name.replace("__", "."): rule for name, rule in compare.items()}
    path.write_text(json.dumps(fields))
    result = read_case(str(path)).run()
    assert result.error is None
    return result.changes


def test_a_case_is_one_file_to_read(case: Path) -> None:
    """The file has the function, the inputs and the outcome; the model's answers stand beside."""
    fields = json.loads(case.read_text())
    assert fields["function"] == f"{__name__}:compute"
    assert fields["inputs"] == {"n": 3, "client": None}
    assert fields["compare"] == {"outputs": "same"}
    assert fields["cassette"] == "three.jsonl"
    read_case(str(case)).check()
    assert program.ran == []


def test_every_field_is_compared_by_its_rule(case: Path) -> None:
    """`same`, `shape`, `any` and a function decide about the values below a path."""
    assert changed(case, outputs="same") == []
    state["total"] = 4
    assert changed(case, outputs="same") == ["outputs.total: was 3, is 4"]
    assert changed(case, outputs="shape") == []
    assert changed(case, outputs="same", outputs__total="any") == []
    assert changed(case, outputs="same", outputs__total=f"{__name__}:at_least") == []
    state["total"] = 2
    (text,) = changed(case, outputs="same", outputs__total=f"{__name__}:at_least")
    assert text == f"outputs.total: {__name__}:at_least does not take 2 for 3"
    state["total"] = "two"
    assert changed(case, outputs="shape")[0].startswith("outputs: the shape was")
    with pytest.raises(AssertionError, match="CHANGED"):
        read_case(str(case)).check()


def test_a_changed_question_is_a_change(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model call that the case does not answer is told as the difference; it does not run."""
    monkeypatch.setattr(program, "ask", lambda text, ask=program.ask: ask("other"))
    assert "ask was asked something new" in changed(case, outputs="same")[0]
    assert program.ran == []


def test_what_cannot_be_a_case_is_refused(tmp_path: Path) -> None:
    """Masked inputs are named with their cure, and unknown rules and files are errors."""

    @trace_session
    def login(api_key: str) -> str:
        return api_key

    with capture() as sessions:
        login("sk-1")
    path = tmp_path / "c.json"
    with pytest.raises(ReplayError, match="api_key was masked: --set api_key="):
        add_case(sessions[0], str(path))
    path.write_text(
        '{"honeytrace_case": 1, "function": "a:b", "inputs": {}, "compare": {"x": "y"}}'
    )
    with pytest.raises(ReplayError, match="x is compared by 'y'"):
        read_case(str(path))
    with pytest.raises(ReplayError, match="there are no cases at"):
        find_cases([str(tmp_path / "none.json")])


APP = """
import honeytrace
@honeytrace.trace_session
def answer(question: str) -> str:
    if question == "bad":
        raise ValueError("no")
    return question.upper()
if __name__ == "__main__":
    import app
    try:
        app.answer("bad")
    except ValueError:
        pass
    honeytrace.flush()
"""


def test_from_a_failure_to_a_passing_check(tmp_path: Path) -> None:
    """`case add @last-error`, `check`, `check --accept`, and the same cases in pytest."""
    env = environ(HONEYTRACE_STORE=str(tmp_path / "s.db"))
    (tmp_path / "app.py").write_text(APP)

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=env, capture_output=True, text=True
        )

    run("app.py")
    added = run("-m", "honeytrace", "case", "add", "@last-error", "tests/cases/bad.json")
    assert added.returncode == 0, added.stderr
    same = run("-m", "honeytrace", "check")
    assert (same.returncode, same.stdout) == (0, "MATCH    tests/cases/bad.json\n")
    (tmp_path / "app.py").write_text(APP.replace('raise ValueError("no")', 'return "fixed"'))
    changed = run("-m", "honeytrace", "check")
    assert changed.returncode == 1
    assert "CHANGED  tests/cases/bad.json" in changed.stdout
    assert 'error: was "ValueError: no", is null' in changed.stdout
    assert run("-m", "honeytrace", "check", "--accept").returncode == 0
    document = json.loads(run("-m", "honeytrace", "check", "--json").stdout)
    assert document == {"case": "tests/cases/bad.json", "status": "match", "changes": []}
    (tmp_path / "tests" / "test_cases.py").write_text(
        "import honeytrace.testing\n"
        '@honeytrace.testing.cases("cases/*.json")\n'
        "def test_answers(case):\n    case.check()\n"
    )
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    done = run("-m", "pytest", "-q", "-p", "honeytrace._pytest", "-p", "no:cacheprovider", "tests")
    assert "1 passed" in done.stdout, done.stdout


SCRIPT = """
import beside
import honeytrace

@honeytrace.trace_session
def answer(question: str) -> str:
    return beside.shout(question)

if __name__ == "__main__":
    answer("why")
    honeytrace.flush()
"""


def test_the_case_of_a_script_is_found_from_the_project(tmp_path: Path) -> None:
    """A script's file stands in the case from the working directory on, and is found there, in
    pytest as well; one that is gone or ambiguous is named."""
    env = environ(HONEYTRACE_STORE=str(tmp_path / "s.db"), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "beside.py").write_text("def shout(text):\n    return text.upper()\n")
    (scripts / "app.py").write_text(SCRIPT)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_cases.py").write_text(
        "import honeytrace.testing\n"
        '@honeytrace.testing.cases("cases/*.json")\n'
        "def test_answers(case):\n    case.check()\n"
    )

    def run(*command: str, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command], cwd=cwd, env=env, capture_output=True, text=True
        )

    for cwd, program_file in ((tmp_path, "scripts/app.py"), (scripts, "app.py")):
        run(program_file, cwd=cwd)
        added = run("-m", "honeytrace", "case", "add", "@last", "tests/cases/why.json")
        assert added.returncode == 0, added.stderr
        fields = json.loads((tmp_path / "tests/cases/why.json").read_text())
        assert fields["function"] == "__main__:answer@scripts/app.py"
        replayed = run("-m", "honeytrace", "replay", "@last", "--yes")
        assert replayed.returncode == 0, replayed.stderr
        checked = run("-m", "honeytrace", "check")
        assert checked.stdout == "MATCH    tests/cases/why.json\n", checked.stdout
    pytest_options = ("-q", "-p", "honeytrace._pytest", "-p", "no:cacheprovider")
    for place, cwd in (("tests", tmp_path), (".", tmp_path / "tests")):
        done = run("-m", "pytest", *pytest_options, place, cwd=cwd)
        assert "1 passed" in done.stdout, done.stdout
    (scripts / "app.py").rename(scripts / "other.py")
    gone = run("-m", "honeytrace", "check").stdout
    assert f"the script scripts/app.py is not in {tmp_path} or below it" in gone
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (scripts / "other.py").rename(tmp_path / name / "app.py")
        (scripts / "other.py").write_text(SCRIPT)
    several = run("-m", "honeytrace", "case", "add", "@last", "tests/cases/b.json").stderr
    assert "the script app.py may be any of a/app.py, b/app.py" in several
