"""What few or none meet is found, or not found, without looking everywhere; and always rightly."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from store_records import START, record

from honeytrace._record.record import Update
from honeytrace.store import Metric, Query, _zone_map
from honeytrace.store.sqlite import SQLiteStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLiteStore]:
    """Ten rows a second apart, in zones of two; but for the sixth they are alike."""
    for name, size in (("ZONE", 2), ("CATCH_UP", 2)):
        monkeypatch.setattr(_zone_map, name, size)
    store = SQLiteStore(tmp_path / "x.db")
    other: dict[str, Any] = {
        "event_name": "judge",
        "project": "p",
        "source": "s",
        "status": "error",
        "error": "E",
        "duration": 9.0,
        "parent_id": "x",
    }
    each = [record(f"r{n}", start_time=START + n, duration=2.0) for n in range(10)]
    store.insert([*each[:6], each[6]._replace(**other), *each[7:]])
    store.index()
    yield store
    store.close()


def ids(store: SQLiteStore, **query: Any) -> list[str]:
    return [each.event_id for each in store.list(Query(**query))]


def stretches(store: SQLiteStore, **query: Any) -> list[tuple[float, float]]:
    """Where is looked, in milliseconds from the start, both included."""
    with closing(sqlite3.connect(store.path)) as conn:
        return [
            (round(each.since - START, 1), round(each.until - START, 1))
            for each in _zone_map.narrowed(conn, Query(**query))
            if each.since is not None and each.until is not None
        ]


@pytest.mark.parametrize(
    "query",
    [
        {"session_name": "judge"},
        {"project": "p"},
        {"source": "s"},
        {"status": "error"},
        {"error": True},
        {"min_duration": 9.0},
        {"min_duration": 8.0, "roots_only": False, "until": START + 7},
    ],
)
def test_one_zone_is_looked_into(store: SQLiteStore, query: dict[str, Any]) -> None:
    """The one that holds the row; its two rows are all that is read."""
    assert stretches(store, **query) == [(6, 6)]
    assert ids(store, **query) == ["r6"]
    assert store.count(Query(**query)) == 1
    assert [each.calls for each in store.summary(Query(**query))] == [1]


@pytest.mark.parametrize(
    "query",
    [
        {"session_name": "nobody"},
        {"session_name": "judge", "project": "support"},
        {"status": "error", "error": False},
        {"session_name": "judge", "roots_only": True},
        {"max_duration": 1.0},
        {"session_name": "judge", "since": START + 7},
        {"session_name": "judge", "before": (START + 5, "z")},
        {"session_name": "nobody", "text": "why"},
        {"session_name": "nobody", "metric": Metric("score", ">", 1)},
    ],
)
def test_nothing_is_looked_into(store: SQLiteStore, query: dict[str, Any]) -> None:
    """Where no zone can hold a match, also where each condition alone is met."""
    assert stretches(store, **query) == []
    assert ids(store, **query) == []
    assert store.count(Query(**{**query, "before": None})) in (0, 1 if "before" in query else 0)


def test_stretches_that_overlap_are_one(store: SQLiteStore) -> None:
    """So that nothing is found twice, and the newest comes first, page after page."""
    store.insert([
        record("late", start_time=START + 9.5), record("later", start_time=START + 20),
        record("slow", start_time=START + 12), record("long", start_time=START + 6.5),
    ])  # fmt: skip
    store.index()
    found = ids(store, session_name="answer")
    assert " ".join(found) == "later slow late r9 r8 r7 long r5 r4 r3 r2 r1 r0"
    first = store.list(Query(session_name="answer", limit=4))
    place = (first[-1].start_time, first[-1].event_id)
    assert ids(store, session_name="answer", before=place) == found[4:]


def test_a_duration_between_those_of_its_zone(store: SQLiteStore) -> None:
    """The shortest and the longest of a zone may both be out of question."""
    took = {"a": 1.0, "b": 50.0}
    store.insert([record(name, start_time=START + 20, duration=ms) for name, ms in took.items()])
    store.index()
    assert ids(store, max_duration=1.5) == ["a"]
    assert ids(store, min_duration=40.0) == ["b"]
    assert ids(store, min_duration=10.0, max_duration=40.0) == []


@pytest.mark.parametrize("more", [{}, {"roots_only": True}, {"since": START + 5}, {"source": "s"}])
def test_the_longest_are_found_whatever_the_map_knows(
    store: SQLiteStore, more: dict[str, Any]
) -> None:
    """Those in zones and those that are not in one yet; after a change that the map has not
    forgotten; and all of them if there are few."""
    took = {"a": 3.0, "b": 50.0, "c": 4.0, "d": 20.0}
    store.insert([record(name, start_time=START + 20, duration=ms) for name, ms in took.items()])
    store.index()
    store.insert([record("new", start_time=START + 30, duration=30.0)])
    store.update([Update("b", {"duration": b"1"})])
    every = store.list(Query(limit=100, **more))
    exact = sorted((each.duration for each in every if each.duration), reverse=True)
    for limit in (1, 2, 4, 100):
        found = [each.duration for each in store.longest(Query(limit=limit, **more))]
        assert found == exact[:limit]


def test_rows_of_no_zone_yet_are_found(store: SQLiteStore) -> None:
    """As soon as they are there; and where they are many, it is looked everywhere."""
    store.insert([record("new", start_time=START - 5, event_name="new")])
    assert ids(store, session_name="new") == ["new"]
    assert stretches(store, session_name="new") == [(-5, -5)]


def test_too_many_rows_of_no_zone(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading them would cost more than is spared: it is looked everywhere."""
    monkeypatch.setattr(_zone_map, "BEHIND", 0)
    store.insert([record("new", event_name="new")])
    with closing(sqlite3.connect(store.path)) as conn:
        query = Query(session_name="new")
        assert list(_zone_map.narrowed(conn, query)) == [query]
    assert ids(store, session_name="new") == ["new"]


@pytest.mark.parametrize(
    ("field", "value", "query"),
    [
        ("status", b'"cancelled"', {"status": "cancelled"}),
        ("source", b'"elsewhere"', {"source": "elsewhere"}),
        ("error", b'"E"', {"error": True, "source": "test"}),
        ("duration", b"70", {"min_duration": 60.0}),
        ("duration", b"0.5", {"max_duration": 1.0}),
    ],
)
def test_what_is_changed_later_is_found(
    store: SQLiteStore, field: str, value: bytes, query: dict[str, Any]
) -> None:
    """A zone that did not hold the like before does so from then on."""
    assert ids(store, **query) == []
    with closing(SQLiteStore(store.path)) as other:
        other.update([Update("r2", {field: value})])
    assert ids(store, **query) == ["r2"]


def test_many_changes_do_not_pile_up(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what the rows can need the zones are made anew."""
    monkeypatch.setattr(_zone_map, "MOST", 3)
    for n in range(50):
        store.update([Update("r2", {"source": b'"s%d"' % n})])
    store.insert([record(f"n{n}", start_time=START + 100 + n) for n in range(2)])
    store.index()
    with closing(sqlite3.connect(store.path)) as conn:
        ((held,),) = conn.execute("SELECT count(*) FROM zones").fetchall()
    assert held < 10
    assert ids(store, source="s49") == ["r2"]


def test_many_names_in_a_zone(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zone of too many combinations is held as one of any name, and then as one of anything."""
    monkeypatch.setattr(_zone_map, "MOST", 1)
    store.insert([
        record("a", event_name="one", start_time=START + 20),
        record("b", event_name="two", start_time=START + 21),
        record("c", event_name="one", project="p", start_time=START + 30),
        record("d", event_name="two", project="q", start_time=START + 31),
    ])  # fmt: skip
    store.index()
    assert ids(store, session_name="two") == ["d", "b"]
    any_name, anything = (20, 21), (30, 31)
    assert stretches(store, session_name="none", project="support") == [anything, any_name]
    assert stretches(store, session_name="none", project="none") == [anything]


def test_numbers_of_deleted_rows_come_again(store: SQLiteStore) -> None:
    """Rows in the place of those that were deleted are found, and zones of what is gone go."""
    store.delete(before=START + 100)
    assert ids(store, session_name="answer") == []
    store.insert([record("new", start_time=START + 200, event_name="new")])
    assert ids(store, session_name="new") == ["new"]
    store.insert([record("next", start_time=START + 201, event_name="new")])
    store.index()
    assert ids(store, session_name="new") == ["next", "new"]
    assert stretches(store, session_name="judge") == []
