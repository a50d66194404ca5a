"""Terminals, pipes and hostile content: what a person sees, and what a program reads."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cli_running import COMMAND, Api, Cli, Terminal, in_terminal, piped, record, stored
from rich.status import Status

from honeytrace.cli import _terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")

COLOUR = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|[0-9]*[AK])")
"""Colours, and the sign of life that a busy machine shows: hiding the cursor, clearing a line."""
HOSTILE = (
    "[bold red]markup[/] [/] :smile: "
    "\x1b[31mred\x1b[2J\x1b]0;title\x07 \x9b31m \x07\x08\r\x00 "
    "\u202eright-to-left\u202c \u2066isolate\u2069 \u2028 \u200f \U000e0041 <script>"
)
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u200f\u2028\u202a-\u202e\u2066-\u2069]"
)


@pytest.fixture
def store(tmp_path: Path) -> str:
    long = {"text": "word " * 2_000}
    return str(
        stored(
            tmp_path / "sessions.db",
            record("root", inputs=long, start_time=1e12),
            record("child", parent_id="root", root_id="root", error="ValueError: no"),
        )
    )


def hostile(tmp_path: Path) -> str:
    """A store in which every text is hostile, and one of them has five megabytes."""
    every = {HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}
    details = {"traceback": f"{HOSTILE}\n{HOSTILE}"}
    evil = record(
        "evil" + HOSTILE,
        **dict.fromkeys(("session_name", "project", "source", "error"), HOSTILE),
        **dict.fromkeys(("outputs", "metrics", "config", "user_properties"), every),
        inputs={"long": HOSTILE * 40_000, **every},
        metadata={"honeytrace": details, HOSTILE: HOSTILE},
        status=HOSTILE,
    )
    messages = [{"role": HOSTILE, "content": HOSTILE, HOSTILE: HOSTILE}]
    documents = [{"title": HOSTILE, "text": HOSTILE, HOSTILE: HOSTILE}]
    chat = record("chat", inputs={"m": messages}, outputs={"d": documents}, start_time=1.0)
    return str(stored(tmp_path / "hostile.db", evil, chat))


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["show", "evil"],
        ["show", "chat"],
        ["search", "script"],
        ["stats"],
        ["diff", "chat", "evil"],
        ["diff", "evil", "chat"],
        ["show", HOSTILE.replace("\0", "")],
        ["list", "--json"],
        ["show", "evil", "--json"],
        ["export"],
        ["doctor"],
    ],
    ids=lambda command: "-".join(command)[:20],
)
def test_hostile_content_is_harmless_in_a_terminal(command: list[str], tmp_path: Path) -> None:
    """No escape but our own colours, no control character, no change of direction, no markup
    obeyed, and, but where all was asked for, no more than a few screens of it."""
    _, shown = in_terminal(*command, "--store", hostile(tmp_path))
    text = COLOUR.sub("", shown).replace("\r\n", "\n")
    # a busy machine gets a sign of life, which redraws its line
    text = re.sub("(?:[\u2800-\u28ff] \\w+[\r\n]*)+", "", text)
    assert "\x1b" not in text
    assert not FORBIDDEN.search(text)
    if command[0] not in ("stats", "doctor"):
        assert "[bold red]markup[/]" in text or "evil" in text or "chat" in text
    if "--json" not in command and command != ["export"]:
        assert len(text) < 50_000


def test_json_is_the_same_document_on_a_terminal(tmp_path: Path) -> None:
    """Unsafe characters are escaped there, not replaced."""
    path = hostile(tmp_path)
    _, shown = in_terminal("show", "chat", "--json", "--store", path)
    assert json.loads(shown) == json.loads(piped("show", "chat", "--json", "--store", path).stdout)


@pytest.mark.parametrize("command", [["list"], ["show"], ["diff", "root", "child"], ["stats"]])
def test_a_terminal_gets_colour_within_its_width(command: list[str], store: str) -> None:
    """No line is longer than the terminal is wide, narrow or wide."""
    for columns in (40, 80, 160):
        status, shown = in_terminal(*command, "--store", store, columns=columns)
        assert status == 0
        assert COLOUR.search(shown)
        lines = COLOUR.sub("", shown).split("\r\n")
        assert max(map(len, lines)) <= columns, lines


def lines_of(*command: str, columns: int) -> list[str]:
    _, shown = in_terminal(*command, columns=columns)
    return [line.rstrip() for line in COLOUR.sub("", shown).split("\r\n")]


def test_a_narrow_terminal_gets_less_and_nothing_mangled(tmp_path: Path) -> None:
    """Of lists the id, the status and the name; of figures whole ones; an id on one line."""
    one = "01972b5e-4d90-7000-8000-000000000001"
    path = str(stored(tmp_path / "s.db", record(one, session_name="build_prompt")))
    head, line, *_ = lines_of("list", "--store", path, columns=40)
    assert head.split() == ["id", "name"]
    assert line == "01972b5e-4d90-7000  ✓  build_prompt  wh…"
    head, row, *_ = lines_of("stats", "--store", path, columns=40)
    assert head.split() == ["name", "calls", "errors", "p50"]
    assert row.split() == ["build_prompt", "1", "0", "1.5", "ms"]
    assert f"id {one}" in lines_of("show", "--store", path, columns=40)
    assert f"     id  {one}" in lines_of("show", "--store", path, columns=45)
    wide = lines_of("stats", "--store", path, columns=80)[0].split()
    assert wide == ["name", "calls", "errors", "p50", "p95", "p99", "max", "slowest"]


def test_a_terminal_gets_no_blanks_at_line_ends(store: str) -> None:
    """They would be copied along."""
    _, shown = in_terminal("show", "child", "--store", store)
    assert "ValueError: no" in shown
    assert not re.search(r" (\x1b\[0m)?\r\n", shown)


def test_no_color_is_respected(store: str) -> None:
    """By its convention: no colours; weight may remain."""
    _, shown = in_terminal("list", "--store", store, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)


def test_pipes_get_plain_whole_lines(store: str) -> None:
    """No colour, no wrapping, no cutting, whatever the terminal around is."""
    ran = piped("show", "root", "--full", "--store", store, env={**os.environ, "COLUMNS": "20"})
    assert b"\x1b" not in ran.stdout
    assert ("word " * 2_000).strip().encode() in ran.stdout
    assert not re.search(rb" $", ran.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", [["list", "--all"], ["list", "--json"], ["export"], ["show"]])
def test_a_reader_that_has_enough_is_no_error(command: list[str], tmp_path: Path) -> None:
    """`| head` ends it in silence, with the status of a program that SIGPIPE ended."""
    many = (record(f"s{n:04}", inputs={"text": "word " * 500}) for n in range(400))
    path = stored(tmp_path / "many.db", record("root", start_time=1e13), *many)
    if command == ["show"]:
        command = ["show", "s0001", "--full"]
        stored(path, *(record(f"c{n}", parent_id="s0001", root_id="s0001") for n in range(3000)))
    more = ["-n", "400"] if command[0] == "list" else []
    with subprocess.Popen(
        [*COMMAND, *command, *more, "--store", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["stats"], ["export"]])
def test_a_closed_standard_output_is_told(command: list[str], store: str) -> None:
    """`honeytrace list >&-` fails with one line, and a closed standard error hides only words."""
    line = shlex.join([*COMMAND, *command, "--store", store])
    ran = subprocess.run(["sh", "-c", f"{line} >&-"], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 1
    assert ran.stderr == "honeytrace: standard output is closed, so there is nowhere to print\n"
    quiet = subprocess.run(["sh", "-c", f"{line} 2>&-"], capture_output=True, timeout=120)
    assert (quiet.returncode, bool(quiet.stdout)) == (0, True)


def test_an_ascii_terminal_can_be_read(tmp_path: Path) -> None:
    """Marks, trees and bars are drawn with what it has; of recorded text there are question marks
    and no traceback."""
    path = stored(
        tmp_path / "s.db",
        record("root", inputs={"q": "naïve 名"}, start_time=1e12, duration=0.5),
        record("child", parent_id="root", root_id="root", error="E", start_time=1e12),
    )
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ran = piped("show", "root", "--store", str(path), env=environ)
    assert ran.returncode == 0
    assert "answer  + ok  500 us\n" in ran.stdout.decode()
    assert re.search(r"^2 `- answer x +1\.5 ms  =+$", ran.stdout.decode(), re.MULTILINE)
    assert "na?ve ?" in ran.stdout.decode()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["tail", "-n", "1"], "answer"),
        (["import", "-"], "import"),
        (["prune", "--older-than", "1d"], "[y/N]"),
    ],
)
def test_an_interrupt_is_silent(command: list[str], words: str, store: str) -> None:
    """Ctrl-C in a terminal: status 130, and not a word."""
    with Terminal(*command, "--store", store) as terminal:
        terminal.until(words)
        terminal.interrupt()
        status, shown = terminal.end()
    assert status == 130
    assert "Traceback" not in shown
    assert "Abort" not in shown


def test_progress_is_for_terminals(store: str, tmp_path: Path) -> None:
    """On standard error, and never among the results."""
    path = tmp_path / "all.jsonl"
    status, shown = in_terminal("export", "-o", str(path), "--store", store)
    assert status == 0
    assert "export" in shown
    assert "2 sessions written" in shown
    assert len(path.read_text().splitlines()) == 2
    assert piped("export", "--store", store).stderr == b""
    _, shown = in_terminal("import", str(path), "--store", str(tmp_path / "copy.db"))
    assert "import" in shown
    assert "2 sessions imported" in shown


@pytest.mark.parametrize(("long", "shown"), [(0.0, True), (60.0, False)])
def test_long_waits_show_a_sign_of_life(
    long: float, shown: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, and only when they are long."""
    started = threading.Event()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(_terminal, "_LONG", long)
    start = Status.start
    monkeypatch.setattr(Status, "start", lambda self: (start(self), started.set()))
    with _terminal.patience("thinking"):
        if shown:
            assert started.wait(60)
    assert ("thinking" in capsys.readouterr().err) == shown


def test_push_shows_progress(store: str, api: Api) -> None:
    """And, at last, how many were sent."""
    status, shown = in_terminal("push", "--store", store)
    assert status == 0
    assert "push" in shown
    assert "2 sessions sent" in COLOUR.sub("", shown)


def test_parquet_is_not_written_to_a_terminal(store: str) -> None:
    """It says what to do instead."""
    status, shown = in_terminal("export", "-f", "parquet", "--store", store)
    assert status == 2
    assert "--output" in shown


def completed(words: str) -> list[str]:
    """What bash would offer for the last of these words, which may be empty."""
    environ = {
        **os.environ,
        "_HONEYTRACE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    ran = piped(env=environ)
    assert ran.stderr == b""
    lines = ran.stdout.decode().splitlines()
    return [line.partition(",")[2] for line in lines if line]


def test_shells_complete(store: str) -> None:
    """Shells complete commands, names and statuses, and ids from the store that is meant."""
    assert completed("honeytrace st") == ["stats", "store"]
    assert completed(f"honeytrace show --store {store} ") == ["@last", "@last-error", "root"]
    assert completed(f"honeytrace show --store {store} ch") == ["child"]
    assert completed(f"honeytrace diff --store {store} root r") == ["root"]
    assert completed("honeytrace ui --store nowhere.db @last-") == ["@last-error"]
    assert completed(f"honeytrace list --store {store} --status e") == ["error", "exited"]
    assert completed(f"honeytrace list --store {store} --name ") == ["answer"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_printed(cli: Cli, shell: str) -> None:
    """`honeytrace completion SHELL` prints the script that the shell evaluates."""
    ran = cli("completion", shell)
    assert (ran.status, ran.err) == (0, "")
    assert "_HONEYTRACE_COMPLETE" in ran.out


def test_shells_are_offered_no_commands(tmp_path: Path) -> None:
    """An id may be any text: what a shell might run is not completed."""
    path = stored(tmp_path / "s.db", record("a$(reboot)"), record("a`reboot`"), record("a\nb"))
    assert completed(f"honeytrace show --store {path} a") == []


def test_a_command_there_is_not_is_misuse(cli: Cli) -> None:
    """An unknown command exits with 2; no command at all prints the help and exits with 0."""
    assert cli("lost").status == 2
    ran = cli()
    assert (ran.status, ran.err) == (0, "")
    assert "doctor" in ran.out
    assert cli("--version").out.startswith("honeytrace ")


STARTED = """
import json, re._compiler, sys
patterns, compile = [], re._compiler.compile
re._compiler.compile = lambda text, flags=0: patterns.append(text) or compile(text, flags)
before = {*sys.modules}
from honeytrace.__main__ import main
main(sys.argv[1:])
found = {"modules": sorted({*sys.modules} - before), "patterns": [str(each) for each in patterns]}
print("\\n" + json.dumps(found), file=sys.stderr)
"""
"""A command, and the modules that it imported and the patterns that it compiled."""


@pytest.mark.parametrize(
    ("command", "most"),
    [(["--version"], 40), (["list"], 150), (["ps"], 125), (["postmortem"], 160), (["mcp"], 145)],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
@pytest.mark.skipif(sys.version_info < (3, 11), reason="re keeps its compiler elsewhere")
def test_starting_is_light(command: list[str], most: int, store: str, tmp_path: Path) -> None:
    """A command that reads imports no more than it needs and compiles hardly a pattern of ours: no
    rich, no HTTP client, no server, no data frames, and nothing that only recording needs."""
    heavy = {"httpx", "starlette", "pyarrow", "pandas", "asyncio", "logging", "socket", "ssl"}
    heavy |= {"pathlib", "tempfile", "random", "urllib.parse", "ipaddress", "rich.text"}
    heavy |= {"honeytrace._runtime", "honeytrace._delivery", "honeytrace._capture.call"}
    heavy |= {"honeytrace._snapshot", "honeytrace.lookup.replays", "honeytrace.lookup.compare"}
    store_option = ["--store", store] if command[0] in ("list", "postmortem", "mcp") else []
    ran = subprocess.run(
        [sys.executable, "-c", STARTED, *command, *store_option],
        env={**os.environ, "HONEYTRACE_JOURNAL": str(tmp_path / "journal")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    found = json.loads(ran.stderr.splitlines()[-1])
    assert not heavy & {*found["modules"]}
    assert len(found["modules"]) <= most, found["modules"]
    assert len(found["patterns"]) <= 24, found["patterns"]
