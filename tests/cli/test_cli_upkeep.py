"""`prune`, `recover`, `refused`, `doctor`, `serve` and `ui`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import httpx
import pytest
from cli_running import COMMAND, Api, Cli, Terminal, ids, record, serving, stored

from honeytrace._durability import quarantine as _aside
from honeytrace._record.record import Update

DAY = 86_400_000

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes with names are POSIX")

# what is recorded cannot be delivered: the process dies while its sink holds the first batch
DIES = """
import os, signal, sys, threading
import honeytrace
held = threading.Event()
class Held:
    def deliver(self, batch, *, timeout):
        held.set()
        threading.Event().wait()
    def close(self): pass
honeytrace.configure(sink=Held(), journal=sys.argv[1], journal_bytes=100_000, flush_interval=0.001)
with honeytrace.session("finished", session_id="finished"):
    pass
held.wait()
with honeytrace.session("running", session_id="running"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Sessions of today and of 1, 2 and 3 days ago."""
    now = time.time() * 1000
    days = (record(f"day-{n}", start_time=now - n * DAY) for n in range(4))
    return str(stored(tmp_path / "sessions.db", *days))


@pytest.fixture
def died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The journal of a process that was killed."""
    directory = tmp_path / "journal"
    monkeypatch.setenv("HONEYTRACE_JOURNAL", str(directory))
    ran = subprocess.run([sys.executable, "-c", DIES, str(directory)], timeout=60)
    assert ran.returncode == -signal.SIGKILL
    return directory


def test_prune_deletes_what_is_older(cli: Cli, store: str, tmp_path: Path) -> None:
    """And says how much that was."""
    ran = cli("prune", "--older-than", "36h", "--yes", "--store", store, "--json")
    (said,) = ran.documents
    assert (said["found"], said["deleted"]) == (2, 2)
    assert ids(tmp_path / "sessions.db") == {"day-0", "day-1"}


def test_a_dry_run_deletes_nothing(cli: Cli, store: str, tmp_path: Path) -> None:
    """It only counts."""
    ran = cli("prune", "--older-than", "36h", "--dry-run", "--store", store)
    assert ran.err.startswith("2 sessions from before")
    assert len(ids(tmp_path / "sessions.db")) == 4


def test_without_anybody_to_ask_nothing_is_deleted(cli: Cli, store: str, tmp_path: Path) -> None:
    """A script has to say --yes."""
    ran = cli("prune", "--older-than", "1d", "--store", store)
    assert ran.status == 1
    assert "--yes" in ran.err
    assert len(ids(tmp_path / "sessions.db")) == 4


@posix
@pytest.mark.parametrize(("answer", "status", "left"), [("y", 0, 2), ("n", 1, 4), ("", 1, 4)])
def test_the_person_at_the_terminal_is_asked(
    answer: str, status: int, left: int, store: str, tmp_path: Path
) -> None:
    """Only yes deletes."""
    with Terminal("prune", "--older-than", "36h", "--store", store) as terminal:
        terminal.until("[y/N]")
        terminal.type(f"{answer}\n")
        assert terminal.end()[0] == status
    assert len(ids(tmp_path / "sessions.db")) == left


@posix
def test_recover_brings_in_what_a_killed_process_left(cli: Cli, died: Path, tmp_path: Path) -> None:
    """What had ended and what was running; then the journal is gone, and there is no more."""
    (said,) = cli("recover", "--store", "s.db", "--json").documents
    assert said == {"journals": 1, "records": 2, "interrupted": 1, "damaged": 0, "refused": 0}
    assert ids(tmp_path / "s.db") == {"finished", "running"}
    assert not list(died.glob("*.journal"))
    assert cli("recover", "--store", "s.db").err.startswith("0 records recovered from 0 journals")


@posix
def test_recover_goes_to_the_api_with_a_key(cli: Cli, died: Path, api: Api) -> None:
    """As the sessions would have gone."""
    assert cli("recover").status == 0
    assert sorted(api.taken) == ["finished", "running"]


@posix
def test_recover_with_a_wrong_key_keeps_the_journal(cli: Cli, died: Path, api: Api) -> None:
    """And says what is wrong on one line; with the right key it is delivered."""
    api.answer = lambda session_id: 401
    ran = cli("recover")
    assert ran.status == 1
    assert "401 Unauthorized: check the API key (HH_API_KEY" in ran.err
    assert ran.err.count("\n") == 1
    api.answer = lambda session_id: 200
    assert cli("recover").status == 0
    assert sorted(api.taken) == ["finished", "running"]


@posix
def test_what_was_damaged_can_be_listed(cli: Cli, died: Path) -> None:
    """Each file with what can be read of it, and why it was set aside; then nothing has changed."""
    assert cli("damaged").err == "no file is damaged\n"
    (journal,) = died.glob("*.journal")
    journal.rename(died / "kept")
    (died / "1-x.journal").write_bytes(b"no journal of ours")
    assert cli("recover").status == 1
    listed = cli("damaged")
    assert (listed.status, listed.out.count("\n")) == (0, 1)
    assert "0 records readable: it is too short" in listed.out
    (died / "kept").rename(died / "damaged" / "2-y.journal")
    first, second = cli("damaged", "--json").documents
    assert Path(first["path"]).name == "1-x.journal"
    assert second["readable"] == 2
    assert len(list((died / "damaged").iterdir())) == 2


@posix
def test_what_recovery_sees_refused_can_be_listed_and_retried(
    cli: Cli, died: Path, api: Api
) -> None:
    """With the reason; what is taken at last is listed no more."""
    api.answer = lambda session_id: 400 if session_id == "finished" else 200
    ran = cli("recover")
    assert (ran.status, api.taken) == (1, ["running"])
    assert "refused: finished: 400 Bad Request" in ran.err
    listed = cli("refused")
    assert (listed.status, listed.out.count("\n")) == (0, 1)
    assert listed.out.endswith("finished  finished  400 Bad Request\n")
    (said,) = cli("refused", "--json").documents
    assert (said["session_id"], said["reason"]) == ("finished", "400 Bad Request")
    assert Path(said["path"]).parent == died / "refused"
    assert "✗ journal   1 record refused: honeytrace refused tells why\n" in cli("doctor").out
    again = cli("refused", "--retry", "--json")
    assert (again.status, again.documents) == (1, [{"delivered": 0, "refused": 1}])
    api.answer = lambda session_id: 200
    assert cli("refused", "--retry").err == "1 record delivered, 0 refused again\n"
    assert sorted(api.taken) == ["finished", "running"]
    assert cli("refused").err == "no record is set aside\n"


@posix
def test_a_retry_that_reaches_nobody_keeps_what_is_set_aside(
    cli: Cli, tmp_path: Path, api: Api
) -> None:
    """And says on one line what is wrong; what is odd in a record obeys no terminal."""
    journal = str(tmp_path / ".honeytrace" / "journal")
    _aside.set_aside(journal, record("odd", session_name="a\x1b[2Jb"), "too\nodd")
    _aside.set_aside(journal, Update("s", {"feedback": b'{"rating":5}'}), "no such session")
    api.answer = lambda session_id: 401
    ran = cli("refused", "--retry")
    assert (ran.status, ran.err.count("\n")) == (1, 1)
    assert "401 Unauthorized" in ran.err
    listed = cli("refused").out
    assert "\x1b" not in listed
    assert "(an update)" in listed
    assert listed.count("\n") == 2


@posix
def test_a_damaged_journal_is_told(cli: Cli, died: Path) -> None:
    """With the exit status 1; it is kept, and doctor knows of it."""
    (journal,) = died.glob("*.journal")
    journal.write_bytes(b"no journal" * 100)
    assert cli("recover", "--store", "s.db").status == 1
    ran = cli("doctor", "--store", "s.db")
    assert ran.status == 1
    assert "1 journal damaged" in ran.out


@posix
def test_doctor_knows_of_journals_that_wait(cli: Cli, died: Path) -> None:
    """It names the command that delivers them, and leaves them where they are."""
    ran = cli("doctor")
    assert ran.status == 0
    assert (
        "✓ journal   1 journal of processes that died: honeytrace recover delivers them\n"
        in ran.out
    )
    assert len(list(died.glob("*.journal"))) == 1


def test_doctor_tells_where_each_value_comes_from(
    cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Argument, HONEYTRACE_*, HH_*, default, in this order."""
    monkeypatch.setenv("HONEYTRACE_SOURCE", "prod")
    monkeypatch.setenv("HH_SOURCE", "ignored")
    monkeypatch.setenv("HH_PROJECT", "bees")
    monkeypatch.setenv("HONEYTRACE_DISABLED", "1")
    ran = cli("doctor", "--store", store, "--json")
    (said,) = ran.documents
    found = {each["name"]: (each["value"], each["from"]) for each in said["settings"]}
    assert found["source"] == ("prod", "HONEYTRACE_SOURCE")
    assert found["project"] == ("bees", "HH_PROJECT")
    assert found["store"] == (store, "--store")
    assert found["enabled"] == (False, "HONEYTRACE_DISABLED")
    assert found["batch_size"] == (5000, "default")
    assert (ran.status, said["ok"]) == (0, True)
    assert said["versions"]["python"] == sys.version.split()[0]


def test_doctor_never_shows_the_key(cli: Cli, api: Api) -> None:
    """Only its two ends; and nothing of one that is short."""
    for as_json in ([], ["--json"]):
        out = cli("doctor", *as_json).out
        assert "hh_…cdef" in out
        assert "0123456789" not in out
    os.environ["HH_API_KEY"] = "short-key"
    assert "short" not in cli("doctor").out


def test_doctor_asks_the_api(cli: Cli, api: Api) -> None:
    """Whether it answers, and whether it takes the key."""
    ran = cli("doctor")
    assert ran.status == 0
    assert f"{api.url} answers" in ran.out
    api.answer = lambda path: 401
    ran = cli("doctor")
    assert ran.status == 1
    assert f"{api.url} refuses the key (401)" in ran.out


def answering(status: int, body: bytes, kind: str) -> Answers:
    """A web server that answers everything so."""

    class Same(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the base class's names

    return Same


Answers = type[SimpleHTTPRequestHandler]


@pytest.mark.parametrize(
    ("answers", "how"),
    [
        (SimpleHTTPRequestHandler, "501 "),  # files: 404 to each GET, 501 to a POST
        (answering(404, b'{"detail": "Not Found"}', "application/json"), "404 application/json"),
        (answering(200, b"<html>" * 999, "text/html"), "200 text/html"),
        (answering(200, b'{"status": "ok"}', "application/json"), "200 to whatever"),
    ],
)
def test_doctor_believes_no_other_web_server(
    answers: Answers, how: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something answers there, and it is not the API."""
    monkeypatch.setattr(answers, "log_message", lambda *_: None)
    monkeypatch.setenv("HH_API_KEY", "k" * 20)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), answers)) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("HH_API_URL", url)
        ran = cli("doctor")
    assert ran.status == 1
    (said,) = (line for line in ran.out.splitlines() if "✗" in line)
    assert said.startswith(f"✗ api       something answers at {url}, but not as HoneyHive does (")
    assert how in said
    assert said.endswith("): check HH_API_URL")


def test_doctor_believes_a_server_that_only_lists(cli: Cli, api: Api) -> None:
    """An API whose routes for one session are gone is known by the one that lists events."""
    api.lookup = False
    ran = cli("doctor")
    assert f"✓ api       {api.url} answers, and takes the key" in ran.out


@posix
def test_doctor_knows_our_own_server(cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`honeytrace serve` answers, and takes one of its keys alone."""
    monkeypatch.setenv("HH_API_KEY", "right-key-0123456789")
    environ = {**os.environ, "HONEYTRACE_SERVER_KEYS": "right-key-0123456789"}
    command = [*COMMAND, "serve", "--port", "0", "--store", store]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environ, text=True) as process:
        assert process.stderr is not None
        url = next(word for word in process.stderr.readline().split() if "://" in word)
        monkeypatch.setenv("HH_API_URL", url)
        right = cli("doctor").out
        monkeypatch.setenv("HH_API_KEY", "wrong-key-0123456789")
        wrong = cli("doctor").out
        process.terminate()
    assert f"✓ api       {url} answers, and takes the key" in right
    assert f"✗ api       {url} refuses the key (401)" in wrong


@pytest.mark.parametrize(
    ("variable", "value"), [("HH_API_KEY", "two words"), ("HH_API_URL", "http://:99999/")]
)
def test_doctor_finds_a_key_or_url_that_cannot_be(
    variable: str, value: str, cli: Cli, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a finding among the others, and not the end of the command."""
    monkeypatch.setenv(variable, value)
    ran = cli("doctor")
    assert ran.status == 1
    assert f"✗ settings  {variable}=" in ran.out
    assert "two words" not in ran.out


def test_doctor_tells_a_server_in_trouble_from_a_wrong_one(cli: Cli, api: Api) -> None:
    """Nothing is wrong with the settings then."""
    api.answer = lambda path: 503
    assert f"✗ api       {api.url} answers 503 Service Unavailable: try" in cli("doctor").out


def test_doctor_finds_what_is_wrong(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is no store, a server that is not there, an invalid setting."""
    (tmp_path / "broken.db").write_text("this is no store" * 100)
    ran = cli("doctor", "--store", "broken.db")
    assert ran.status == 1
    assert "✗ store" in ran.out
    monkeypatch.setenv("HH_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HH_API_KEY", "k" * 20)
    assert "✗ api" in cli("doctor").out
    monkeypatch.setenv("HONEYTRACE_BATCH_SIZE", "many")
    ran = cli("doctor", "--json")
    assert (ran.status, ran.documents[0]["ok"]) == (1, False)
    assert "HONEYTRACE_BATCH_SIZE='many'" in ran.out


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HONEYTRACE_JOURNAL", ":none:", "· journal   is turned off"),
        ("HONEYTRACE_STORE", ":memory:", "· store     in memory"),
        ("HONEYTRACE_ENABLED", "no", "· recording is turned off"),
    ],
)
def test_doctor_tells_what_was_chosen(
    variable: str, value: str, said: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that is turned off is reported and is no trouble."""
    monkeypatch.setenv(variable, value)
    ran = cli("doctor")
    assert ran.status == 0
    assert said in ran.out


def test_doctor_shows_no_password_of_an_address(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that names a user is refused, without its password in the message."""
    monkeypatch.setenv("HH_API_URL", "http://ada:secret@127.0.0.1:1")
    ran = cli("doctor")
    assert (ran.status, "secret" in ran.out + ran.err) == (1, False)
    assert "the URL names a user" in ran.out


@posix
def test_doctor_finds_a_journal_that_others_may_write(cli: Cli, tmp_path: Path) -> None:
    """Nothing in it would be believed."""
    journal = tmp_path / ".honeytrace" / "journal"
    journal.mkdir(parents=True)
    journal.chmod(0o777)
    ran = cli("doctor")
    assert ran.status == 1
    assert "✗ journal" in ran.out


def test_doctor_names_missing_extras(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs them."""

    def version(package: str) -> str:
        if package == "pyarrow":
            raise metadata.PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    assert 'without pyarrow: pip install "honeytrace[parquet]"\n' in cli("doctor").out


def test_a_store_in_memory_cannot_be_read(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another process; the message says how to read another."""
    monkeypatch.setenv("HONEYTRACE_STORE", ":memory:")
    for command in ("list", "serve"):
        ran = cli(command)
        assert ran.status == 1
        assert "--store" in ran.err


def test_doctor_leaves_everything_as_it_is(cli: Cli, tmp_path: Path) -> None:
    """It makes no store and no journal."""
    assert cli("doctor").status == 0
    assert list(tmp_path.iterdir()) == []


@posix
def test_ui_opens_the_browser_on_a_session(store: str, tmp_path: Path) -> None:
    """At its page, once the server listens; Ctrl-C ends it."""
    told = tmp_path / "told"
    os.mkfifo(told)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    browser.chmod(0o700)
    environ = {**os.environ, "BROWSER": f"{browser} %s"}
    command = [*COMMAND, "ui", "day-2", "--store", store]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environ) as process:
        assert process.stderr is not None
        url = told.read_text().strip()
        assert url.endswith("/sessions/day-2")
        assert "day-2" in httpx.get(url).raise_for_status().text
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@posix
def test_serve_serves_the_store_of_the_environment(tmp_path: Path) -> None:
    """As every other command reads it."""
    environ = {**os.environ, "HONEYTRACE_STORE": str(tmp_path / "here.db")}
    command = [*COMMAND, "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environ) as process:
        assert process.stderr is not None
        assert str(tmp_path / "here.db").encode() in process.stderr.readline()
        process.terminate()
        assert process.wait(60) == 0


@posix
def test_serve_works_without_the_command_line_extra(tmp_path: Path) -> None:
    """And every other command says what to install."""
    without = "import sys; sys.modules['rich'] = None; from honeytrace.__main__ import main; "
    serve = f"{without} sys.exit(main(['serve', '--port', '0', '--store', 'here.db']))"
    with subprocess.Popen([sys.executable, "-c", serve], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"honeytrace serves" in process.stderr.readline()
        process.terminate()
        assert process.wait(60) == 0
    command = [sys.executable, "-c", f"{without} sys.exit(main(['list']))"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        'honeytrace: the command line needs rich: pip install "honeytrace[cli]"\n'
    )


def test_a_readonly_store_is_read(cli: Cli, store: str) -> None:
    """As in an archive; it is a problem only to doctor, since nothing can be recorded there."""
    if os.geteuid() == 0:
        pytest.skip("root may write to everything")
    Path(store).chmod(0o400)
    assert len(cli("list", "--store", store).out.splitlines()) == 4
    assert cli("doctor", "--store", store).status == 1
