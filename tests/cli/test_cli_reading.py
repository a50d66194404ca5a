"""`list`, `search`, `tail`, `show`, `stats`, `diff` on a real store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_running import COMMAND, Api, Cli, record, stored

from answered import START
from honeytrace.cli._recent import remember
from honeytrace.store.sqlite import SQLiteStore

ROOT = "01900000-0000-7000-8000-000000000001"
CHILD = "01900000-0000-7000-8000-000000000002"
OTHER = "01900001-0000-7000-8000-000000000003"


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A run with a child that failed, and a newer run."""
    details = {"traceback": "Traceback (most recent call last):\n  boom\nValueError: no"}
    path = stored(
        tmp_path / "sessions.db",
        record(ROOT, session_name="ask", children_ids=[CHILD], user_properties={"id": "ada"}),
        record(
            CHILD,
            session_name="retrieve",
            start_time=START + 0.5,
            duration=0.75,
            error="ValueError: no",
            parent_id=ROOT,
            root_id=ROOT,
            metadata={"honeytrace": details},
        ),
        record(
            OTHER,
            session_name="ask",
            start_time=START + 60_000,
            duration=3.5,
            inputs={"question": "how?"},
            metrics={"score": 0.25},
        ),
    )
    return str(path)


def test_list_shows_the_newest_runs_first(cli: Cli, store: str) -> None:
    """One a line, with the beginning of the id, the time it took and what it was asked."""
    ran = cli("list", "--store", store)
    assert (ran.status, ran.err) == (0, "")
    newer, older = ran.out.splitlines()
    assert newer.split()[0] == OTHER[:18]
    assert older.split()[0] == ROOT[:18]
    assert newer.endswith("✓  3.5 ms  ask  how?")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--all"], [OTHER, CHILD, ROOT]),
        (["-n", "1"], [OTHER]),
        (["--all", "--errors"], [CHILD]),
        (["--all", "--name", "retrieve"], [CHILD]),
        (["--user", "ada"], [ROOT]),
        (["--metric", "score<0.5"], [OTHER]),
        (["--min-duration", "2ms"], [OTHER]),
        (["--all", "--max-duration", "1000us"], [CHILD]),
        (["--since", "2023-11-14T22:14:00Z"], [OTHER]),
        (["--until", "2023-11-14T22:14:00Z"], [ROOT]),
        (["--since", "1d"], []),
        (["--project", "other"], []),
        (["--source", "test", "--status", "ok"], [OTHER, ROOT]),
    ],
)
def test_conditions(options: list[str], found: list[str], cli: Cli, store: str) -> None:
    """Every option narrows what is listed, and all of them hold together."""
    ran = cli("list", "--store", store, "--json", *options)
    assert ran.status == 0
    assert [each["session_id"] for each in ran.documents] == found


@pytest.mark.parametrize(
    "wrong",
    [["--since", "soon"], ["--min-duration", "3 parsecs"], ["--metric", "score"], ["-n", "0"]],
)
def test_what_cannot_be_meant_is_misuse(wrong: list[str], cli: Cli, store: str) -> None:
    """Exit status 2, and the message shows how to write it."""
    ran = cli("list", "--store", store, *wrong)
    assert ran.status == 2
    assert wrong[0] in ran.err
    assert ran.out == ""


def test_search_finds_all_the_words(cli: Cli, store: str) -> None:
    """In inputs, outputs and errors; nested calls as well, unless only roots are asked for."""
    ran = cli("search", "ValueErr", "--store", store, "--json")
    assert [each["session_id"] for each in ran.documents] == [CHILD]
    assert cli("search", "ValueErr", "--roots", "--store", store).out == ""
    assert len(cli("search", "because", "why", "--store", store).out.splitlines()) == 2


def test_nothing_found_is_said_and_no_failure(cli: Cli, store: str) -> None:
    """On standard error, so that programs read an empty output."""
    for arguments in (["search", "elephant"], ["list", "--name", "x"], ["stats", "--name", "x"]):
        ran = cli(*arguments, "--store", store)
        assert (ran.status, ran.out) == (0, "")
        assert ran.err.startswith("no session")


@pytest.mark.parametrize("command", [["list"], ["stats"], ["search", "x"], ["show"], ["diff"]])
def test_an_empty_store_is_said_to_be_empty(command: list[str], cli: Cli, tmp_path: Path) -> None:
    """Rather than that what was asked for is not in it."""
    ran = cli(*command, "--store", str(stored(tmp_path / "empty.db")))
    assert ran.err.removeprefix("honeytrace: ") == f"nothing is recorded in {tmp_path}/empty.db\n"
    assert ran.status == (1 if command[0] in ("show", "diff") else 0)


def test_a_missing_store_is_told_with_the_cure(cli: Cli, tmp_path: Path) -> None:
    """One line, exit status 1, and no store is made."""
    ran = cli("list", "--store", str(tmp_path / "no.db"))
    assert ran.status == 1
    assert ran.err.startswith(f"honeytrace: there is no store at {tmp_path / 'no.db'}: record")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "no.db").exists()


def test_the_store_may_come_from_the_environment(
    cli: Cli, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HONEYTRACE_STORE names it where --store does not."""
    monkeypatch.setenv("HONEYTRACE_STORE", store)
    assert len(cli("list").out.splitlines()) == 2
    assert cli("list", "--store", "elsewhere.db").status == 1


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ROOT, ROOT),
        (OTHER[:8], OTHER),
        ("@last", OTHER),
        ("@last~1", ROOT),
        ("@last-error", CHILD),
        ("@last~1:2", CHILD),
        (f"{ROOT}:1", ROOT),
    ],
)
def test_how_a_session_is_named(wanted: str, found: str, cli: Cli, store: str) -> None:
    """By id, by its beginning, by how recent it is, and by its number in a tree."""
    (shown,) = cli("show", wanted, "--store", store, "--json").documents
    assert shown["session_id"] == found


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("019", "begins several ids"),
        ("nope", "no session 'nope'"),
        ("@last~7", "no session"),
        ("@last:9", "has calls 1 to 1"),
        ("", "no session ''"),
    ],
)
def test_what_names_no_session(wanted: str, said: str, cli: Cli, store: str) -> None:
    """Is told on one line, with the exit status 1."""
    ran = cli("show", wanted, "--store", store)
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_show_draws_the_tree_and_what_went_in_and_out(cli: Cli, store: str) -> None:
    """Each call has its number, its duration and its bar where it ran."""
    ran = cli("show", ROOT, "--store", store)
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert f"1 ask              1.5 ms  {'━' * 40}" in lines
    assert f"2 └─ retrieve ✗    750 µs  {' ' * 13}{'━' * 20}" in lines
    assert "  question  why?" in lines
    assert "  result  because" in lines


def test_show_tells_an_error_with_its_traceback(cli: Cli, store: str) -> None:
    """And which session it happened in."""
    ran = cli("show", "@last-error", "--store", store)
    assert "    ValueError: no\n    Traceback (most recent call last):\n      boom\n" in ran.out
    assert f" inside  {ROOT}\n" in ran.out


def test_show_as_json_has_the_whole_tree(cli: Cli, store: str) -> None:
    """One document: the session, and flat below it what is inside it."""
    (shown,) = cli("show", ROOT, "--store", store, "--json").documents
    (inside,) = shown["descendants"]
    assert (inside["session_id"], inside["parent_id"]) == (CHILD, ROOT)
    assert (inside["status"], inside["error"]) == ("error", "ValueError: no")


def test_show_asks_the_api_for_what_the_store_has_not(cli: Cli, store: str, api: Api) -> None:
    """With a key; where the API does not know it either, both places are named."""
    api.events["beyond"] = {
        **dict.fromkeys(("event_id", "session_id"), "beyond"),
        "event_name": "elsewhere",
        "event_type": "session",
        "inputs": {"q": "far?"},
        "start_time": START,
    }
    assert "  q  far?" in cli("show", "beyond", "--store", store).out
    ran = cli("show", "further", "--store", store)
    assert ran.status == 1
    assert store in ran.err
    assert api.url in ran.err
    # without any store as well
    assert "elsewhere" in cli("show", "beyond", "--store", "none.db").out
    assert cli("list", "--store", "none.db").status == 1


@pytest.mark.parametrize(
    "command",
    [["list"], ["search", "why"], ["stats"], ["export"], ["show"], ["show", "@last~1"], ["diff"]],
)
def test_with_a_key_it_is_said_that_the_store_is_read(
    command: list[str], cli: Cli, store: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, since what was recorded went to the API; whoever names a store knows."""
    monkeypatch.setenv("HONEYTRACE_STORE", store)
    ran = cli(*command)
    assert ran.status == 0
    assert ran.err == (
        f"HH_API_KEY is set, so sessions go to {api.url}; this is the store {store} alone\n"
    )
    named = cli(*command, "--store", store)
    assert (named.out, named.err) == (ran.out, "")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "{} refuses the key (401): set HH_API_KEY anew"),
        (503, "{} answers 503 Service Unavailable: try again later"),
        (418, "something answers at {}, but not as HoneyHive does (418 application/json): check"),
    ],
)
def test_an_api_that_fails_is_told_with_the_cure(
    status: int, said: str, cli: Cli, api: Api
) -> None:
    """In the words of this command line, not in those of the client."""
    api.answer = lambda session_id: status
    ran = cli("show", "beyond")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"honeytrace: {said.format(api.url)}")
    assert ran.err.count("\n") == 1


def test_an_api_that_is_not_there_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the password that its address may hold."""
    monkeypatch.setenv("HH_API_KEY", "k" * 20)
    monkeypatch.setenv("HH_API_URL", "http://127.0.0.1:9")
    ran = cli("show", "beyond")
    assert ran.err.startswith("honeytrace: http://127.0.0.1:9: Unable to make request: ")
    assert ran.err.endswith("; check HH_API_URL and the network\n")


def test_an_id_that_is_nowhere_is_not_to_be_listed(cli: Cli, api: Api) -> None:
    """The API cannot be asked for a list, nor for the beginning of an id."""
    assert cli("show", "beyond").err.endswith(f" or at {api.url}, which knows whole ids alone\n")
    api.events["beyond"] = {"status": "ok"}  # what is no session shows none
    assert cli("show", "beyond").status == 1


def test_with_a_key_an_id_is_found_wherever_it_is(
    cli: Cli, store: str, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So nothing is to be said then."""
    monkeypatch.setenv("HONEYTRACE_STORE", store)
    assert cli("show", OTHER).err == ""


@pytest.mark.parametrize("command", [["list"], ["stats"], ["show"], ["show", "@last-error"]])
def test_with_a_key_and_no_store_it_is_said_where_sessions_are(
    command: list[str], cli: Cli, api: Api
) -> None:
    """There is nothing to record first: it has gone to the API."""
    ran = cli(*command)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("honeytrace: there is no store at ")
    assert ran.err.endswith(
        f": HH_API_KEY is set, so sessions go to {api.url}, where `honeytrace show ID` finds them\n"
    )


def test_values_nested_beyond_measure(cli: Cli, tmp_path: Path) -> None:
    """What a JSON library cannot write back is said, not a traceback."""
    deep = b"[" * 400 + b"]" * 400
    records = [record(name)._replace(inputs=b'{"deep":' + deep + b"}") for name in ("s", "t")]
    path = str(stored(tmp_path / "s.db", *records))
    for full in ([], ["--full"]):
        ran = cli("show", "s", "--store", path, *full)
        assert (ran.status, ran.err) == (0, "")
        assert "nested too deeply" in ran.out
    ran = cli("show", "s", "--store", path, "--json")
    assert ran.status == 1
    assert "honeytrace export" in ran.err
    exported = cli("export", "--store", path).out
    (tmp_path / "in.jsonl").write_text(exported)
    ran = cli("import", "in.jsonl", "--store", "copy.db")
    assert (ran.status, ran.err.count("\n")) == (1, 3)


def test_large_trees_and_values_are_shown_in_part(cli: Cli, tmp_path: Path) -> None:
    """Unless all is asked for; what is left out is counted."""
    calls = [record(f"c{n:03}", parent_id="r", root_id="r") for n in range(300)]
    long = "word " * 20_000
    path = stored(tmp_path / "s.db", record("r", inputs={"text": long}), *calls)
    short = cli("show", "r", "--store", str(path)).out
    assert "… 101 more calls (--full shows them)" in short
    assert "more characters (--full shows them)" in short
    assert len(short) < 40_000
    whole = cli("show", "r", "--store", str(path), "--full").out
    assert long.strip() in whole
    assert whole.count("└─ answer") + whole.count("├─ answer") == 300


def test_a_deep_tree_stays_readable(cli: Cli, tmp_path: Path) -> None:
    """Indentation stops growing, and nothing recurses."""
    chain = [record(f"d{n:04}", parent_id=f"d{n - 1:04}", root_id="d0000") for n in range(1, 1500)]
    path = stored(tmp_path / "s.db", record("d0000"), *chain)
    ran = cli("show", "d0000", "--store", str(path), "--full")
    assert ran.status == 0
    assert "(level 1499)" in ran.out
    assert max(map(len, ran.out.splitlines())) < 200
    (shown,) = cli("show", "d0000", "--store", str(path), "--json").documents
    assert len(shown["descendants"]) == 1499


def test_conversations_and_documents_look_like_it(cli: Cli, tmp_path: Path) -> None:
    """A message has its role above it, a document its title and score."""
    messages = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]
    documents = [{"title": "Bees", "text": "Bees see ultraviolet." * 3, "score": 0.5}]
    session = record("s", inputs={"messages": messages}, outputs={"documents": documents})
    out = cli("show", "s", "--store", str(stored(tmp_path / "s.db", session))).out
    assert "  messages\n    user\n      Why?\n    assistant\n      Because.\n" in out
    assert "    1. Bees  0.5\n       Bees see" in out


def test_stats_are_per_name(cli: Cli, store: str) -> None:
    """Calls, errors, percentiles and the slowest, as a table and as JSON."""
    ran = cli("stats", "--store", store)
    head, ask, retrieve = (" ".join(line.split()) for line in ran.out.splitlines())
    assert head == "name calls errors p50 p95 p99 max slowest"
    assert ask == f"ask 2 0 1.5 ms 3.5 ms 3.5 ms 3.5 ms {OTHER[:18]}"
    assert retrieve.startswith("retrieve 1 1 ")
    first, _ = cli("stats", "--store", store, "--json").documents
    durations = {"p50": 1.5, "p95": 3.5, "p99": 3.5, "max": 3.5}
    counts = {"session_name": "ask", "calls": 2, "errors": 0, "slowest_id": OTHER}
    assert first == counts | durations


def test_stats_say_when_they_are_of_a_part(cli: Cli, store: str) -> None:
    """The number that was looked at stands below the table."""
    ran = cli("stats", "--newest", "2", "--store", store)
    assert "of the newest 2 sessions" in ran.err


def test_stats_are_grouped_by_any_field(cli: Cli, tmp_path: Path) -> None:
    """A column, a key inside a mapping, and the model; sessions without it are one group."""
    usage = {"model": "m-1", "usage": {"prompt_tokens": 10, "completion_tokens": 5}}
    records = [
        record("a", user_properties={"team": "red"}, metadata=usage),
        record("b", user_properties={"team": "red"}, error="ValueError: no"),
        record("c"),
    ]
    path = str(stored(tmp_path / "s.db", *records))

    def figures(field: str) -> dict[str, tuple[int, int]]:
        found = cli("stats", "--group-by", field, "--json", "--store", path).documents
        return {each["group"]: (each["calls"], each["errors"]) for each in found}

    assert figures("user_properties.team") == {"red": (2, 1), "": (1, 0)}
    assert figures("status") == {"ok": (2, 0), "error": (1, 1)}
    assert figures("model") == {"m-1": (1, 0), "": (2, 1)}
    ran = cli("stats", "--group-by", "model", "--store", path)
    assert ran.out.split()[:4] == ["model", "calls", "errors", "p50"]
    assert "(none)" in ran.out


@pytest.mark.parametrize("field", ["nope", "status,name", ""])
def test_stats_by_no_field_is_misuse(cli: Cli, store: str, field: str) -> None:
    """An unknown field, two, or none."""
    assert cli("stats", "--group-by", field, "--store", store).status == 2


def test_diff_shows_what_changed(cli: Cli, store: str) -> None:
    """Values with the path to them, calls that are gone, and both durations."""
    ran = cli("diff", "--store", store)
    assert ran.status == 0
    assert "0 same, 1 changed, 0 added, 1 removed" in ran.out
    assert "~ ask                1.5 ms → 3.5 ms\n" in ran.out
    assert "    inputs.question  why? → how?\n" in ran.out
    assert "- └─ retrieve" in ran.out


def test_diff_begins_where_long_values_differ(cli: Cli, tmp_path: Path) -> None:
    """A change at the end of a long text is seen without scrolling."""
    texts = ["same " * 400 + word for word in ("before", "after")]
    records = [record(f"s{n}", outputs={"result": text}) for n, text in enumerate(texts)]
    out = cli("diff", "s0", "s1", "--store", str(stored(tmp_path / "s.db", *records))).out
    assert "      - …" + texts[0][-30:] + "\n" in out
    assert "      + …" + texts[1][-29:] + "\n" in out


def test_diff_hides_what_stayed_the_same(cli: Cli, tmp_path: Path) -> None:
    """Only what leads to a change is shown, unless all is asked for."""
    records = []
    for run, answer in (("a", 1), ("b", 2)):
        records.append(record(run))
        for name in ("one", "two", "three"):
            result = {"result": answer if name == "two" else 0}
            child = record(f"{run}-{name}", session_name=name, outputs=result)
            records.append(child._replace(parent_id=run, root_id=run))
    path = str(stored(tmp_path / "s.db", *records))
    out = cli("diff", "a", "b", "--store", path).out
    assert "two" in out
    assert "three" not in out
    assert "three" in cli("diff", "a", "b", "--store", path, "--full").out
    (found,) = cli("diff", "a", "b", "--store", path, "--json").documents
    assert found["counts"] == {"same": 3, "changed": 1, "added": 0, "removed": 0}


def test_tail_follows_until_it_is_interrupted(store: str) -> None:
    """The newest first of all, then each as it arrives; Ctrl-C ends it without a word."""
    command = [*COMMAND, "tail", "-n", "1", "--json", "--store", store]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert OTHER.encode() in process.stdout.readline()
        writer = SQLiteStore(store)
        nested = record("nested", parent_id="fresh", root_id="fresh")
        writer.insert([nested, record("fresh", start_time=START - 5)])
        writer.close()
        assert b'"session_id":"fresh"' in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == b""


def test_tail_tells_of_starts_and_ends(store: str, tmp_path: Path) -> None:
    """A run of another process is shown when it starts, and again when it has ended."""
    program = (
        "import sys, honeytrace\nwith honeytrace.session('slow-run'):\n    sys.stdin.readline()\n"
    )
    environment = {**os.environ, "HONEYTRACE_STORE": store, "HONEYTRACE_JOURNAL": str(tmp_path)}
    command = [*COMMAND, "tail", "-n", "0"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process,
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, env=environment
        ) as running,
    ):
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert "slow-run" in line
        assert "(running)" in line
        running.communicate(b"\n")
        ended = process.stdout.readline().decode()
        assert "slow-run" in ended
        assert "✓" in ended
        process.terminate()


def test_tail_may_be_there_first(tmp_path: Path) -> None:
    """It waits for the program that will record."""
    path = tmp_path / "later" / "sessions.db"
    command = [*COMMAND, "tail", "--json", "--store", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().decode().strip() == f"waiting for sessions in {path}"
        stored(path, record("first"))
        assert b'"session_id":"first"' in process.stdout.readline()
        process.terminate()


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def spoilt(path: Path) -> None:
    path.write_bytes(b"no store" * 1_000)


def turned_into_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("way", [emptied, spoilt, turned_into_a_directory])
def test_tail_survives_a_store_that_cannot_be_read(
    store: str, tmp_path: Path, way: Callable[[Path], None]
) -> None:
    """It reports the store in one line, and follows the next store of that name."""
    path = Path(store)
    with subprocess.Popen(
        [*COMMAND, "tail", "-n", "1", "--json", "--store", store],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert OTHER.encode() in process.stdout.readline()
        way(path)
        assert b"cannot be used" in process.stderr.readline()
        for name in tmp_path.glob("sessions.db*"):
            (name.rmdir if name.is_dir() else name.unlink)()
        stored(tmp_path / "new" / "sessions.db", record("first"), record("second"))
        os.replace(tmp_path / "new" / "sessions.db", path)
        assert b'"session_id":"first"' in process.stdout.readline()
        assert b'"session_id":"second"' in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_tail_follows_the_store_that_replaces_another(store: str, tmp_path: Path) -> None:
    """The sessions of the new store are shown, however many it has, and none twice."""
    copy = [record(OTHER), *(record(f"new-{n}", start_time=START + n) for n in range(5))]
    with subprocess.Popen(
        [*COMMAND, "tail", "-n", "1", "--json", "--store", store], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert OTHER.encode() in process.stdout.readline()
        stored(tmp_path / "new" / "sessions.db", *copy)
        os.replace(tmp_path / "new" / "sessions.db", store)
        for n in range(5):
            assert f'"session_id":"new-{n}"'.encode() in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b""


def runs(tmp_path: Path) -> str:
    """A store with three runs, the second with a call inside."""
    return str(
        stored(
            tmp_path / "s.db",
            record("one", session_name="ask", start_time=1e12, metrics={"score": 0.5}),
            record("two", session_name="index", start_time=1e12 + 1, duration=90.0),
            record("two-inside", parent_id="two", root_id="two", start_time=1e12 + 2),
            record("three", session_name="ask", start_time=1e12 + 3),
        )
    )


def test_chosen_fields_are_printed_in_their_order(cli: Cli, tmp_path: Path) -> None:
    """`--fields` prints these fields alone, keys inside objects too, as text or JSON."""
    store = ("--store", runs(tmp_path))
    assert cli("list", "--fields", "name,metrics.score", *store).out.splitlines() == [
        "ask\t",
        "index\t",
        "ask\t0.5",
    ]
    found = cli("list", "--fields", "id,metrics.score", "--json", *store).documents
    assert found[-1] == {"session_id": "one", "metrics.score": 0.5}
    wrong = cli("list", "--fields", "colour", *store)
    assert wrong.status == 2
    assert "session_name" in wrong.err


@pytest.mark.parametrize(("by", "first"), [("duration", "two"), ("started", "three")])
def test_lists_are_sorted(cli: Cli, tmp_path: Path, by: str, first: str) -> None:
    """`--sort` puts the largest or newest first."""
    found = cli("list", "--sort", by, "--json", "--store", runs(tmp_path)).documents
    assert found[0]["session_id"] == first


def test_a_beginning_that_one_run_and_its_calls_share_means_the_run(
    cli: Cli, tmp_path: Path
) -> None:
    """The calls of a run begin in the same millisecond, so their ids begin alike."""
    found = cli("show", "tw", "--json", "--store", runs(tmp_path)).documents
    assert found[0]["session_id"] == "two"
    assert "begins several ids" in cli("show", "t", "--store", runs(tmp_path / "other")).err


def test_diff_compares_runs_of_one_name(cli: Cli, tmp_path: Path) -> None:
    """Without names, the last run is compared with the one of its name before it."""
    (found,) = cli("diff", "--json", "--store", runs(tmp_path)).documents
    top = found["sessions"][0]
    assert (top["before"]["session_id"], top["after"]["session_id"]) == ("one", "three")
    alone = cli("diff", "--store", str(stored(tmp_path / "alone.db", record("only"))))
    assert (alone.status, "no earlier run" in alone.err) == (1, True)


def test_short_names_are_of_the_last_list(cli: Cli, tmp_path: Path) -> None:
    """`#2` is the second session of the last list; without a list there is none."""
    path = runs(tmp_path)
    assert cli("show", "#2", "--store", path).status == 1
    remember(["three", "two"])
    assert cli("show", "#2", "--json", "--store", path).documents[0]["session_id"] == "two"
    assert "no #3" in cli("show", "#3", "--store", path).err
