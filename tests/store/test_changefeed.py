"""Who follows changes sees each, by whichever process, and inserts know nothing of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from store_records import numbered, record

from honeytrace._record.record import Update
from honeytrace.store.sqlite import SQLiteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "x.db")
    yield store
    store.close()


def rate(store: SQLiteStore, event_id: str, rating: int) -> None:
    store.update([Update(event_id, {"feedback": b'{"rating":%d}' % rating})])


def changed(store: SQLiteStore, after: int) -> tuple[list[str], int]:
    found = store.changed(after)
    return [each.event_id for each in found.records], found.last


def test_changes_come_in_their_order_once_each(store: SQLiteStore) -> None:
    """By updates and by merging, as the session is now; a redelivery is no change."""
    store.insert(numbered(4))
    place = store.changed(None).last
    with closing(SQLiteStore(store.path)) as other:
        rate(other, "s00002", 1)
        rate(other, "s00001", 1)
        rate(other, "s00002", 2)
    store.insert([numbered(4)[3], record("s00000", end_time=None, error="late")])
    ids, last = changed(store, place)
    assert ids == ["s00001", "s00002", "s00000"]
    assert store.changed(place).records[1].feedback == b'{"rating":2}'
    assert changed(store, last) == ([], last)


def test_a_change_that_waited_shows_with_its_session(store: SQLiteStore) -> None:
    """An update before its session changes nothing there is."""
    place = store.changed(None).last
    rate(store, "later", 1)
    assert changed(store, place) == ([], place)
    store.insert([record("later")])
    assert changed(store, place)[0] == ["later"]


def test_places_are_not_used_again(store: SQLiteStore) -> None:
    """What was changed last is deleted: a follower sees what is changed after it all the same."""
    place = store.changed(None).last
    store.insert(numbered(2))
    rate(store, "s00000", 1)
    _, place = changed(store, place)
    store.delete(before=numbered(2)[1].start_time)
    rate(store, "s00001", 1)
    assert changed(store, place)[0] == ["s00001"]


def test_a_store_in_the_place_of_another(store: SQLiteStore) -> None:
    """A follower whose place this store has not reached begins anew."""
    assert changed(store, 99) == ([], 0)
    store.insert([record("s")])
    rate(store, "s", 1)
    assert changed(store, 0)[0] == ["s"]


def test_only_who_follows_pays(store: SQLiteStore) -> None:
    """A store that nobody followed notes no changes, and who cannot write is told of none."""
    store.insert([record("s")])
    with closing(SQLiteStore(store.path, readonly=True)) as reader:
        assert reader.changed(None) == ([], 0)
        assert reader.changed(3) == ([], 3)
    with closing(sqlite3.connect(store.path)) as conn:
        triggers = conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        assert triggers.fetchall() == []
