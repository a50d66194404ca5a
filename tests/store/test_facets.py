"""Users and metrics are found whatever happened to them since, and whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from store_records import START, record

from honeytrace._record import Record, Update
from honeytrace.errors import ConfigurationError
from honeytrace.store import Metric, Query, _reading, facets
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
    held = store._reader.get().execute("SELECT count(*) FROM facets").fetchone()
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
        assert facets.is_behind(store._reader.get())


def test_a_long_property_is_found_too(store: SQLiteStore) -> None:
    """What is too long to be held is looked for in the rows."""
    store.insert([by("a", "u" * 5_000)])
    assert found(store, "u" * 5_000) == "a"
    assert found(store, "u" * 4_999) == ""


def test_without_its_table(store: SQLiteStore, tmp_path: Path) -> None:
    """A read-only store that was never asked before gives the same answers."""
    store.insert([by("a", "u", n=1), by("b", "v", n=2)])
    reader = SQLiteStore(tmp_path / "x.db", readonly=True)
    assert facets.is_behind(reader._reader.get())
    assert (found(reader, "u"), found(reader, metric="n>1")) == ("a", "b")
    reader.close()


@pytest.mark.parametrize("window", [2, 8, 100])
def test_a_user_who_is_everywhere(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    """Beyond `RARE` matches the answer is the same, whether the newest rows have it or not."""
    store.insert([by(name, "u" if name < "e" else "v", n=ord(name)) for name in "abcdefgh"])
    monkeypatch.setattr(facets, "RARE", 1)
    monkeypatch.setattr(_reading, "WINDOW", window)
    assert (found(store, "u"), found(store, "v")) == ("dcba", "hgfe")
    assert found(store, metric=f"n<{ord('d')}") == "cba"
    newest = store.list(Query(user="free", limit=2))
    assert [record.event_id for record in newest] == ["h", "g"]
    assert store.count(Query(user="u", metric=Metric("n", ">", ord("a")))) == 3
    assert [each.calls for each in store.summary(Query(user="v"))] == [4]
