"""The stamp of a record: the place of the code, the commit, the versions, and lookalike outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from honeytrace import trace_session
from honeytrace._base.commit import commit
from honeytrace._capture.spec import Spec
from honeytrace._record.stamp import root_stamp
from honeytrace.testing import capture

HASH = "3f2a9c1d2e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b"

PROGRAM = """
import json, honeytrace
from honeytrace import trace_session

@trace_session
def inner(x):
    return x

@trace_session
def outer(x):
    return inner(x)

outer(1), outer(2)
honeytrace.flush(10)
found = [s.details for s in reversed(honeytrace.list_sessions())]
print(json.dumps(found))
"""


def recorded(tmp_path: Path, **environ: str) -> list[dict[str, Any]]:
    """Run a program in a directory and return the details of what it recorded, oldest first."""
    (tmp_path / "app.py").write_text(PROGRAM)
    env = {**os.environ, "HONEYTRACE_STORE": str(tmp_path / "s.db"), **environ}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_record_knows_its_code(tmp_path: Path) -> None:
    """Records of functions name module, function, file and line; roots name the commit, too."""
    found = recorded(tmp_path, HONEYTRACE_COMMIT=HASH)
    outer = next(each for each in found if "parent_id" not in each)
    inner = next(each for each in found if "parent_id" in each)
    assert outer["code"] == "__main__:outer@app.py:9"
    assert inner["code"] == "__main__:inner@app.py:5"
    assert outer["commit"] == HASH[:12]
    assert "commit" not in inner


def test_one_root_of_a_process_has_the_versions(tmp_path: Path) -> None:
    """Versions of Python and honeytrace stand on one root of a process a minute."""
    found = [each["versions"] for each in recorded(tmp_path) if "versions" in each]
    assert len(found) == 1
    assert found[0]["honeytrace"] == honeytrace.__version__
    assert found[0]["python"] == sys.version.split(" ")[0]


@pytest.mark.parametrize("form", ["loose", "packed", "detached", "worktree"])
def test_the_commit_is_read_from_the_files_of_git(tmp_path: Path, form: str) -> None:
    """The commit comes from HEAD, its branch, packed references, or a worktree's directory."""
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    place = tmp_path / "deeper" / "still"
    place.mkdir(parents=True)
    if form == "loose":
        (git / "refs/heads/main").write_text(HASH + "\n")
    elif form == "packed":
        (git / "packed-refs").write_text(f"# pack-refs with: peeled\n{HASH} refs/heads/main\n")
    elif form == "detached":
        (git / "HEAD").write_text(HASH + "\n")
    else:
        own = git / "worktrees" / "w"
        own.mkdir(parents=True)
        (own / "HEAD").write_text("ref: refs/heads/side\n")
        (own / "commondir").write_text("../..\n")
        (git / "refs/heads/side").write_text(HASH + "\n")
        (place / ".git").write_text(f"gitdir: {own}\n")
    env = {key: value for key, value in os.environ.items() if key != "HONEYTRACE_COMMIT"}
    done = subprocess.run(
        [sys.executable, "-c", "from honeytrace._base.commit import commit; print(commit())"],
        cwd=place,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == HASH[:12]


def test_the_stamp_adds_at_most_80_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A root grows by the place and the commit, both within 80 bytes of metadata and names."""
    stamp = root_stamp.__wrapped__(Spec("f", code="shop.answers:answer@shop/answers.py:137").stamp)
    without = root_stamp.__wrapped__(b"")
    assert len(stamp) - len(without) <= 80
    assert commit() is None or len(without) <= 26


def test_a_name_that_is_not_text_is_written_out() -> None:
    """The file name of a function may hold bytes that are no UTF-8."""
    code = compile("def f(): pass", "odd-\udcff.py", "exec")
    names: dict[str, Any] = {"__name__": "odd"}
    exec(code, names)
    with capture() as sessions:
        trace_session(names["f"])()
    assert sessions[0].details["code"] == "odd:f@odd-\\udcff.py:1"


def test_blocks_have_no_code_and_keep_their_metadata() -> None:
    """A block names no code; what the program put into the metadata stays beside the stamp."""
    with capture() as sessions, honeytrace.session("block", metadata={"own": 1}):
        trace_session(metadata={"model": "small"})(len)("abc")
    inner, block = sessions
    assert "code" not in block.details
    assert block.metadata == {"own": 1}
    assert inner.metadata == {"model": "small"}


@pytest.mark.parametrize(
    ("value", "bare"), [({"result": 5}, True), (5, False), ({"result": 5, "more": 1}, False)]
)
def test_a_returned_result_is_told_from_a_wrapped_one(value: Any, bare: bool) -> None:
    """A dict whose only key is `result` is marked, since the record of 5 looks the same."""

    @trace_session
    def f() -> Any:
        return value

    with capture() as sessions:
        f()
    assert sessions[0].details.get("bare", False) is bare
