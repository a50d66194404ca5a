"""`list` and `search` on a real store, and the names by which commands find a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_running import CHILD, OTHER, ROOT, Api, Cli, runs, stored

from honeytrace.cli._recent import remember


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


def test_short_names_are_of_the_last_list(cli: Cli, tmp_path: Path) -> None:
    """`#2` is the second session of the last list; without a list there is none."""
    path = runs(tmp_path)
    assert cli("show", "#2", "--store", path).status == 1
    remember(["three", "two"])
    assert cli("show", "#2", "--json", "--store", path).documents[0]["session_id"] == "two"
    assert "no #3" in cli("show", "#3", "--store", path).err
