"""What changed since it was good: the right run, the right call, the right commit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli_running import Cli

from answered import answered
from honeytrace.errors import SessionNotFound
from honeytrace.lookup import StoreFamily
from honeytrace.lookup.blame import blame
from honeytrace.lookup.commits import Commit, commits_between
from honeytrace.lookup.recorded import RecordedSession
from honeytrace.store.memory import MemoryStore
from surroundings import clear, environ

BOT = """
import honeytrace

PROMPT = "Answer in one word. Question: {q}"

@honeytrace.trace_session
def build_prompt(q):
    return PROMPT.format(q=q)

@honeytrace.trace_session(event_type="model")
def generate(prompt):
    if "Question:" not in prompt:
        raise ValueError("no question")
    return "yes"

@honeytrace.trace_session
def answer(q):
    return generate(build_prompt(q))

answer("is it so?")
"""


def git(*arguments: str) -> str:
    own = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *own, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(files: dict[str, str], subject: str) -> str:
    for name, text in files.items():
        Path(name).write_text(text)
    git("add", "-A")
    git("commit", "-qm", subject)
    return git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    clear(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    git("init", "-q")
    Path(".gitignore").write_text(".honeytrace\n")
    return tmp_path


def ran(program: str) -> None:
    subprocess.run([sys.executable, program], env=environ(), capture_output=True, timeout=60)


def test_the_commit_that_broke_a_prompt_is_named(repository: Path, cli: Cli) -> None:
    """Of two commits, the second: with the call that changed first, and the function's place."""
    commit({"bot.py": BOT}, "A bot")
    ran("bot.py")
    second = commit({"bot.py": BOT.replace(" Question:", "")}, "Shorten the prompt")
    ran("bot.py")
    shown = cli("blame", "@last-error")
    assert shown.status == 0, shown.err
    assert "▸ " + second[:7] in shown.out
    assert "Shorten the prompt" in shown.out
    assert "A bot" not in shown.out
    assert shown.out.index("build_prompt") < shown.out.index("generate")
    (document,) = cli("blame", "--json").documents
    (found,) = document["commits"]
    assert second.startswith(found["commit"])
    assert found["suspect"]
    assert document["changed"][0]["session_name"] == "build_prompt"
    assert document["bad"]["commit"] == second[:12]


def test_only_the_commits_that_touch_the_call_are_suspect(repository: Path, cli: Cli) -> None:
    """Others between the two runs are told, and not marked."""
    commit({"bot.py": BOT}, "A bot")
    ran("bot.py")
    commit({"README": "A bot."}, "Say what it is")
    commit({"bot.py": BOT.replace(" Question:", "")}, "Shorten the prompt")
    commit({"README": "A good bot."}, "Praise it")
    ran("bot.py")
    (document,) = cli("blame", "--json").documents
    told = [(each["subject"], each["suspect"]) for each in document["commits"]]
    assert told == [("Praise it", False), ("Shorten the prompt", True), ("Say what it is", False)]


def test_lists_and_figures_by_commit(repository: Path, cli: Cli) -> None:
    """Runs of one commit, and a row for each."""
    first = commit({"bot.py": BOT}, "A bot")
    ran("bot.py")
    second = commit({"bot.py": BOT.replace(" Question:", "")}, "Shorten the prompt")
    ran("bot.py")
    listed = cli("list", "--commit", first[:7], "--json").documents
    assert [each["status"] for each in listed] == ["ok"]
    fields = cli("list", "--fields", "commit,name,versions.python", "--json").documents
    assert [each["commit"] for each in fields] == [second[:12], first[:12]]
    assert all(each["versions.python"] for each in fields)
    rows = cli("stats", "--group-by", "commit", "--json").documents
    assert {second[:12], first[:12]} <= set(str(rows).replace("'", " ").split())
    rows = cli("stats", "--group-by", "commit", "--json").documents
    assert all(each["group"] for each in rows)  # calls inside have the commit of their run
    version = fields[0]["versions.python"]
    assert len(cli("list", "--version", f"python={version}", "--json").documents) == 2
    assert cli("list", "--version", "python=1.5", "--json").documents == []
    assert "reads like openai=2.1" in cli("list", "--version", "python").err
    rows = cli("stats", "--group-by", "versions.python", "--json").documents
    assert [each["group"] for each in rows] == [version]


def test_recorded_text_is_no_option_of_git(repository: Path) -> None:
    """A commit that is no hash is not asked about; an unknown one is not known."""
    head = commit({"a": "a"}, "First")
    assert commits_between("--output=stolen", head) is None
    assert commits_between("v1.0", head) is None
    assert commits_between("0" * 40, head) is None
    assert commits_between(head, head) == []
    assert not Path("stolen").exists()


def test_where_there_is_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commits in between are not known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commits_between("a" * 40, "b" * 40) is None


def test_the_code_that_a_commit_touches() -> None:
    """By file and function; a change at module level counts for the whole file."""
    made = Commit("c", "a", "t", "s", ["src/app/bot.py"], ["src/app/bot.py:ask"])
    assert made.touches("app.bot:Bot.ask@app/bot.py:4")
    assert not made.touches("app.bot:Bot.tell@app/bot.py:9")
    assert not made.touches("other:ask@other.py:4")
    assert not made.touches(None)
    assert made._replace(functions=["src/app/bot.py:"]).touches("app.bot:tell@app/bot.py:9")


def load(store: MemoryStore, session_id: str) -> RecordedSession:
    record = store.get(session_id)
    assert record is not None
    return StoreFamily(store).load(record)


def test_the_nearest_good_run() -> None:
    """The one before, if any; without the same failure inside; otherwise one after."""
    store = MemoryStore()
    times = {"old": 1.0, "flawed": 2.0, "bad": 3.0, "later": 4.0, "latest": 5.0}
    for name, start in times.items():
        error = "E: e" if name == "bad" else None
        store.insert([answered(name, start_time=start, error=error)])
        own = {"honeytrace": {"parent_id": name, "root_id": name}}
        inner = {"session_name": "inner", "start_time": start + 0.1, "metadata": own}
        failed = "E: e" if name in ("flawed", "bad") else None
        store.insert([answered(f"{name}-inner", error=failed, **inner)])
    assert blame(store, load(store, "bad")).good.session_id == "flawed"
    assert blame(store, load(store, "bad-inner")).good.session_id == "old"
    assert blame(store, load(store, "bad"), load(store, "latest")).good.session_id == "latest"
    store.delete(before=2.9)
    assert blame(store, load(store, "bad")).good.session_id == "later"
    store.delete(before=6.0)
    store.insert([answered("bad", error="E: e")])
    with pytest.raises(SessionNotFound, match="--good ID"):
        blame(store, load(store, "bad"))
