"""A store gets every step once, whole, whoever opens it first."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from store_records import record

from honeytrace.errors import StoreError
from honeytrace.store import migrations
from honeytrace.store.sqlite import SQLiteStore


def m_notes(conn: sqlite3.Connection) -> None:
    conn.execute("CREATE TABLE notes (text)")


def m_broken(conn: sqlite3.Connection) -> None:
    conn.execute("CREATE TABLE half (done)")
    conn.execute("CREATE TABLE half (done)")


def tables(path: Path) -> set[str]:
    conn = sqlite3.connect(path)
    names = {name for (name,) in conn.execute("SELECT name FROM sqlite_master")}
    conn.close()
    return names


def test_a_step_added_later_reaches_old_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store made before a step exists gets it on its next opening, and keeps its sessions."""
    path = tmp_path / "x.db"
    store = SQLiteStore(path)
    store.insert([record("a")])
    store.close()
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, m_notes))
    store = SQLiteStore(path)
    assert store.get("a") == record("a")
    store.close()
    assert "notes" in tables(path)
    SQLiteStore(path).close()


def test_a_step_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that fails half-way is undone with its record, and so are those before it."""
    path = tmp_path / "x.db"
    with monkeypatch.context() as broken:
        broken.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, m_notes, m_broken))
        with pytest.raises(StoreError, match="half already exists"):
            SQLiteStore(path)
    assert tables(path) == set()
    SQLiteStore(path).close()
    assert "notes" not in tables(path)


def test_a_newer_store_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that a newer honeytrace wrote is not touched, and the error says to upgrade."""
    path = tmp_path / "x.db"
    with monkeypatch.context() as newer:
        newer.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, m_notes))
        SQLiteStore(path).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"x\.db has version 3 .* knows 2: upgrade honeytrace"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_a_reader_does_not_migrate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only store of an older version is an error that names the cure."""
    path = tmp_path / "x.db"
    SQLiteStore(path).close()
    monkeypatch.setattr(
        "honeytrace.store._connection.MIGRATIONS", (*migrations.MIGRATIONS, m_notes)
    )
    with pytest.raises(StoreError, match="older honeytrace: open it for writing once"):
        SQLiteStore(path, readonly=True)
