"""`stats` and `diff` on a real store."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_running import OTHER, Cli, record, runs, stored


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


def test_diff_compares_runs_of_one_name(cli: Cli, tmp_path: Path) -> None:
    """Without names, the last run is compared with the one of its name before it."""
    (found,) = cli("diff", "--json", "--store", runs(tmp_path)).documents
    top = found["sessions"][0]
    assert (top["before"]["session_id"], top["after"]["session_id"]) == ("one", "three")
    alone = cli("diff", "--store", str(stored(tmp_path / "alone.db", record("only"))))
    assert (alone.status, "no earlier run" in alone.err) == (1, True)
