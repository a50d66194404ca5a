"""Lookup: a process finds what it recorded wherever that is, and pages neither repeat nor skip."""

from __future__ import annotations

import functools
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

import honeytrace
import honeytrace.testing
from destinations import PATIENCE, Gate, Scripted, call
from honeytrace import ConfigurationError, SessionNotFound, StoreError, session
from honeytrace._durability import disk_queue as _disk_queue
from honeytrace._record.record import Record, Update
from honeytrace._record.wire import from_start_session
from honeytrace._runtime import runtime as _runtime
from honeytrace._runtime.public import pending
from honeytrace.lookup import StoreFamily
from honeytrace.lookup.recorded import duration_text, printable
from honeytrace.store import Query
from honeytrace.store.memory import MemoryStore
from honeytrace.store.overlay import Overlay

pytestmark = pytest.mark.usefixtures("alone")


def record(event_id: str, **fields: Any) -> Record:
    return from_start_session({"session_id": event_id, "start_time": 1000.0}, str)._replace(
        event_name=event_id, duration=1.0, **fields
    )


def tree_of(records: list[Record]) -> str:
    store = MemoryStore()
    store.insert(records)
    found = StoreFamily(store).get(records[0].event_id)
    assert found is not None
    return found.tree()


def test_running_session_is_found() -> None:
    """A session around the caller is found as it stands, with the children that have ended."""
    with session("outer", inputs={"q": 1}) as s:
        call(7)
        s.metrics["a"] = 1
        found = honeytrace.get_session(s.session_id)
        assert (found.status, found.end_time, found.duration) == ("running", None, None)
        assert (found.inputs, found.metrics) == ({"q": 1}, {"a": 1})
        (child,) = found.children
        assert child.inputs == {"x": 7}
        assert child.parent == found
        assert found.tree().splitlines()[0] == "outer  …  (running)"
    assert honeytrace.get_session(s.session_id).status == "ok"


def test_pending_session_is_found_while_the_destination_hangs() -> None:
    """What is on its way is found, with its relatives and later updates, listed and searched."""
    gate = Gate()
    honeytrace.configure(sink=gate, flush_interval=1e-6)
    call()
    assert gate.entered.wait(PATIENCE)
    with session("outer") as s, session("inner") as t:
        t.outputs = "needle"
    honeytrace.update_session(s.session_id, feedback={"rating": 5})
    found = honeytrace.get_session(s.session_id, timeout=0.0)
    assert found.feedback == {"rating": 5}
    assert [child.session_name for child in found.children] == ["inner"]
    assert found.children[0].parent == found
    assert "└─ inner" in found.tree()
    rt = _runtime.runtime()
    rt.flusher.outage.failures = 1  # a lookup does not wait for what is known to fail
    assert [e.session_name for e in honeytrace.list_sessions()] == ["inner", "outer", "call"]
    assert [e.session_id for e in honeytrace.search_sessions("needl")] == [t.session_id]
    gate.open.set()


def test_a_session_that_waits_on_disk_is_found() -> None:
    """What memory had no room for during an outage, with relatives and updates, once; and as it
    arrived afterwards."""
    away = Scripted(lambda batch: ConnectionError("away"))
    honeytrace.configure(sink=away, queue_bytes=20_000, batch_size=1, flush_interval=1e-6)
    call()
    away.wait_batches(1)
    with session("outer", inputs={"q": 1}) as s, session("inner") as t, session("innermost") as u:
        pass
    honeytrace.update_session(t.session_id, feedback={"rating": 5})
    for _ in range(500):
        with session("more"):
            pass
    flusher = _runtime.runtime().flusher
    assert s.session_id not in {item.event_id for item in flusher.pending()}
    stats = honeytrace.stats()
    assert stats.journalled > 400
    found = honeytrace.get_session(s.session_id)
    assert (found.inputs, found.status) == ({"q": 1}, "ok")
    assert [each.session_name for each, _ in found.walk()] == ["outer", "inner", "innermost"]
    inner = honeytrace.get_session(t.session_id)
    assert inner.feedback == {"rating": 5}
    assert inner.parent == found
    assert [each.session_id for each in inner.children] == [u.session_id]
    assert honeytrace.stats() == stats
    with pytest.raises(SessionNotFound):
        honeytrace.get_session("nobody")
    away.answer = lambda batch: None
    assert honeytrace.flush(PATIENCE)
    assert {item.event_id for item in away.items} > {s.session_id, t.session_id, u.session_id}


def test_of_a_large_tree_on_disk_part_is_found(tmp_path: Path) -> None:
    """In bounded memory: what was asked for itself, and of its relatives as many as have room."""
    spill = _disk_queue.DiskQueue(str(tmp_path), 10**9)
    tree = {"parent_id": "root", "root_id": "root"}
    records = [
        from_start_session({"session_id": f"{n}", "inputs": {"pad": "x" * 1_000}}, str)
        for n in range(100)
    ]
    spill.append([each._replace(**tree) for each in records])
    spill.append([from_start_session({"session_id": "root"}, str)])
    spill.take(10, 10**9)
    found = _disk_queue.tree_of("root", spill.places(), 20_000)
    assert [each.event_id for each in found[-2:]] == [str(8 + len(found)), "root"]
    assert 10 < len(found) < 20
    places = spill.places()
    spill.append([from_start_session({"session_id": "root", "session_name": "later"}, str)])
    assert _disk_queue.tree_of("root", places, 20_000) == found
    spill.take(1_000, 10**9)
    spill.settle()
    assert _disk_queue.tree_of("root", places) == []


def test_stored_session_is_found(tmp_path: Path) -> None:
    """After delivery everything is read from the store, which lookup opens by itself."""
    honeytrace.configure(store=tmp_path / "a.db")
    with session("outer") as s:
        call(1)
    found = honeytrace.get_session(s.session_id)
    assert pending() == []
    assert found.children[0].inputs == {"x": 1}
    assert found.parent is None
    assert found == honeytrace.get_session(s.session_id)
    assert len({found, honeytrace.get_session(s.session_id)}) == 1
    assert str(found).startswith("outer")


def test_second_process_finds_it_by_id(tmp_path: Path) -> None:
    """Another program, configured by its environment, reads what this one recorded."""
    honeytrace.configure(store=tmp_path / "a.db")
    with session("outer") as s:
        call(41)
    assert honeytrace.flush()
    program = (
        "import honeytrace, sys;"
        "print(honeytrace.get_session(sys.argv[1]).children[0].inputs['x'] + 1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, s.session_id],
        env={"HONEYTRACE_STORE": str(tmp_path / "a.db")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("42", "")


def test_unknown_session_names_where_it_was_looked_for(tmp_path: Path) -> None:
    """The message names the id, the places, and the setting that says which."""
    honeytrace.configure(store=tmp_path / "none.db")
    with pytest.raises(SessionNotFound, match=r"'nobody' is pending.*none\.db; configure\(store="):
        honeytrace.get_session("nobody")
    assert not (tmp_path / "none.db").exists()
    assert honeytrace.list_sessions() == honeytrace.search_sessions("x") == []


def test_store_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A file that is no store is a StoreError, which is not the same as nothing found."""
    (tmp_path / "a.db").write_text("no database at all, but text" * 100)
    honeytrace.configure(store=tmp_path / "a.db")
    with pytest.raises(StoreError, match="choose another path"):
        honeytrace.list_sessions()


def test_since_and_until_take_moments() -> None:
    """A datetime or epoch seconds, from `since` on and before `until`."""
    with honeytrace.testing.capture(start=1_700_000_000.0, tick=1.0):
        for n in range(5):  # they start at +0, +2, +4, … seconds
            call(n)
        moment = datetime.fromtimestamp(1_700_000_002, timezone.utc)
        later = honeytrace.list_sessions(since=moment)
        assert [s.inputs["x"] for s in later] == [4, 3, 2, 1]
        early = honeytrace.list_sessions(until=1_700_000_002.0)
        assert [s.inputs["x"] for s in early] == [0]
        calls = functools.partial(honeytrace.search_sessions, "call")
        for find in (honeytrace.list_sessions, calls):
            assert len(find(min_duration=1.0, max_duration=1.0)) == 5
            assert find(min_duration=1.1) == find(max_duration=0.9) == []
    with pytest.raises(ConfigurationError, match="a datetime, epoch seconds"):
        honeytrace.list_sessions(since="soon")


@pytest.mark.parametrize("where", ["memory", "file"])
def test_pages_neither_repeat_nor_skip(where: str, tmp_path: Path) -> None:
    """Through sessions that all started at the same moment, too."""
    honeytrace.configure(store=tmp_path / "a.db" if where == "file" else ":memory:")
    records = [record(f"s{n:03}") for n in range(95)]
    with closing(_runtime.runtime().destination.sink()) as sink:
        sink.deliver(records, timeout=PATIENCE)
    pages = list(honeytrace.list_sessions(limit=10).pages())
    assert [len(page) for page in pages] == [10] * 9 + [5]
    ids = [s.session_id for page in pages for s in page]
    assert ids == sorted((r.event_id for r in records), reverse=True)
    assert pages[-1].next_page() == []


def test_pages_over_pending_items_are_full() -> None:
    """What an update takes out of a page is made up for: a short page would end the paging."""
    store = MemoryStore()
    store.insert([record(f"s{n}") for n in range(10)])
    reader = Overlay(store, [Update(f"s{n}", {"error": b'"late"'}) for n in (9, 8)])
    query = Query(error=False, limit=3)
    assert [r.event_id for r in reader.list(query)] == ["s7", "s6", "s5"]
    assert [r.event_id for r in reader.list(Query(error=True))] == ["s9", "s8"]
    assert [r.event_id for r in reader.get_many(["s9", "x", "s0"])] == ["s9", "s0"]


def test_overlay_holds_any_number() -> None:
    """However much is pending, all of it is seen."""
    reader = Overlay(None, [record(f"s{n}") for n in range(100_001)])
    assert reader.get("s0") is not None
    assert reader.get("unknown") is None


def test_conditions_and_search() -> None:
    """Conditions are joined; text is looked for in name, inputs, outputs and error."""
    with honeytrace.testing.capture():
        with pytest.raises(ValueError, match="gone"), session("lost", source="a"):
            raise ValueError("gone fishing")
        with session("kept", project="p", outputs="a reply"):
            call()
        assert [s.session_name for s in honeytrace.list_sessions(error=True)] == ["lost"]
        assert [s.session_name for s in honeytrace.list_sessions(roots_only=True)] == [
            "kept",
            "lost",
        ]
        assert [s.session_name for s in honeytrace.list_sessions(project="p")] == ["kept"]
        assert [s.session_name for s in honeytrace.search_sessions("fish")] == ["lost"]
        assert honeytrace.search_sessions("fish", source="b") == []


def test_users_and_metrics() -> None:
    """By a value of the user properties, and by a metric as people write it; search takes both."""
    with honeytrace.testing.capture():
        with session("a", inputs="word", user_properties={"id": "u1"}, metrics={"score": 0.25}):
            pass
        with session("b", inputs="word", user_properties={"email": "u1"}, metrics={"score": 1}):
            pass
        assert [s.session_name for s in honeytrace.list_sessions(user="u1")] == ["b", "a"]
        assert [s.session_name for s in honeytrace.list_sessions(metric="score<0.5")] == ["a"]
        found = honeytrace.search_sessions("word", user="u1", metric="score > 0.5")
        assert [s.session_name for s in found] == ["b"]
    with pytest.raises(ConfigurationError, match="reads like"):
        honeytrace.list_sessions(metric="score")


def test_a_walk_goes_through_the_tree_as_it_is_drawn() -> None:
    """Each session before its children, with its depth, and whether it is its parent's last."""
    with honeytrace.testing.capture(start=1.0) as sessions, session("top"):
        with session("a"):
            call()
        call()
    walked = [(s.session_name, *place) for s, place in sessions.by_name("top")[0].walk()]
    assert walked == [("top", 0, True), ("a", 1, False), ("call", 2, True), ("call", 1, True)]


def test_an_outline_is_the_tree_without_payloads() -> None:
    """Of what is stored, pending, or only named by its parent, as `descendants` gives it."""
    store = MemoryStore()
    store.insert(
        [record("a", children_ids=b'["b"]', root_id="a"), record("b", children_ids=b'["c"]')]
    )
    store.insert([record("c"), record("d", parent_id="a", root_id="a"), record("x")])
    pending = [
        record("e", parent_id="a", root_id="a"),
        Update("d", {"error": b'"late"'}),
    ]
    family = StoreFamily(Overlay(store, pending))
    top = family.get("a")
    assert top is not None
    outline = family.outline(top)
    assert [each.session_id for each in outline] == ["a", "b", "c", "d", "e"]
    assert outline[3].error == "late"
    for outlined, found in zip(outline, family.descendants(top), strict=True):
        names = outlined._fields
        assert outlined == tuple(getattr(found, name) for name in names)


def test_ids_of_pending_sessions_are_found() -> None:
    """By their beginning, beside those that are stored."""
    store = MemoryStore()
    store.insert([record("ab"), record("b")])
    assert Overlay(store, [record("aa"), record("ab")]).find_ids("a") == ["aa", "ab"]
    assert Overlay(None, [record("aa")]).find_ids("a") == ["aa"]


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_is_checked(limit: int) -> None:
    """A page of nothing is a mistake."""
    with pytest.raises(ConfigurationError, match="at least 1"):
        honeytrace.list_sessions(limit=limit)
    with pytest.raises(ConfigurationError, match="at least 1"):
        honeytrace.search_sessions("x", limit=limit)


def test_tree_of_five_thousand_levels() -> None:
    """A deep tree needs no recursion, and its indentation stays within a line."""
    records = [record("0", root_id="0")]
    records += [
        record(str(n), root_id="0", parent_id=str(n - 1), start_time=1000.0 + n)
        for n in range(1, 5_000)
    ]
    lines = tree_of(records).splitlines()
    assert len(lines) == 5_000
    assert lines[2] == "   └─ 2  1.0 ms"
    assert max(map(len, lines)) < 200


def test_tree_of_a_hundred_thousand_children() -> None:
    """A wide tree is one query and one pass."""
    records = [record("root", root_id="root")]
    records += [record(f"{n:06}", root_id="root", parent_id="root") for n in range(99_999)]
    lines = tree_of(records).splitlines()
    assert len(lines) == 100_000
    assert lines[1].startswith("├─ 000000")
    assert lines[-1].startswith("└─ 099998")


def test_cycle_of_parents_is_drawn_once() -> None:
    """Data that says a session is its own ancestor, or parent, cannot loop."""
    a = record("a", root_id="a", parent_id="b")
    b = record("b", root_id="a", parent_id="a")
    c = record("c", root_id="a", parent_id="c")
    assert tree_of([a, b, c]) == "a  1.0 ms\n└─ b  1.0 ms"
    assert tree_of([c]) == "c  1.0 ms"


def test_tree_follows_children_ids_too() -> None:
    """Sessions that only their parent names, of another program say, are in its tree."""
    records = [
        record("a", children_ids=b'["b","missing"]'),
        record("b", children_ids=b'["c","a"]'),
        record("c"),
    ]
    assert tree_of(records) == "a  1.0 ms\n└─ b  1.0 ms\n   └─ c  1.0 ms"


def test_hostile_names_stay_on_their_line() -> None:
    """Control characters, escapes and direction marks do not reach the terminal."""
    name = "a\nb\x1b[31m\u202eevil\u2066\u200f\x9b\ud800é ع"
    drawn = printable(name)
    assert drawn == "a·b�[31m�evil�����é ع".replace("�����", "�" * 4)
    tree = tree_of([record("x")._replace(event_name="n\r\n", error="e\x07" * 200, status="error")])
    assert tree.startswith("n··  1.0 ms  ✗ e�e�")
    assert tree.endswith("…")
    assert len(tree.splitlines()) == 1


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "…"),
        (0.0, "0 µs"),
        (0.4124, "412 µs"),
        (0.9996, "1.0 ms"),
        (3.14, "3.1 ms"),
        (999.97, "1.00 s"),
        (2400.0, "2.40 s"),
        (59_999.0, "1 min 00 s"),
        (185_000.0, "3 min 05 s"),
    ],
)
def test_durations_read_naturally(ms: float | None, text: str) -> None:
    """The unit fits the size, and rounding never shows 1000 of a unit."""
    assert duration_text(ms) == text


def test_session_by_itself_has_no_family() -> None:
    """A session read without a store answers for itself alone."""
    with honeytrace.testing.capture() as sessions, session("s"):
        call()
    lonely = sessions[1]
    lonely._family = None
    assert (lonely.children, lonely.parent) == ([], None)
    assert lonely.tree() == str(lonely)
    assert lonely != "s"
    assert lonely.traceback is None


def test_readonly_store_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that may not be written can be looked into."""
    honeytrace.configure(store=tmp_path / "a.db")
    call(3)
    assert honeytrace.shutdown()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    honeytrace.configure(store=tmp_path / "a.db")
    store = _runtime.runtime().destination.reader()
    assert getattr(store, "readonly", None) is True
    assert honeytrace.list_sessions()[0].inputs == {"x": 3}


def test_lookup_survives_a_dead_destination() -> None:
    """With nothing stored anywhere, what was recorded is still found here."""
    honeytrace.configure(sink=Scripted(lambda batch: OSError("dead")))
    with session("s") as s:
        pass
    assert honeytrace.get_session(s.session_id).session_name == "s"
