"""Users and metrics are found whatever happened to them since, and whoever asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from store_records import START, record

from honeytrace._record.record import Record, Update
from honeytrace.errors import ConfigurationError
from honeytrace.store import Metric, Query, _fulltext, _json_index, _plan
from honeytrace.store.sqlite import SQLiteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "x.db")
    yield store
    store.close()


def by(event_id: str, user: str, **metrics: object) -> Record:
    return record(
        event_id,
        start_time=START + ord(event_id),
        user_properties=orjson.dumps({"id": user, "plan": "free"}),
        metrics=orjson.dumps(metrics),
    )


def found(store: SQLiteStore, user: str | None = None, metric: str | None = None) -> str:
    query = Query(user=user, metric=None if metric is None else Metric.parse(metric))
    return "".join(record.event_id for record in store.list(query))


def test_a_user_is_any_value_of_the_user_properties(store: SQLiteStore) -> None:
    """Whatever the key, as a whole, and a number as the text it is."""
    properties = [{"id": 7}, {"email": "7@x.org", "id": "8"}, {"name": "é"}, {"tags": ["7"]}, None]
    store.insert(
        [
            record(name, user_properties=None if each is None else orjson.dumps(each))
            for name, each in zip("abcde", properties, strict=True)
        ]
    )
    assert [found(store, user) for user in ("7", "8", "7@x.org", "é", "x")] == [
        "a",
        "b",
        "b",
        "c",
        "",
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("score>0.5", "c"),
        ("score >= 0.5", "cb"),
        ("score<.5", "a"),
        ("score<=5e-1", "ba"),
        ("score=1", "c"),
        ("score == 1.0", "c"),
        ("passed=1", "c"),
        ("passed=0", "b"),
        ("other>0", ""),
        ("a metric>-1", "d"),
    ],
)
def test_metrics_compare_as_numbers(store: SQLiteStore, condition: str, expected: str) -> None:
    """Integers, floats, and booleans as 0 and 1; text is no number, and what is absent no match."""
    metrics = [
        {"score": 0.25},
        {"score": 0.5, "passed": False},
        {"score": 1, "passed": True},
        {"score": "1", "a metric": 0},
    ]
    store.insert([by(name, "u", **each) for name, each in zip("abcd", metrics, strict=True)])
    assert found(store, metric=condition) == expected


@pytest.mark.parametrize("text", ["", "score", "score<", "<1", "score<high", "a<b<1", "score!1"])
def test_a_condition_that_is_none_says_how_one_reads(text: str) -> None:
    """The message shows one."""
    with pytest.raises(ConfigurationError, match=r"reads like score<0\.5"):
        Metric.parse(text)
    with pytest.raises(ConfigurationError, match="compared by > >= < <= ="):
        Query(metric=Metric("score", "!=", 1.0))


def test_facets_follow_changes(store: SQLiteStore) -> None:
    """Updates, merges, deletes and later inserts show in the next query."""
    store.insert([by("a", "u", n=1), by("b", "u", n=1)])
    assert found(store, "u", "n=1") == "ba"
    store.update([Update("a", {"metrics": b'{"n":2}', "user_properties": b'{"id":"v"}'})])
    store.insert([by("c", "v", n=2), by("b", "u", n=1)])
    assert (found(store, "u"), found(store, "v")) == ("b", "ca")
    assert (found(store, "free"), found(store, metric="n>1")) == ("cba", "ca")
    store.delete(before=START + ord("b"))
    assert (found(store, "v"), found(store, metric="n>=1")) == ("c", "cb")


def test_numbers_of_deleted_rows_come_again(store: SQLiteStore) -> None:
    """A row that takes the place of a deleted one is found under its own user alone."""
    store.insert([by("a", "u"), by("b", "u")])
    assert found(store, "u") == "ba"
    store.delete(before=1e15)
    store.insert([by("c", "v")])
    assert (found(store, "u"), found(store, "v")) == ("", "c")
    held = store._reader.get().execute("SELECT count(*) FROM json_index").fetchone()
    assert held == (2,)  # the id and the plan of one


def test_rows_in_the_place_of_ones_it_knew(store: SQLiteStore) -> None:
    """Where the newest rows that are deleted were not known yet, those before them come again."""
    store.insert([by("a", "u")])
    assert found(store, "u") == "a"
    store.insert([by("b", "u")])
    store.delete(before=1e15)
    store.insert([by("c", "v")])
    assert found(store, "v") == "c"


def test_a_query_takes_the_indexes_as_they_are(store: SQLiteStore) -> None:
    """While another thread makes them: it waits for none, and finds what they do not hold yet."""
    store.insert([by("a", "u", n=1), by("b", "u", n=2)])
    assert found(store, "u", "n>1") == "b"
    store.insert([by("c", "u", n=3), by("d", "v", n=3)])
    with store._indexing:
        assert found(store, "u") == "cba"
        assert found(store, "u", "n>1") == "cb"
        assert found(store, metric="n>=3") == "dc"
        assert [each.event_id for each in store.list(Query(text="why", user="v"))] == ["d"]
        assert _json_index.is_behind(store._reader.get())


def test_a_long_property_is_found_too(store: SQLiteStore) -> None:
    """What is too long to be held is looked for in the rows."""
    store.insert([by("a", "u" * 5_000)])
    assert found(store, "u" * 5_000) == "a"
    assert found(store, "u" * 4_999) == ""


def test_without_its_table(store: SQLiteStore, tmp_path: Path) -> None:
    """A read-only store that was never asked before gives the same answers."""
    store.insert([by("a", "u", n=1), by("b", "v", n=2)])
    reader = SQLiteStore(tmp_path / "x.db", readonly=True)
    assert _json_index.is_behind(reader._reader.get())
    assert (found(reader, "u"), found(reader, metric="n>1")) == ("a", "b")
    reader.close()


@pytest.mark.parametrize("window", [2, 8, 100])
def test_a_user_who_is_everywhere(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    """Beyond `RARE` matches the answer is the same, whether the newest rows have it or not."""
    store.insert([by(name, "u" if name < "e" else "v", n=ord(name)) for name in "abcdefgh"])
    monkeypatch.setattr(_plan, "RARE", 1)
    monkeypatch.setattr(_plan, "WINDOW", window)
    assert (found(store, "u"), found(store, "v")) == ("dcba", "hgfe")
    assert found(store, metric=f"n<{ord('d')}") == "cba"
    newest = store.list(Query(user="free", limit=2))
    assert [record.event_id for record in newest] == ["h", "g"]
    assert store.count(Query(user="u", metric=Metric("n", ">", ord("a")))) == 3
    assert [each.calls for each in store.summary(Query(user="v"))] == [4]


def meeting(store: SQLiteStore, query: Query) -> str:
    """What is found, after a look at whether the facets alone were asked."""
    with closing(sqlite3.connect(store.path)) as conn:
        assert _plan.counting(conn, query).table == _json_index.TABLE
    found = "".join(each.event_id for each in store.list(query))
    assert store.count(query) == sum(each.calls for each in store.summary(query))
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(metric=Metric("n", ">", 0), roots_only=True), "g"),
        (Query(metric=Metric("n", ">", 0), session_name="judge"), "h"),
        (Query(metric=Metric("n", ">", 0), project="p", error=True, status="error"), "f"),
        (Query(metric=Metric("n", ">", 0), source="s", error=False, min_duration=9), "e"),
        (Query(metric=Metric("n", ">", 0), max_duration=1), ""),
        (Query(metric=Metric("n", ">", 0), since=START + ord("b"), until=START + ord("d")), "cb"),
        (Query(user="u", metric=Metric("n", ">", ord("c"))), "d"),
        (Query(user="u", metric=Metric("n", "=", ord("e"))), ""),
        (Query(user="v", text="why", roots_only=True), "g"),
        (Query(user="u", before=(START + ord("c"), "c")), "ba"),
        (Query(user="free", limit=2), "hg"),
    ],
)
def test_conditions_that_hardly_meet(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, query: Query, expected: str
) -> None:
    """Where many meet each of them, the facets alone tell who meets them all."""
    monkeypatch.setattr(_plan, "RARE", -1)
    monkeypatch.setattr(_plan, "WINDOW", 1)
    other: dict[str, dict[str, Any]] = {
        "e": {"source": "s", "duration": 9.0},
        "f": {"project": "p", "error": "E", "status": "error"},
        "g": {"parent_id": None},
        "h": {"event_name": "judge"},
    }
    for name in "abcdefgh":
        fields = {"parent_id": "x", "duration": 5.0, **other.get(name, {})}
        store.insert([by(name, "u" if name < "e" else "v", n=ord(name))._replace(**fields)])
    store.index()
    assert meeting(store, query) == expected


def test_more_of_one_moment_than_are_looked_for(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages are in order of id then, though the facets know none."""
    monkeypatch.setattr(_plan, "RARE", -1)
    monkeypatch.setattr(_plan, "TIES", 1)
    store.insert([by(name, "u")._replace(start_time=START) for name in "dbacfe"])
    assert [each.event_id for each in store.list(Query(user="u", limit=2))] == ["f", "e"]
    older = Query(user="u", limit=2, before=(START, "e"))
    assert [each.event_id for each in store.list(older)] == ["d", "c"]


@pytest.mark.parametrize(
    ("field", "value", "query"),
    [
        ("status", b'"cancelled"', {"status": "cancelled"}),
        ("source", b'"elsewhere"', {"source": "elsewhere"}),
        ("project", b'"other"', {"project": "other"}),
        ("session_name", b'"other"', {"session_name": "other"}),
        ("error", b'"E"', {"error": True}),
        ("duration", b"70000", {"min_duration": 60_000}),
        ("start_time", b"5", {"until": 6}),
        ("parent_id", b'"x"', {"parent_id": "x"}),
    ],
)
def test_columns_follow_changes(
    store: SQLiteStore, field: str, value: bytes, query: dict[str, Any]
) -> None:
    """What a facet knows of its row is what the row says now."""
    store.insert([by("a", "u"), by("b", "u")])
    asked = Query(user="u", **query)
    assert (found(store, "u"), store.list(asked)) == ("ba", [])
    store.update([Update("a", {field: value})])
    assert [each.event_id for each in store.list(asked)] == ["a"]


def test_a_common_word_of_a_few(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short texts of few rows are read, those of long ones looked up among all that hold it."""
    store.insert([by(name, "u" if name < "c" else "v") for name in "abcd"])
    store.insert([by("e", "u")._replace(inputs=b'{"text":"nothing"}', error="E")])
    for characters in (1_000_000, 0):
        monkeypatch.setattr(_fulltext, "_READ", characters)
        for text, expected in (("why", ["b", "a"]), ("noth", ["e"]), ("none", []), (" ", "eba")):
            query = Query(user="u", text=text)
            assert [each.event_id for each in store.list(query)] == list(expected)
