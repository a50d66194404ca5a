"""The embedded store: what goes in comes out, whoever asks, and a bad file is one clear error."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from store_records import START, numbered, record

from honeytrace._record.record import OBJECTS, Record, Update
from honeytrace.errors import StoreError
from honeytrace.store import Query
from honeytrace.store.errors import RecordRefusedError, StoreBusyError, StoreDamagedError
from honeytrace.store.sqlite import SQLiteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "sessions.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(path)
    yield store
    store.close()


def ids(records: object) -> list[str]:
    return [r.event_id for r in records]  # type: ignore[attr-defined]


def test_every_field_comes_back(store: SQLiteStore) -> None:
    """A record with every field set, and one with none that may be absent, return as they were."""
    full = record(
        "full",
        parent_id="p",
        root_id="r",
        error="E: bad",
        children_ids=b'["c"]',
        **{name: orjson.dumps({name: "é\n\"'\\"}) for name in OBJECTS},
    )
    bare = record("bare", end_time=None, duration=None, inputs=None, outputs=None, metadata=None)
    store.insert([full, bare])
    assert store.get("full") == full
    assert store.get("bare") == bare


def test_an_empty_error_is_an_error(store: SQLiteStore) -> None:
    """An error whose text is empty is not taken for none."""
    store.insert([record("a", error="")])
    assert ids(store.list(Query(error=True))) == ["a"]


def test_the_shell_can_read_the_json(store: SQLiteStore, path: Path) -> None:
    """The JSON parts are text, open to SQLite's own JSON functions."""
    store.insert([record("a")])
    shell = sqlite3.connect(path)
    answer = shell.execute("SELECT inputs ->> 'question', typeof(outputs) FROM events").fetchall()
    shell.close()
    assert answer == [("why?", "text")]


def test_unknown_ids_are_none(store: SQLiteStore) -> None:
    """An id nobody stored is no error."""
    assert store.get("nobody") is None
    assert store.get_many(["nobody"]) == []


def test_get_many_keeps_the_order_asked_for(store: SQLiteStore) -> None:
    """Records come in the order of the ids, and what is missing leaves no hole."""
    store.insert(numbered(3))
    assert ids(store.get_many(["s00002", "gone", "s00000", "s00001"])) == [
        "s00002",
        "s00000",
        "s00001",
    ]


def test_a_redelivered_batch_changes_nothing(store: SQLiteStore) -> None:
    """The same batch twice is the same store, and what is new beside it still arrives."""
    batch = numbered(3)
    store.insert(batch)
    store.insert([*batch, record("new")])
    assert store.get_many(ids(batch)) == batch
    assert store.size().sessions == 4


def test_a_batch_takes_few_statements(store: SQLiteStore) -> None:
    """A batch of any size and mixture arrives whole, in order and by a handful of statements, each
    of which lets go of the GIL."""
    store.insert([])
    said: list[str] = []
    store._writer.get().set_trace_callback(said.append)
    for count in (1, 32, 33, 257, 900):
        said.clear()
        batch = numbered(count, f"n{count}-")
        batch[count // 2] = batch[count // 2]._replace(metrics=b'{"score":1}')
        store.insert(batch)
        assert store.get_many([r.event_id for r in batch]) == batch
        assert sum(text.startswith("INSERT") for text in said) <= 8 + count // 100
    newest = [r.event_id for r in store.list(Query(limit=2_000)) if "900-" in r.event_id]
    assert newest == [r.event_id for r in reversed(numbered(900, "n900-"))]


def test_large_values_take_statements_of_their_own(store: SQLiteStore) -> None:
    """What is copied at once is bounded in bytes, by one value at the least."""
    large = b'{"text":"%b"}' % (b"x" * 600_000)
    batch = [r._replace(inputs=large) for r in numbered(5)]
    said: list[str] = []
    store._writer.get().set_trace_callback(lambda text: said.append(text[:6]))
    store.insert(batch)
    assert said.count("INSERT") >= 3
    assert store.get_many([r.event_id for r in batch]) == batch


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_inserts_leave_no_copies_in_temporary_files(store: SQLiteStore) -> None:
    """SQLite need not be able to undo a part of a batch, for which it would copy what it changes
    into a file outside of the store's directory."""
    opened: set[str] = set()

    def look() -> None:
        for fd in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                opened.add(os.readlink(fd))

    store._writer.get().set_progress_handler(look, 1_000)
    for part in range(3):
        batch = numbered(600, f"p{part}-")
        batch[300:340] = [r._replace(metrics=b'{"score":1}') for r in batch[300:340]]
        store.insert(batch)
    assert any(name.endswith("sessions.db-wal") for name in opened)
    assert not [name for name in opened if "etilqs" in name]


def test_a_continued_session_is_merged(store: SQLiteStore) -> None:
    """A second record of an id adds to the first, also within one batch."""
    first = record("a", children_ids=b'["x"]', metrics=b'{"m":1}')
    second = record("a", start_time=START + 9, children_ids=b'["y"]', metrics=b'{"n":2}')
    store.insert([first, second])
    merged = store.get("a")
    assert merged is not None
    assert merged.children_ids == b'["x","y"]'
    assert merged.metrics == b'{"m":1,"n":2}'


def test_updates_apply_in_order(store: SQLiteStore) -> None:
    """Of two updates to one field the later one stands."""
    store.insert([record("a")])
    store.update([Update("a", {"feedback": b'{"r":%d}' % rating}) for rating in (1, 5)])
    stored = store.get("a")
    assert stored is not None
    assert stored.feedback == b'{"r":5}'


def test_an_update_waits_for_its_session(store: SQLiteStore, path: Path) -> None:
    """Updates that come first are kept, in order, also when the session arrives through another
    store on the same file, and are applied once."""
    store.update([Update("a", {"feedback": b'{"r":1}'}), Update("b", {"feedback": b"{}"})])
    store.update([Update("a", {"feedback": b'{"r":2}', "metrics": b'{"m":1}'})])
    other = SQLiteStore(path)
    other.insert([record("a"), record("c")])
    other.close()
    arrived = store.get("a")
    assert arrived is not None
    assert (arrived.feedback, arrived.metrics) == (b'{"r":2}', b'{"m":1}')
    store.update([Update("a", {"feedback": b'{"r":3}'})])
    store.insert([record("d")])
    assert store.get_many(["a"])[0].feedback == b'{"r":3}'


def test_a_refused_value_leaves_nothing_behind(store: SQLiteStore) -> None:
    """A value SQLite cannot hold refuses its whole batch, and the store takes the next one."""
    for bad in (
        record("bad", event_name="\ud800"),
        record("bad", end_time=1 << 64),
        record("bad", start_time=float("nan")),
        record("bad", inputs=b"\xff"),
    ):
        with pytest.raises(RecordRefusedError):
            store.insert([record("good"), bad])
    store.insert([record("good")])
    for fields in ({"status": b"no json"}, {"inputs": b"[1]"}, {"status": None}):
        with pytest.raises(RecordRefusedError):
            store.update([Update("good", {"metrics": b"{}"}), Update("good", fields)])  # type: ignore[arg-type]
    assert store.get_many(["good", "bad"]) == [record("good")]


def test_delete_by_age(store: SQLiteStore) -> None:
    """What started before the time is deleted, kept updates too, and counted; the rest stays."""
    store.insert(numbered(2_500))
    store.update([Update("never", {"metrics": b"{}"})])
    assert store.delete(before=START + 2_400_000) == 2_400
    assert store.size().sessions == 100
    assert store.delete(before=START) == 0
    assert store.delete(before=1e15) == 100
    store.insert([record("never")])
    assert store.get_many(["never"])[0].metrics is None


def test_delete_gives_the_space_back(store: SQLiteStore, path: Path) -> None:
    """After a delete the file is smaller by what was deleted, its text index too."""
    store.insert(numbered(10_000))
    assert store.list(Query(text="because", limit=1))
    store.close()
    full = path.stat().st_size
    store = SQLiteStore(path)
    store.delete(before=1e15)
    store.close()
    assert path.stat().st_size < full / 5


def test_size_counts_the_file(store: SQLiteStore, path: Path) -> None:
    """The bytes are those on disk, write-ahead log included."""
    store.insert(numbered(10))
    size = store.size()
    assert size.sessions == 10
    assert size.bytes == sum(os.path.getsize(f"{path}{end}") for end in ("", "-wal"))


def test_a_closed_store_says_so(store: SQLiteStore) -> None:
    """Every call after close raises; closing again does not."""
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.insert([record("a")])
    with pytest.raises(StoreError, match="closed"):
        store.get("a")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes; files inherit ACLs")
def test_files_are_private(store: SQLiteStore, path: Path) -> None:
    """Directory, file and write-ahead log are the user's alone; git ignores the directory."""
    store.insert([record("a")])
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.glob("sessions*")}
    assert modes == dict.fromkeys(("sessions.db", "sessions.db-wal", "sessions.db-shm"), 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert (path.parent / ".gitignore").read_text() == "*\n"


def test_a_directory_of_the_user_is_left_alone(tmp_path: Path) -> None:
    """In a directory that was there the store writes no `.gitignore`."""
    SQLiteStore(tmp_path / "x.db").close()
    assert [file.name for file in tmp_path.iterdir()] == ["x.db"]


def test_a_reader_creates_no_files(store: SQLiteStore, path: Path, tmp_path: Path) -> None:
    """A read-only store reads while a writer is there and after, writes nothing, leaves nothing."""
    store.insert([record("a")])
    reader = SQLiteStore(path, readonly=True)
    assert ids(reader.list(Query(text="because"))) == ["a"]
    with pytest.raises(StoreError, match="read-only"):
        reader.insert([record("b")])
    store.close()
    assert reader.get("a") == record("a")
    reader.close()
    assert sorted(file.name for file in path.parent.iterdir()) == [".gitignore", "sessions.db"]
    with pytest.raises(StoreError, match="no store at"):
        SQLiteStore(tmp_path / "missing" / "x.db", readonly=True)
    assert not (tmp_path / "missing").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_store_on_read_only_media_is_readable(store: SQLiteStore, path: Path) -> None:
    """Where SQLite cannot put its shared-memory file a reader still reads, and a writer is told."""
    store.insert([record("a")])
    store.close()
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        reader = SQLiteStore(path, readonly=True)
        assert ids(reader.list(Query())) == ["a"]
        reader.close()
        with pytest.raises(StoreError, match="writable"):
            SQLiteStore(path)
    finally:
        path.parent.chmod(0o700)


def test_an_impossible_path_is_one_clear_error(tmp_path: Path) -> None:
    """A path below a file names the path in a `StoreError`."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file.x\.db cannot be used"):
        SQLiteStore(tmp_path / "file" / "x.db")


def test_a_deleted_store_starts_anew(store: SQLiteStore, path: Path) -> None:
    """Deleting the directory under a running program loses what was in it and nothing after."""
    store.insert([record("before")])
    shutil.rmtree(path.parent)
    store.insert([record("after")])
    assert store.get("before") is None
    fresh = SQLiteStore(path)
    assert ids(fresh.list(Query())) == ["after"]
    fresh.close()


def damage(path: Path) -> bytes:
    """Leave the file its header and ruin the rest."""
    data = path.read_bytes()
    ruined = data[:100] + b"\xa5" * (len(data) - 100)
    path.write_bytes(ruined)
    return ruined


def test_a_damaged_store_is_set_aside(path: Path) -> None:
    """Opening moves a corrupt store to a free name, untouched, says so, and starts afresh."""
    SQLiteStore(path).close()
    for number in (1, 2):
        ruined = damage(path)
        with pytest.raises(StoreDamagedError, match="damaged"):
            SQLiteStore(path)
        store, warning = SQLiteStore.open(path)
        moved = path.with_name(f"sessions.db.damaged-{number}")
        assert f"kept as {moved}" in (warning or "")
        assert moved.read_bytes() == ruined
        store.insert([record("a")])
        assert store.size().sessions == 1
        store.close()
    store, warning = SQLiteStore.open(path)
    store.close()
    assert warning is None


def test_foreign_files_are_not_touched(tmp_path: Path) -> None:
    """Neither another program's database nor a file of another kind is moved or changed."""
    text, database = tmp_path / "notes.txt", tmp_path / "app.db"
    text.write_text("remember the milk " * 100)
    foreign = sqlite3.connect(database)
    foreign.execute("CREATE TABLE users (name)")
    foreign.commit()
    foreign.close()
    for path, words in ((text, "not a store"), (database, "another program")):
        before = path.read_bytes()
        with pytest.raises(StoreError, match=words):
            SQLiteStore.open(path)
        assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["app.db", "notes.txt"]


def test_damage_found_later_is_named(store: SQLiteStore, path: Path) -> None:
    """Corruption met in mid-work is a `StoreDamagedError` that names the file."""
    store.insert(numbered(200))
    store.close()
    damage(path)
    with pytest.raises(StoreDamagedError, match=r"sessions\.db"):
        SQLiteStore(path)


def test_a_full_disk_keeps_the_store_whole(store: SQLiteStore) -> None:
    """Out of space the batch is rolled back, the error names the cure, and space cures it."""
    store.insert([record("a")])
    conn = store._writer.get()
    (pages,) = conn.execute("PRAGMA page_count").fetchone()
    conn.execute(f"PRAGMA max_page_count = {pages}")
    big = record("big", inputs=orjson.dumps({"text": "x" * 100_000}))
    with pytest.raises(StoreError, match="disk is full: free some space"):
        store.insert([record("b"), big])
    assert store.size().sessions == 1
    conn.execute(f"PRAGMA max_page_count = {pages + 1000}")
    store.insert([record("b"), big])
    assert store.size().sessions == 3


def test_a_full_disk_can_be_read(store: SQLiteStore) -> None:
    """Every condition is answered without the indexes that there is no room for."""
    store.insert([record("a", user_properties=b'{"id":"u"}'), record("b")])
    conn = store._writer.get()
    (pages,) = conn.execute("PRAGMA page_count").fetchone()
    conn.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="disk is full"):
        store.index()
    assert ids(store.list(Query(text="why"))) == ["b", "a"]
    assert ids(store.list(Query(user="u"))) == ["a"]
    assert store.changed(None) == ([], 0)


def test_a_locked_store_is_busy(store: SQLiteStore, path: Path) -> None:
    """While another holds the write lock, writing raises `StoreBusyError` and reading goes on."""
    store.insert([record("a")])
    hasty = SQLiteStore(path, busy_timeout=0.01)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError):
        hasty.insert([record("b")])
    assert hasty.get("a") is not None
    assert ids(hasty.list(Query(text="because"))) == ["a"]
    holder.execute("COMMIT")
    holder.close()
    hasty.insert([record("b")])
    assert store.size().sessions == 2
    hasty.close()


def test_a_new_file_in_use_is_busy(tmp_path: Path) -> None:
    """A new file that cannot be switched to WAL, as somebody reads it, is busy, and fine later."""
    holder = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    holder.execute("BEGIN")
    holder.execute("SELECT * FROM sqlite_master").fetchall()
    with pytest.raises(StoreBusyError):
        SQLiteStore(tmp_path / "x.db", busy_timeout=0.02)
    holder.close()
    SQLiteStore(tmp_path / "x.db").close()


def test_threads_write_and_read_at_once(store: SQLiteStore) -> None:
    """Four writing threads lose nothing, and a reader beside them sees whole batches only."""
    done = threading.Event()
    seen: list[int] = []

    def write(prefix: str) -> None:
        records = numbered(500, prefix)
        for start in range(0, 500, 50):
            store.insert(records[start : start + 50])

    def read() -> None:
        while not done.is_set():
            seen.append(store.size().sessions)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(prefix,)) for prefix in "abcd"]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert store.size().sessions == 2_000
    assert all(count % 50 == 0 for count in seen)
    assert seen == sorted(seen)


def page(store: SQLiteStore, **query: object) -> list[str]:
    return ids(store.list(Query(**query)))  # type: ignore[arg-type]


FILTERS: list[tuple[dict[str, object], str]] = [
    ({}, "edcba"),
    ({"project": "p2"}, "b"),
    ({"session_name": "n2"}, "c"),
    ({"source": "s2"}, "d"),
    ({"status": "cancelled"}, "e"),
    ({"error": True}, "d"),
    ({"error": False}, "ecba"),
    ({"since": START + 1, "until": START + 4}, "dcb"),
    ({"min_duration": 10.0}, "c"),
    ({"max_duration": 1.0}, "e"),
    ({"root_id": "a"}, "cba"),
    ({"parent_id": "a"}, "cb"),
    ({"roots_only": True}, "eda"),
    ({"roots_only": True, "error": True, "source": "s2"}, "d"),
    ({"project": "p2", "error": True}, ""),
    ({"limit": 2}, "ed"),
    ({"limit": 0}, ""),
    ({"before": (START + 3, "d")}, "cba"),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_filters(store: SQLiteStore, query: dict[str, object], expected: str) -> None:
    """Each condition keeps what meets it, newest first, and conditions add up."""
    a, b, c, d, e = (
        record(name, start_time=START + number, duration=2.0) for number, name in enumerate("abcde")
    )
    child: dict[str, object] = {"parent_id": "a", "root_id": "a"}
    b = b._replace(project="p2", **child)  # type: ignore[arg-type]
    c = c._replace(event_name="n2", duration=10.0, **child)  # type: ignore[arg-type]
    d = d._replace(source="s2", error="E", status="error")
    e = e._replace(status="cancelled", duration=1.0)
    store.insert([c, a, e, b, d])
    assert "".join(page(store, **query)) == expected


def test_pages_meet_without_gap_or_overlap(store: SQLiteStore) -> None:
    """Following `before` visits everything once, also among sessions of one start time."""
    records = [record(f"{number:02}", start_time=START + number // 7) for number in range(40)]
    store.insert(records)
    visited: list[Record] = []
    before = None
    while found := store.list(Query(limit=6, before=before)):
        visited += found
        before = (found[-1].start_time, found[-1].event_id)
    assert visited == records[::-1]


def test_ids_by_their_beginning(store: SQLiteStore) -> None:
    """In order and at most so many; pattern characters are just characters."""
    store.insert([record(name) for name in ("ab2", "ab1", "b", "a%", "􏿿")])
    assert store.find_ids("ab") == ["ab1", "ab2"]
    assert store.find_ids("ab1") == ["ab1"]
    assert store.find_ids("a%") == ["a%"]
    assert store.find_ids("x") == []
    assert store.find_ids("", limit=2) == ["a%", "ab1"]


def test_arrivals_come_in_the_order_of_arrival(store: SQLiteStore) -> None:
    """A session that started early and ended late is not missed, and each comes once."""
    store.insert([record("a", start_time=START + 9)])
    records, now = store.arrived(None)
    assert list(records) == []
    store.insert([record("b", start_time=START), record("c", start_time=START + 99)])
    first = store.arrived(now, limit=1)
    assert ids(first.records) == ["b"]
    rest = store.arrived(first.last)
    assert ids(rest.records) == ["c"]
    assert store.arrived(rest.last) == ([], rest.last)


def test_arrivals_go_on_after_a_prune(store: SQLiteStore) -> None:
    """A follower whose place was deleted goes on with what arrives from then on."""
    store.insert(numbered(5))
    _, last = store.arrived(None)
    store.delete(before=1e15)
    records, last = store.arrived(last)
    assert (list(records), last) == ([], 0)
    store.insert([record("new")])
    assert ids(store.arrived(last).records) == ["new"]


def test_arrivals_of_a_replaced_file(store: SQLiteStore, path: Path, tmp_path: Path) -> None:
    """A place of the old file says nothing of the new one, even if that has more sessions."""
    store.insert(numbered(2))
    _, place = store.arrived(0)
    other = SQLiteStore(tmp_path / "other.db")
    other.insert(numbered(5))
    other.close()
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    os.replace(tmp_path / "other.db", path)
    assert store.arrived(place) == ([], 5)
    store.insert([record("new")])
    assert ids(store.arrived(5).records) == ["new"]


def test_percentiles_are_nearest_ranks(store: SQLiteStore) -> None:
    """Of 100 calls of 1 to 100 ms the 95th percentile is 95 ms; what still runs has no duration."""
    store.insert([record(f"{n:03}", duration=float(n)) for n in range(1, 101)])
    store.insert([record("e", event_name="other", status="error", error="E", duration=None)])
    answer, other = store.summary(Query())
    assert answer == ("answer", 100, 0, 50.0, 95.0, 99.0, 100.0, "100")
    assert other == ("other", 1, 1, None, None, None, None, None)


def test_figures_of_the_newest(store: SQLiteStore) -> None:
    """`newest` bounds what is counted; steps of time then begin where counting did."""
    store.insert(numbered(10))
    (summary,) = store.summary(Query(limit=1), newest=4)
    assert summary.calls == 4
    buckets, names = store.overview(Query(since=START), buckets=2, newest=4)
    assert names == [summary]
    assert [bucket.calls for bucket in buckets] == [2, 2]
    assert buckets[0].start == START + 6_000
    whole, _ = store.overview(Query(since=START - 10_000, until=START + 10_000), buckets=4)
    assert [(bucket.start - START, bucket.calls) for bucket in whole] == [
        (-10_000, 0),
        (-5_000, 0),
        (0, 5),
        (5_000, 5),
    ]
    assert whole[0].p50 is None
    assert store.overview(Query(project="nobody")) == ([], [])


def test_an_outline_has_no_payloads(store: SQLiteStore) -> None:
    """One tree, in order of start; of a long error the beginning."""
    child = record(
        "b", parent_id="a", root_id="a", start_time=START + 1, error="E" * 300, status="error"
    )
    store.insert([child, record("a", children_ids=b'["b"]'), record("c")])
    a, b = store.outline("a")
    assert a == ("a", None, "session", "answer", "ok", START, 1.5, None, ["b"])
    assert (b.session_id, b.parent_id, b.error) == ("b", "a", "E" * 200)


def test_values_of_a_field(store: SQLiteStore) -> None:
    """Each once, in order."""
    store.insert([record("a", project="z"), record("b", project="a"), record("c", project="z")])
    assert store.values("project") == ["a", "z"]
    assert store.values("session_name") == ["answer"]
