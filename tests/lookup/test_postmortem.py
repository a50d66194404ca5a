"""The last moments of a process: from its journal, and from the store once that was recovered."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from honeytrace._durability import death
from honeytrace._durability.death import cause_of_death
from honeytrace._durability.journal_notes import Notes, process_facts
from honeytrace._durability.recovery import recover_all
from honeytrace.errors import SessionNotFound
from honeytrace.lookup import StoreFamily
from honeytrace.lookup.page import postmortem_page, session_page
from honeytrace.lookup.postmortem import LAST, postmortem
from honeytrace.sinks.store import StoreSink
from honeytrace.store.sqlite import SQLiteStore
from surroundings import environ

AGENT = """
import sys, honeytrace
@honeytrace.trace_session(event_type="model")
def chat(prompt):
    return "call search <script>alert(1)</script>"
@honeytrace.trace_session
def step(number):
    return number
@honeytrace.trace_session(event_type="tool")
def search(origin, password):
    print("open", flush=True)
    sys.stdin.read()
with honeytrace.session("agent", inputs={"goal": "fly"}):
    chat("where to?")
    for number in range(25):
        step(number)
    honeytrace.flush()
    search("AMS", password="hunter2")
"""


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """An agent that was killed in a tool call, and that nobody has waited for."""
    settings = environ(
        HONEYTRACE_STORE=str(tmp_path / "sessions.db"), HONEYTRACE_JOURNAL=str(tmp_path / "journal")
    )
    process = subprocess.Popen(
        [sys.executable, "-c", AGENT],
        env=settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "open\n"
        process.kill()
        process.stdout.read()  # its end of the pipe is closed when it is dead
        yield process
    finally:
        process.kill()
        process.wait(60)
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    opened = SQLiteStore(tmp_path / "sessions.db")
    yield opened
    opened.close()


def test_the_end_of_a_killed_agent(
    killed: subprocess.Popen[str], store: SQLiteStore, tmp_path: Path
) -> None:
    """The tool call that was open, its masked inputs, its age, and the model call before it."""
    told = postmortem(store, str(tmp_path / "journal"))
    assert [(each.session.session_name, each.depth) for each in told.open] == [
        ("agent", 0),
        ("search", 1),
    ]
    assert told.open[1].session.inputs == {"origin": "AMS", "password": "[redacted]"}
    assert told.open[1].age is not None
    assert told.model_call is not None
    assert told.model_call.inputs == {"prompt": "where to?"}
    assert [each.session_name for each in told.finished] == ["step"] * LAST
    assert told.finished[0].inputs == {"number": 24}
    assert told.silence is not None
    assert told.death is not None
    assert told.death["pid"] == killed.pid
    document = told.to_dict()
    assert document["open"][1]["inputs"]["origin"] == "AMS"
    assert document["model_call"]["event_type"] == "model"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_nobody_waited_for_tells_its_signal(
    killed: subprocess.Popen[str], store: SQLiteStore, tmp_path: Path
) -> None:
    """The status of a zombie is there for its parent, and is read."""
    told = postmortem(store, str(tmp_path / "journal"), pid=killed.pid)
    assert told.death is not None
    assert (told.death["cause"], told.death["text"]) == ("signal", "killed by SIGKILL")


def test_the_same_after_the_recovery(
    killed: subprocess.Popen[str], store: SQLiteStore, tmp_path: Path
) -> None:
    """The store keeps what was known, by process and by run."""
    journal = str(tmp_path / "journal")
    before = postmortem(store, journal)
    recover_all(journal, lambda batch: StoreSink(store).deliver(batch, timeout=60))
    for after in (
        postmortem(store, journal),
        postmortem(store, journal, pid=killed.pid),
        postmortem(store, journal, run=before.runs[0]),
    ):
        assert [e.session for e in after.open] == [e.session for e in before.open]
        assert [e.age for e in after.open] == [e.age for e in before.open]
        assert after.finished == before.finished
        assert after.death is not None
        assert after.death["pid"] == killed.pid


def test_nothing_died(store: SQLiteStore, tmp_path: Path) -> None:
    """An error says where it looked."""
    with pytest.raises(SessionNotFound, match="no process left a call"):
        postmortem(store, str(tmp_path / "journal"))
    with pytest.raises(SessionNotFound, match="no dead process 7 "):
        postmortem(store, ":none:", pid=7)


def test_the_page_holds_everything_and_runs_nothing(
    killed: subprocess.Popen[str], store: SQLiteStore, tmp_path: Path
) -> None:
    """One file without script or outside resource, whatever was recorded."""

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attributes)))

    told = postmortem(store, str(tmp_path / "journal"))
    pages = [postmortem_page(told), session_page(told.runs[0])]
    for page in pages:
        found: list[tuple[str, dict[str, str | None]]] = []
        Tags().feed(page)
        assert not {tag for tag, _ in found} & {"script", "link", "iframe", "object", "form"}
        assert not [a for _, a in found if {"src", "href", "onload"} & a.keys()]
        assert "default-src 'none'" in page
    assert "&lt;script&gt;alert(1)" in pages[0]
    assert "hunter2" not in pages[0]
    assert "search" in pages[1]


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"boot": "another"}, "restart"),
        ({"oom": -1}, "oom"),
        ({"born": 1}, "unknown"),
        ({"pid": "x", "cgroup": None}, "unknown"),
    ],
)
def test_the_cause_shows_in_the_traces(
    changed: dict[str, object], kind: str, tmp_path: Path
) -> None:
    """Another boot, more OOM kills; without a trace it is unknown."""
    (tmp_path / "memory.events").write_text("oom_kill 0\n")
    facts = {**process_facts(), "cgroup": str(tmp_path / "memory.events"), "oom": 0, **changed}
    if kind == "restart" and "boot" not in process_facts():
        pytest.skip("this system tells no boot")
    assert cause_of_death(Notes(facts=facts)).kind == kind


def test_an_exit_in_order_comes_first() -> None:
    """The interpreter noted it, with the type of the exception."""
    cause = cause_of_death(Notes(end={"at": 1.0, "error": "KeyError"}))
    assert cause.kind == "exit"
    assert "KeyError" in cause.text
    told = death.death(Notes(seen=5.0, end={"at": 9.0, "error": None}), 7.0)
    assert told["last_seen"] == 9.0


def test_the_kernel_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the process; messages from before its start are about another one."""
    facts = {"pid": 4242, "born": 10 * death.os.sysconf("SC_CLK_TCK")}
    said = "Out of memory: Killed process 4242 (python) total-vm:1kB"
    for seconds, kind in ((5.0, "unknown"), (15.0, "oom")):
        monkeypatch.setattr(death, "_kernel_log", lambda at=seconds: iter([(at, said)]))
        assert cause_of_death(Notes(facts=facts), kernel_log=True).kind == kind


def test_a_run_that_ended_by_itself(store: SQLiteStore) -> None:
    """Nothing was open; its last calls are told all the same."""
    from answered import answered

    store.insert([answered("run", session_name="run"), answered("other", session_name="other")])
    record = store.get("run")
    assert record is not None
    told = postmortem(store, ":none:", run=StoreFamily(store).load(record))
    assert (told.death, list(told.open)) == (None, [])
    assert [each.session_id for each in told.finished] == ["run"]
    assert "ended by itself" in postmortem_page(told)
