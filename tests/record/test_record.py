"""The record: the only owner of wire names, and of what two accounts of one session add up to."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from honeytrace._capture.finished import Alike, record_of
from honeytrace._capture.spec import Spec
from honeytrace._record.file_format import unpack
from honeytrace._record.merge import (
    apply,
    as_object,
    merge,
    merge_batch,
    merge_ids,
    merge_objects,
)
from honeytrace._record.record import MERGED, RESERVED, Record, Update
from honeytrace._record.wire import decode, from_start_session, start_session_body
from samples import ended, objects, records

few = settings(max_examples=50)


@few
@given(records())
def test_a_redelivery_changes_nothing(record: Record) -> None:
    """Merged with itself a record is as it was."""
    assert merge(record, record) == record


@few
@given(records(), records())
def test_equal_times_are_a_redelivery(old: Record, new: Record) -> None:
    """A second account of the same times adds children alone: updates may have come in between."""
    again = new._replace(start_time=old.start_time, end_time=old.end_time)
    ids = merge_ids(old.children_ids, new.children_ids)
    assert merge(old, again) == old._replace(children_ids=ids)


@few
@given(records())
def test_the_end_of_a_call_is_not_unlearnt(record: Record) -> None:
    """A late account of it as interrupted, from a journal, does not undo the finished record."""
    late = record._replace(status="interrupted", end_time=None, duration=None, outputs=None)
    assume(record.end_time is not None)
    assert merge(record, late) == record
    finished = merge(late, record)
    assert (finished.status, finished.end_time) == (record.status, record.end_time)


@few
@given(records(), records())
def test_a_redelivered_continuation_changes_nothing(old: Record, new: Record) -> None:
    """However often the second account comes again, once was enough."""
    once = merge(old, new)
    assert merge(once, new) == once


@few
@given(records(), records())
def test_a_batch_merges_one_by_one(first: Record, second: Record) -> None:
    """Records of one id in a batch merge in its order, an update that waited goes to the first of
    them, and the place of the last that changed anything is told."""
    update = Update(first.event_id, {"metrics": b'{"waited": 1}'})
    both = merge(apply(first, update), second)
    changes = 7 if both != apply(first, update) else 3
    assert merge_batch(None, [(3, first), (7, second)], update) == (both, changes)
    known = apply(first, update)
    assert merge_batch(known, [(3, first)], None) == (known, None)


@few
@given(records(), records())
def test_a_merge_loses_nothing(old: Record, new: Record) -> None:
    """The merged record spans both, names all children and holds the keys of both; new wins."""
    assume((old.start_time, old.end_time) != (new.start_time, new.end_time))
    merged = merge(old, new)
    assert merged.start_time == min(old.start_time, new.start_time)
    assert merged.end_time in (old.end_time, new.end_time)
    assert (merged.end_time is None) == (old.end_time is None and new.end_time is None)
    ids = [orjson.loads(r.children_ids) for r in (old, new, merged)]
    assert ids[2] == list(dict.fromkeys(ids[0] + ids[1]))
    for name in MERGED:
        before, after, both = (orjson.loads(getattr(r, name) or "{}") for r in (old, new, merged))
        assert both == {**before, **after}


@few
@given(records(), objects, objects)
def test_updates_merge_into_mappings(record: Record, first: Any, second: Any) -> None:
    """Two updates of a mapping are one update with both, and once more changes nothing."""
    for name in MERGED:
        updates = [Update("id", {name: orjson.dumps(part)}) for part in (first, second)]
        once = apply(apply(record, updates[0]), updates[1])
        assert once == apply(record, Update("id", {name: orjson.dumps({**first, **second})}))
        assert apply(once, updates[1]) == once


def plain(**fields: Any) -> Record:
    """A record with the fields of a startSession payload."""
    return from_start_session({"session_id": "id", "session_name": "name", **fields}, str)


@pytest.mark.parametrize(
    ("field", "data", "changed"),
    [
        ("outputs", b'{"x":1}', {"outputs": b'{"x":1}'}),
        ("outputs", b"[1,2]", {"outputs": b'{"result":[1,2]}'}),
        ("session_name", b'"other"', {"event_name": "other"}),
        ("event_name", b'"other"', {"event_name": "other"}),
        ("error", b'"E: bad"', {"error": "E: bad", "status": "error"}),
        ("error", b"null", {}),
        ("end_time", b"12", {"end_time": 12, "duration": 12.0}),
        ("duration", b"1.5", {"duration": 1.5}),
        ("children_ids", b'["c","a"]', {"children_ids": b'["a","b","c"]'}),
        ("unknown", b"1", {}),
    ],
)
def test_an_update_of_one_field(field: str, data: bytes, changed: dict[str, Any]) -> None:
    """Mappings merge, children add up, everything else is replaced, unknown names are ignored."""
    record = plain(children_ids=["a", "b"], outputs={"old": True})
    assert apply(record, Update("id", {field: data})) == record._replace(**changed)


def test_a_status_given_with_an_error_stands() -> None:
    """An update that says both error and status is taken at its word, in either order."""
    for names in itertools.permutations(("error", "status")):
        fields = {"error": b'"Timeout"', "status": b'"interrupted"'}
        record = apply(plain(), Update("id", {name: fields[name] for name in names}))
        assert (record.error, record.status) == ("Timeout", "interrupted")


def test_the_reserved_key_merges_inside() -> None:
    """What honeytrace notes under its own key adds up, where another nested mapping is replaced."""
    old = orjson.dumps({RESERVED: {"a": 1, "b": 1}, "other": {"a": 1}})
    new = orjson.dumps({RESERVED: {"b": 2}, "other": {"b": 2}})
    merged = merge_objects(old, new)
    assert merged is not None
    assert orjson.loads(merged) == {RESERVED: {"a": 1, "b": 2}, "other": {"b": 2}}


def test_absent_objects_merge_as_nothing() -> None:
    """Absent on one side is the other side; absent on both stays absent."""
    assert merge_objects(None, None) is None
    assert merge_objects(b"{}", None) == merge_objects(None, b"{}") == b"{}"


def test_ids_keep_their_order() -> None:
    """Ids known already keep their places, new ones follow."""
    assert merge_ids(b'["b","a"]', b'["c","a"]') == b'["b","a","c"]'
    assert merge_ids(b'["b"]', b"[]") == b'["b"]'


@pytest.mark.parametrize(
    ("data", "wrapped"),
    [
        (None, None),
        (b"{}", b"{}"),
        (b"[1]", b'{"result":[1]}'),
        (b'"{"', b'{"result":"{"}'),
        (b"null", b'{"result":null}'),
    ],
)
def test_only_objects_go_out(data: bytes | None, wrapped: bytes | None) -> None:
    """What is no JSON object is put into one, under `result`."""
    assert as_object(data) == wrapped


def test_the_wire_form() -> None:
    """A record is a startSession request of HoneyHive's names; what is absent is not there."""
    record = plain(
        project="p",
        source="s",
        start_time=1.5,
        end_time=3,
        duration=1.5,
        error="E",
        children_ids=["c"],
        inputs={"q": "é"},
        metadata={RESERVED: {"parent_id": "up", "root_id": "top"}},
    )
    assert orjson.loads(start_session_body(record)) == {
        "session": {
            "project": "p",
            "session_name": "name",
            "source": "s",
            "session_id": "id",
            "start_time": 1.5,
            "end_time": 3,
            "duration": 1.5,
            "error": "E",
            "children_ids": ["c"],
            "inputs": {"q": "é"},
            "metadata": {RESERVED: {"parent_id": "up", "root_id": "top"}},
        }
    }
    bare = orjson.loads(start_session_body(plain()))["session"]
    assert bare == {
        "project": "",
        "session_name": "name",
        "source": "unknown",
        "session_id": "id",
        "start_time": 0.0,
        "children_ids": [],
    }


@few
@given(records(), st.sampled_from(["ok", "error", "cancelled"]))
def test_the_wire_loses_nothing(record: Record, status: str) -> None:
    """A record that notes its family and status under the reserved key returns from its own
    request body as it was."""
    own = {"root_id": record.root_id, "event_type": record.event_type, "status": status}
    if record.parent_id is not None:
        own["parent_id"] = record.parent_id
    metadata = orjson.dumps({**orjson.loads(record.metadata or "{}"), RESERVED: own})
    name, source = record.event_name or "n", record.source or "s"
    record = record._replace(metadata=metadata, status=status, event_name=name, source=source)
    body = orjson.loads(start_session_body(record))
    assert from_start_session(body["session"], str) == record


def test_a_payload_without_an_id_gets_one() -> None:
    """An id is minted only where the payload brings none; the session is then its own root."""
    minted = from_start_session({}, lambda: "minted")
    assert (minted.event_id, minted.root_id, minted.event_type) == ("minted", "minted", "session")
    assert plain().event_id == "id"


def test_a_foreign_payload() -> None:
    """A payload another client wrote may lack everything, and hold anything in our key."""
    record = plain(metadata={RESERVED: "not ours"}, end_time=12.7, error="E")
    assert (record.end_time, record.status, record.parent_id) == (13, "error", None)
    assert record.metadata == b'{"honeytrace":"not ours"}'


def test_decoding_takes_our_notes_out() -> None:
    """A reader gets objects for all JSON parts, and our notes as `details`, not as metadata."""
    record = plain(children_ids=["c"], inputs={"q": 1}, metadata={"k": 1, RESERVED: {"masked": []}})
    fields = decode(record)
    assert fields["session_id"] == "id"
    assert fields["session_name"] == "name"
    assert fields["children_ids"] == ["c"]
    assert (fields["inputs"], fields["outputs"]) == ({"q": 1}, {})
    assert (fields["metadata"], fields["details"]) == ({"k": 1}, {"masked": []})


def test_a_continuation_keeps_what_it_does_not_say() -> None:
    """A second account without parent and outputs takes neither away."""
    first = plain(
        start_time=1.0, end_time=2, outputs={"a": 1}, metadata={RESERVED: {"parent_id": "up"}}
    )
    both = merge(first, plain(start_time=3.0, end_time=5))
    assert (both.parent_id, both.outputs) == ("up", b'{"a":1}')
    assert (both.start_time, both.end_time, both.duration) == (1.0, 5, 4.0)


def test_the_end_of_a_running_session_has_its_own_duration() -> None:
    """What was known as running takes the duration that is measured, not the rounded times'."""
    running = plain(start_time=1.25)
    ended = plain(start_time=1.25, end_time=3, duration=1.5)
    assert merge(running, ended).duration == 1.5


def test_an_end_is_not_before_its_start() -> None:
    """Its whole milliseconds are rounded up, in the record as in the session."""
    s = ended(_start=1_500_000, _end=1_600_000)
    record = record_of(s, "p", "s")
    assert (record.start_time, record.end_time, record.duration) == (1.5, 2, 0.1)
    assert (s.start_time, s.end_time) == (1.5, 2)


def test_what_every_session_is_takes_no_metadata() -> None:
    """The reserved key says of a child whose it is, and no more where nothing is unusual."""
    root = ended()
    failed = "error", "E: m", {"traceback": "t"}
    child = ended(_parent=root, _root=root, _spec=Spec("call", event_type="chain"), _failure=failed)
    kin = {"parent_id": root.session_id, "root_id": root.session_id}
    own = orjson.loads(record_of(child, "p", "s").metadata or b"")[RESERVED]
    assert own == {**kin, "traceback": "t"}
    child = ended(_parent=root, _root=root, _spec=Spec("call", event_type="tool"))
    child._failure = "cancelled", None, {}
    own = orjson.loads(record_of(child, "p", "s").metadata or b"")[RESERVED]
    assert own == {**kin, "event_type": "tool", "status": "cancelled"}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans()), max_size=12))
def test_records_of_a_run_share_only_what_they_have_in_common(
    calls: list[tuple[int, int, bool]],
) -> None:
    """Made in one run, whatever functions and parents take turns, records are as made alone."""
    specs = [Spec("a"), Spec("b", event_type="tool", source="own"), Spec("c", fixed=FIXED)]
    tops = [None, ended(), ended(_id="chosen"), ended()]
    tops[3]._parent = tops[3]._root = tops[2]

    def made(spec: int, top: int, fails: bool) -> Any:
        parent = tops[top]
        root = parent if parent is None or parent._root is None else parent._root
        failure = ("error", "E: m", {}) if fails else None
        return ended(
            b'{"a":1}', b"2", _spec=specs[spec], _parent=parent, _root=root, _failure=failure
        )

    alike = Alike()
    for call in calls:
        s = made(*call)
        expected = {"parent_id": s.parent_id, "root_id": s._root and s._root.session_id}
        alone, shared = record_of(s, "p", "s"), record_of(made(*call), "p", "s", alike)
        same = {"event_id": "", "session_id": ""} | ({} if s._parent else {"root_id": ""})
        assert shared._replace(**same) == alone._replace(**same)
        assert (shared.parent_id, shared.root_id) == (
            expected["parent_id"],
            expected["root_id"] or shared.event_id,
        )


def test_children_are_told_in_order() -> None:
    """Ids that were chosen and ids that were made stand in the record as they do on the session."""
    s = ended()
    s._children = [(1_700_000_000_000_000_000, 5), 'a "b" ü', (1_700_000_000_000_000_000, 6)]
    assert orjson.loads(record_of(s, "p", "s").children_ids) == s.children_ids


FIXED: dict[str, Any] = {"config": {"k": 1}}
FORGED = {
    "too few parts": ["id"],
    "an id that is no text": [1, {}],
    "an update that is no JSON": ["id", {"metrics": "{"}],
    "children that are no list": list(plain()._replace(children_ids=b"{}")),
    "no children": list(plain()._replace(children_ids=None)),  # type: ignore[arg-type]
    "a name that is none": list(plain()._replace(event_name=None)),  # type: ignore[arg-type]
    "a time that is text": list(plain()._replace(start_time="now")),  # type: ignore[arg-type]
    "inputs that are no object": list(plain()._replace(inputs=b"[]")),
}


@pytest.mark.parametrize("parts", FORGED.values(), ids=FORGED)
def test_what_cannot_be_a_record_is_none(parts: Any) -> None:
    """A file may hold anything: what is wrong in any part is a ValueError."""
    with pytest.raises(ValueError):
        unpack(orjson.dumps([p.decode() if isinstance(p, bytes) else p for p in parts]))


@pytest.mark.parametrize(
    ("times", "duration"),
    [
        ({"start_time": 5, "end_time": 9}, 4.0),
        ({"start_time": 9, "end_time": 5}, 0.0),
        ({"start_time": 5, "end_time": 9, "duration": 1.5}, 1.5),
        ({"start_time": 5}, None),
        ({"end_time": 5}, None),
    ],
)
def test_a_missing_duration_follows_from_start_and_end(
    times: dict[str, float], duration: float | None
) -> None:
    """A duration that was sent stands, and none is negative."""
    assert plain(**times).duration == duration


def test_an_end_that_comes_later_gives_the_duration() -> None:
    """A session that was started and is updated with its end has taken that long."""
    assert apply(plain(start_time=5), Update("id", {"end_time": b"9"})).duration == 4.0


PROVISIONAL = {"metadata": {"honeytrace": {"provisional": True}}}


@pytest.mark.parametrize("made_first", [True, False])
def test_a_provisional_session_gives_way(made_first: bool) -> None:
    """Whichever is stored first, a session made of the spans of a trace takes the root's name."""
    made = plain(session_name="child", start_time=2, end_time=3, **PROVISIONAL)
    root = plain(session_name="root", start_time=1, end_time=4)
    merged = merge(made, root) if made_first else merge(root, made)
    assert (merged.event_name, merged.start_time, merged.end_time) == ("root", 1, 4)
    assert b'"provisional":true' not in (merged.metadata or b"")
