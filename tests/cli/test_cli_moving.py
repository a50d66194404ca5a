"""`export`, `import` and `push`: nothing is lost, and nothing arrives twice."""

from __future__ import annotations

import csv
import gzip
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_running import Api, Cli, ids, piped, record, stored
from pyarrow import parquet

from honeytrace._record.record import Record
from honeytrace.cli import _deliver, _push
from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore

RECORDS = [
    record("plain"),
    record("failed", error="ValueError: no", metrics={"score": 0.5}, session_name="naïve\n名"),
    record("child", parent_id="plain", root_id="plain")._replace(event_type="tool"),
    record("event", status="cancelled")._replace(session_id="plain", end_time=None, duration=None),
]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(stored(tmp_path / "sessions.db", *RECORDS))


def contents(path: str | Path) -> set[Record]:
    store = SQLiteStore(path, readonly=True)
    try:
        return set(store.list(Query(limit=100)))
    finally:
        store.close()


def test_an_export_is_imported_as_it_was(cli: Cli, store: str) -> None:
    """Every field of every session, through JSON Lines on a file; importing twice adds nothing."""
    assert cli("export", "--store", store, "-o", "all.jsonl").err == (
        "4 sessions written to all.jsonl\n"
    )
    for _ in range(2):
        ran = cli("import", "all.jsonl", "--store", "copy.db")
        assert (ran.status, ran.err) == (0, "4 sessions imported\n")
    assert contents("copy.db") == contents(store)


def test_an_export_goes_through_a_pipe(store: str) -> None:
    """From standard output into standard input."""
    lines = piped("export", "--store", store)
    assert (lines.returncode, lines.stderr) == (0, b"")
    ran = piped("import", "-", "--store", "copy.db", input=lines.stdout)
    assert ran.returncode == 0
    assert contents("copy.db") == contents(store)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="there is no /dev/fd")
def test_a_gzipped_export_is_imported_from_a_file_and_a_pipe(cli: Cli, store: str) -> None:
    """The ending .gz compresses, and an import knows gzip by its first bytes."""
    cli("export", "--store", store, "-o", "all.jsonl.gz")
    packed = Path("all.jsonl.gz").read_bytes()
    assert gzip.decompress(packed) == piped("export", "--store", store).stdout
    assert cli("import", "all.jsonl.gz", "--store", "copy.db").status == 0
    assert piped("import", "-", "--store", "piped.db", input=packed).returncode == 0
    assert contents("copy.db") == contents("piped.db") == contents(store)


def test_a_damaged_gzip_file_is_told(cli: Cli, store: str) -> None:
    """The sessions before the damage are imported; the command says so and fails."""
    cli("export", "--store", store, "-o", "all.jsonl.gz")
    Path("half.gz").write_bytes(Path("all.jsonl.gz").read_bytes()[:-20])
    ran = cli("import", "half.gz", "--store", "copy.db")
    assert ran.status == 1
    assert "the gzip data are damaged" in ran.err


@pytest.mark.parametrize("name", ["all.xlsx", "all.xlsx.gz", "all.parquet.gz"])
def test_an_ending_of_no_format_is_refused(cli: Cli, store: str, name: str) -> None:
    """A table program's ending does not silently become JSON Lines; --format says it is meant."""
    ran = cli("export", "--store", store, "-o", name)
    assert ran.status == 2
    assert not Path(name).exists()
    assert cli("export", "--store", store, "-o", "any.xlsx", "--format", "jsonl").status == 0


def test_an_import_reads_what_is_no_file(store: str) -> None:
    """As `<(…)` of a shell, which is a pipe with a name."""
    lines = piped("export", "--store", store)
    ran = piped("import", "/dev/fd/0", "--store", "copy.db", input=lines.stdout)
    assert (ran.returncode, ran.stderr) == (0, b"4 sessions imported\n")


def test_conditions_narrow_an_export(cli: Cli, store: str) -> None:
    """The options of list hold here, too."""
    (line,) = cli("export", "--store", store, "--metric", "score=0.5").documents
    assert line["session_id"] == "failed"


def test_csv_has_a_column_for_each_field(cli: Cli, store: str) -> None:
    """Objects are JSON text, what is absent is empty, and line breaks are kept."""
    ran = cli("export", "--store", store, "-o", "all.csv", "--json")
    assert ran.documents == [{"sessions": 4, "output": "all.csv", "format": "csv"}]
    with open("all.csv", newline="", encoding="utf-8") as file:
        rows = {row["session_id"]: row for row in csv.DictReader(file)}
    assert json.loads(rows["plain"]["inputs"]) == {"question": "why?"}
    assert rows["failed"]["session_name"] == "naïve\n名"
    assert rows["event"]["end_time"] == rows["event"]["error"] == ""


def test_csv_holds_no_formula(cli: Cli, tmp_path: Path) -> None:
    """Text that a spreadsheet would run begins with a quote; numbers, and other text, stay."""
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
    records = [
        record(f"s{n}", session_name=text, start_time=-5.5, duration=-2.0)
        for n, text in enumerate([*formulas, "a=1", "'=1"])
    ]
    path = stored(tmp_path / "s.db", *records)
    cli("export", "--store", str(path), "-o", "all.csv")
    with open("all.csv", newline="", encoding="utf-8") as file:
        rows = {row["session_id"]: row for row in csv.DictReader(file)}
    names = [rows[f"s{n}"]["session_name"] for n in range(8)]
    assert names == [*(f"'{text}" for text in formulas), "a=1", "'=1"]
    assert (rows["s0"]["start_time"], rows["s0"]["duration"]) == ("-5.5", "-2.0")


def test_parquet_has_types(cli: Cli, store: str) -> None:
    """Times are timestamps to the microsecond, durations milliseconds, objects JSON text."""
    assert cli("export", "--store", store, "-o", "all.parquet").status == 0
    rows = {row["session_id"]: row for row in parquet.read_table("all.parquet").to_pylist()}
    assert rows["plain"]["start_time"].isoformat() == "2023-11-14T22:13:20.000500+00:00"
    assert rows["plain"]["duration"] == 1.5
    assert rows["event"]["end_time"] is None
    assert json.loads(rows["plain"]["outputs"]) == {"result": "because"}


def test_parquet_without_its_extra_says_how_to_install_it(store: str, tmp_path: Path) -> None:
    """One line, and no file is left behind."""
    (tmp_path / "pyarrow.py").write_text("raise ImportError(name='pyarrow')")
    before = set(tmp_path.iterdir())
    ran = piped("export", "--store", store, "-o", "all.parquet", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr == (b'honeytrace: Parquet needs pyarrow: pip install "honeytrace[parquet]"\n')
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "__pycache__"}


def test_a_file_that_was_there_survives_a_failure(cli: Cli, tmp_path: Path) -> None:
    """The export takes its name only once it is whole."""
    (tmp_path / "broken.db").write_text("this is no store")
    (tmp_path / "all.jsonl").write_text("precious")
    assert cli("export", "--store", "broken.db", "-o", "all.jsonl").status == 1
    assert (tmp_path / "all.jsonl").read_text() == "precious"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["all.jsonl", "broken.db"]


def test_an_export_to_nowhere_is_told(cli: Cli, store: str) -> None:
    """A missing directory, and --json without a file to tell about."""
    assert "there is no directory gone" in cli("export", "--store", store, "-o", "gone/x").err
    assert cli("export", "--store", store, "--json").status == 2


def test_start_session_payloads_are_imported(cli: Cli, tmp_path: Path) -> None:
    """Wrapped as they are sent or bare; one without an id gets the same one each time."""
    lines = [
        {"session": {"session_id": "wrapped", "session_name": "a", "start_time": 1.5}},
        {"session_id": "bare", "start_time": 7.5, "inputs": {"q": 1}},
        {"session_name": "nameless", "start_time": 12},
    ]
    (tmp_path / "in.jsonl").write_text("\n\n".join(map(json.dumps, lines)))
    for _ in range(2):
        assert cli("import", "in.jsonl", "--store", "s.db", "--json").documents == [
            {"sessions": 3, "refused": 0}
        ]
    assert len(ids(tmp_path / "s.db")) == 3
    assert {"wrapped", "bare"} < ids(tmp_path / "s.db")


def test_a_session_without_start_time_started_its_duration_before_its_end(
    cli: Cli, tmp_path: Path
) -> None:
    """Where nothing tells when it was, it is refused with the cure: nothing becomes of 1970."""
    lines = [
        {"session_id": "ended", "end_time": 1_748_779_200_000, "duration": 500.5},
        {"session_id": "at-once", "end_time": 1_748_779_200_000},
        {"session_id": "null", "start_time": None, "duration": 5},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    ran = cli("import", "in.jsonl", "--store", "s.db")
    assert ran.status == 1
    assert ran.err.splitlines() == [
        "in.jsonl:3: it has no start_time: add one, in milliseconds since 1970",
        "2 sessions imported",
    ]
    found = {each.event_id: each.start_time for each in contents("s.db")}
    assert found == {"ended": 1_748_779_199_499.5, "at-once": 1_748_779_200_000}


def test_events_of_the_api_are_imported(cli: Cli, tmp_path: Path) -> None:
    """As `/events/export` tells them: each is a session of its own, in its place in the tree."""
    run = {"session_id": "run", "start_time": 5, "duration": 1.5, "project_id": "p"}
    own = {"honeytrace": {"parent_id": "e2", "root_id": "run"}}
    events = [
        {**run, "event_id": "run", "event_name": "ask", "event_type": "session", "error": None},
        {**run, "event_id": "e1", "event_name": "find", "event_type": "tool", "parent_id": "run"},
        {**run, "event_id": "e2", "event_name": "rank", "event_type": "model", "parent_id": "e1"},
        # of `layout="sessions"`: a session there, and a part of the run all the same
        {**run, "event_id": "s", "session_id": "s", "event_name": "sort", "metadata": own},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, events)))
    assert cli("import", "in.jsonl", "--store", "s.db").err == "4 sessions imported\n"
    (shown,) = cli("show", "run", "--store", "s.db", "--json").documents
    assert (shown["session_name"], shown["project"]) == ("ask", "p")
    below = [(e["session_name"], e["parent_id"], e["event_type"]) for e in shown["descendants"]]
    assert below == [
        ("find", "run", "tool"),
        ("rank", "e1", "model"),
        ("sort", "e2", "chain"),
    ]


def test_what_windows_writes_is_imported(cli: Cli, tmp_path: Path) -> None:
    """UTF-8 with its mark, and CR LF; the error about UTF-16, as of PowerShell, names the cure."""
    text = '{"session_id": "ä", "start_time": 1}\n{"session_id": "ö", "start_time": 1}\n'
    (tmp_path / "in.jsonl").write_text(text, encoding="utf-8-sig", newline="\r\n")
    assert cli("import", "in.jsonl", "--store", "s.db").err == "2 sessions imported\n"
    assert ids(tmp_path / "s.db") == {"ä", "ö"}
    (tmp_path / "wide.jsonl").write_text(text, encoding="utf-16")
    ran = cli("import", "wide.jsonl", "--store", "s.db")
    assert (ran.status, ran.err) == (1, "honeytrace: wide.jsonl is UTF-16: write it in UTF-8\n")


def test_lines_that_are_no_sessions_are_told_and_left_out(cli: Cli, tmp_path: Path) -> None:
    """Each with its place; the others are imported, and the exit status is 1."""
    wrong = [
        "nonsense",
        "[1]",
        "{}",
        '{"session_id": 7, "start_time": 1}',
        '{"session_id": "x", "inputs": [1]}',
        '{"session_id": "x", "children_ids": [1]}',
        '{"session_id": "x", "end_time": 1e400}',
        '{"session_id": "x", "end_time": 1e300}',
        '{"session_id": "x", "metadata": {"honeytrace": {"parent_id": 3}}}',
    ]
    first, last = (json.dumps({"session_id": name, "end_time": 1}) for name in ("first", "last"))
    lines = [first, *(each.replace('"x",', '"x", "start_time": 1,') for each in wrong), last]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    ran = cli("import", "in.jsonl", "--store", "s.db")
    assert ran.status == 1
    *told, summary = ran.err.splitlines()
    places = [int(line.split(":")[1]) for line in told]
    assert sorted(places) == list(range(2, 11))
    assert summary == "2 sessions imported"
    assert ids(tmp_path / "s.db") == {"first", "last"}


def test_many_wrong_lines_are_told_of_in_short(cli: Cli, tmp_path: Path) -> None:
    """Ten of them, and the number of the rest."""
    (tmp_path / "in.jsonl").write_text("nonsense\n" * 50)
    ran = cli("import", "in.jsonl", "--store", "s.db", "--json")
    assert ran.documents == [{"sessions": 0, "refused": 50}]
    assert len(ran.err.splitlines()) == 11
    assert "… and 40 more lines like these" in ran.err


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_dash_is_standard_output(store: str, tmp_path: Path, form: str) -> None:
    """As for `import`, where it is standard input; no file of that name is made."""
    ran = piped("export", "--store", store, "-f", form, "-o", "-")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout == piped("export", "--store", store, "-f", form).stdout != b""
    assert not (tmp_path / "-").exists()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout")
def test_an_export_goes_to_what_is_no_file(store: str) -> None:
    """It is written to, not replaced."""
    ran = piped("export", "--store", store, "-o", "/dev/stdout")
    assert len(ran.stdout.splitlines()) == 4


def test_a_missing_file_is_told_before_anything_is_done(cli: Cli, tmp_path: Path) -> None:
    """Of several files none is imported then."""
    (tmp_path / "in.jsonl").write_text('{"session_id": "s", "start_time": 1}')
    assert cli("import", ".", "--store", "s.db").err == "honeytrace: there is no file .\n"
    ran = cli("import", "in.jsonl", "gone.jsonl", "--store", "s.db")
    assert (ran.status, ran.err) == (1, "honeytrace: there is no file gone.jsonl\n")
    assert not (tmp_path / "s.db").exists()


def test_push_sends_everything_once(cli: Cli, store: str, api: Api) -> None:
    """A second push has nothing to send; what arrives later is sent then."""
    ran = cli("push", "--store", store)
    assert (ran.status, ran.err) == (0, f"4 sessions sent to {api.url}\n")
    assert sorted(api.taken) == ["child", "event", "failed", "plain"]
    assert api.keys == {"Bearer hh_0123456789abcdef"}
    assert cli("push", "--store", store, "--json").documents == [
        {"pushed": 0, "refused": 0, "server_url": api.url}
    ]
    stored(Path(store), record("later"))
    cli("push", "--store", store)
    assert api.taken[4:] == ["later"]


def test_push_again_begins_from_the_first(cli: Cli, store: str, api: Api) -> None:
    """As when the server has lost what it had."""
    cli("push", "--store", store)
    cli("push", "--store", store, "--again")
    assert len(api.taken) == 8


def test_push_of_one_run_sends_its_tree(cli: Cli, store: str, api: Api) -> None:
    """Named by any session in it; what was noted of other pushes stays as it is."""
    assert cli("push", "child", "--store", store).status == 0
    assert sorted(api.taken) == ["child", "plain"]
    assert not Path(f"{store}.pushed.json").exists()


def test_an_interrupted_push_goes_on(
    cli: Cli, tmp_path: Path, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches that arrived are not sent again; when the server answers again, the rest is."""
    monkeypatch.setattr(_push, "_BATCH", 10)
    monkeypatch.setattr(_deliver, "_FIRST_WAIT", 0.0)
    path = stored(tmp_path / "s.db", *(record(f"s{n:02}") for n in range(40)))
    api.answer = lambda session_id: 200 if session_id < "s25" else 503
    ran = cli("push", "--store", str(path))
    assert ran.status == 1
    assert "run it again later, it goes on from here" in ran.err
    assert ran.err.count("\n") == 1
    before = len(api.taken)
    api.answer = lambda session_id: 200
    assert cli("push", "--store", str(path)).status == 0
    assert set(api.taken) == {f"s{n:02}" for n in range(40)}
    assert set(api.taken[before:]) == {f"s{n:02}" for n in range(20, 40)}


def test_a_new_store_of_the_same_name_is_pushed_whole(cli: Cli, tmp_path: Path, api: Api) -> None:
    """What was noted of the old one is not taken for it."""
    path = stored(tmp_path / "s.db", record("old-1"), record("old-2"))
    cli("push", "--store", str(path))
    path.unlink()
    stored(path, *(record(f"new-{n}") for n in range(3)))
    cli("push", "--store", str(path))
    assert sorted(api.taken) == ["new-0", "new-1", "new-2", "old-1", "old-2"]


def test_what_the_api_refuses_is_told_and_passed_over(cli: Cli, store: str, api: Api) -> None:
    """With the exit status 1; the rest arrives, and the next push does not try it again."""
    api.answer = lambda session_id: 422 if session_id == "child" else 200
    ran = cli("push", "--store", store)
    assert ran.status == 1
    assert "3 sessions sent" in ran.err
    assert "refused: child: 422" in ran.err
    assert cli("push", "--store", store).status == 0


def test_a_wrong_key_ends_it_at_once(cli: Cli, store: str, api: Api) -> None:
    """One line that names the cure, not one for each session; logging is left as it was."""
    handlers = list(logging.getLogger("honeytrace").handlers)
    api.answer = lambda session_id: 401
    ran = cli("push", "--store", store)
    assert ran.status == 1
    assert "401 Unauthorized: check the API key (HH_API_KEY" in ran.err
    assert ran.err.count("\n") == 1
    assert logging.getLogger("honeytrace").handlers == handlers


def test_push_without_a_key_says_which_to_set(cli: Cli, store: str) -> None:
    """Before anything is asked of the network."""
    ran = cli("push", "--store", store)
    assert (ran.status, ran.out) == (1, "")
    assert "set HH_API_KEY" in ran.err


@pytest.mark.parametrize("damage", [lambda: "[]", lambda: "{", lambda: '{"x": {}}'])
def test_a_damaged_note_means_from_the_beginning(
    damage: Callable[[], str], cli: Cli, store: str, api: Api
) -> None:
    """Since sending twice does no harm."""
    Path(f"{store}.pushed.json").write_text(damage())
    assert cli("push", "--store", store).status == 0
    assert len(api.taken) == 4


def test_half_a_surrogate_pair_is_imported(cli: Cli, tmp_path: Path) -> None:
    """As U+FFFD: any JavaScript client writes one when it cuts a text inside an emoji."""
    line = '{"session_id": "x", "start_time": 1, "inputs": {"a": "\\ud83d"}}'
    (tmp_path / "in.jsonl").write_text(line)
    assert cli("import", "in.jsonl", "--store", "s.db").status == 0
    reader = SQLiteStore(tmp_path / "s.db", readonly=True)
    found = reader.get("x")
    reader.close()
    assert found is not None
    assert json.loads(found.inputs or b"") == {"a": "\ufffd"}
