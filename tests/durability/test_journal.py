"""The journal: a file that holds, at every moment, exactly what is recorded and not released."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path

import pytest

import honeytrace
from honeytrace._capture.call import begin, done
from honeytrace._capture.spec import Spec
from honeytrace._durability import entry_writer
from honeytrace._durability import journal as _journal
from honeytrace._durability.directories import candidates
from honeytrace._durability.journal import Journal, open_journal
from honeytrace._record.record import Update
from journalled import SIZE, die, recorded_kinds, recording, recovered


@pytest.mark.parametrize("kind", recorded_kinds, ids=lambda kind: kind.__name__)
def test_recovered_record_equals_the_submitted_one(kind, tmp_path: Path) -> None:
    """Whatever a call was given and did, its record comes back field by field."""
    with recording(tmp_path) as recorder:
        kind(recorder)
        die(recorder.journal)
    items, found = recovered(tmp_path)
    expected = sorted(recorder.records.values(), key=lambda r: r.start_time)
    assert items == expected
    assert (found.records, found.interrupted, found.damaged) == (len(expected), 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_running_calls_come_back_as_interrupted(tmp_path: Path) -> None:
    """A call that runs when the process dies keeps its inputs, its kin and its children."""
    with recording(tmp_path) as recorder, recorder.call("outer", inputs={"q": "why"}) as outer:
        with recorder.call("done"):
            pass
        with recorder.call("inner", session_id="chosen") as inner:
            die(recorder.journal)
    items, found = recovered(tmp_path)
    by_name = {item.event_name: item for item in items}
    assert found.interrupted == 2
    assert [by_name[n].status for n in ("outer", "done", "inner")] == [
        "interrupted",
        "ok",
        "interrupted",
    ]
    assert by_name["outer"].inputs == b'{"q":"why"}'
    assert by_name["outer"].end_time is None
    assert by_name["inner"].parent_id == outer.session_id
    known = [by_name["done"].event_id, inner.session_id]
    assert by_name["outer"].children_ids == b'["%b","%b"]' % tuple(i.encode() for i in known)


def test_updates_are_kept(tmp_path: Path) -> None:
    """What is told after the end of a session follows it out of the journal."""
    update = Update(
        "some-id", {"feedback": b'{"rating":5}', "inputs": b'{"x":"%b"}' % (b"y" * 9000)}
    )
    with recording(tmp_path) as recorder:
        assert recorder.journal.noted(update) is not None
        die(recorder.journal)
    assert recovered(tmp_path)[0] == [update]


def test_released_slots_are_used_again(tmp_path: Path) -> None:
    """A file of bounded size takes any number of calls, as long as they are delivered."""
    with recording(tmp_path) as recorder:
        for n in range(2_000):
            with recorder.call("call", inputs={"pad": "x" * (n % 20_000)}) as s:
                s.outputs = "y" * (n % 3_000)
            recorder.journal.release(recorder.places.pop(s.session_id))
        assert recorder.journal.unprotected == 0
        recorder.journal.retire()
    assert list(tmp_path.iterdir()) == []


def test_slots_of_a_run_are_released_at_once(tmp_path: Path) -> None:
    """Calls of all sizes that are released together leave nothing in use, and the file goes."""
    with recording(tmp_path) as recorder:
        for _ in range(30):
            for size in (0, 1_000, 6_000):
                with recorder.call("call", inputs={"pad": "x" * size}) as s:
                    s.outputs = "y" * size
            run = [*recorder.places.values()]
            recorder.places.clear()
            recorder.journal.release_run(run)
            assert (run, recorder.journal.in_use()) == ([], 0)
        assert recorder.journal.unprotected == 0
        recorder.journal.retire()
    assert list(tmp_path.iterdir()) == []


def test_full_journal_lets_the_call_pass_and_counts_it(tmp_path: Path) -> None:
    """Nothing blocks and nothing raises when there is no room; what was written stays."""
    with recording(tmp_path, _journal.SMALLEST) as recorder:
        for _ in range(1_000):
            with recorder.call("call", inputs={"n": 1}):
                pass
        kept = len(recorder.places)
        assert 0 < kept < 1_000
        assert recorder.journal.unprotected == 1_000 - kept
        die(recorder.journal)
    items, found = recovered(tmp_path)
    assert ({item.event_id for item in items}, found.damaged) == (set(recorder.places), 0)


def test_outputs_without_room_leave_the_call_open(tmp_path: Path) -> None:
    """A call whose end finds the journal full is still known to have run."""
    with recording(tmp_path, _journal.SMALLEST) as recorder:
        with recorder.call("call") as s:
            s.outputs = "y" * 100_000
        assert recorder.journal.unprotected == 1
        die(recorder.journal)
    assert [item.status for item in recovered(tmp_path)[0]] == ["interrupted"]


@pytest.mark.parametrize("torn", [False, True])
def test_outputs_share_the_block_of_their_inputs(torn: bool, tmp_path: Path) -> None:
    """A call of some kilobytes takes one block, and a byte of it that is wrong is noticed."""
    with recording(tmp_path) as recorder:
        blocks = len(recorder.journal._blocks)
        with recorder.call("call", inputs={"x": "x" * 4_000}) as s:
            s.outputs = "yes" * 300
        assert len(recorder.journal._blocks) == blocks - 1
        path = Path(recorder.journal.path)
        die(recorder.journal)
    if torn:
        path.write_bytes(path.read_bytes().replace(b"yesyes", b"yesno?", 1))
    items, found = recovered(tmp_path)
    assert found.damaged == torn
    assert items == ([] if torn else list(recorder.records.values()))


@pytest.mark.parametrize("inputs", [415, 416, 417, 4_600, 5_111, 5_112, 5_113])
@pytest.mark.parametrize("large", [1, 25])
def test_every_size_keeps_to_its_place(inputs: int, large: int, tmp_path: Path) -> None:
    """Calls that run at once, with whose sizes slots and blocks are just full or just too small."""
    sizes = [2, 3, 415, 416, 417, 440, 441, 504, 505, 5_111, 5_112, 5_113, 10_225]
    with recording(tmp_path, SIZE * large) as recorder:
        running = []
        for size in sizes:
            s = begin(Spec("call"), None, {"x": "i" * (inputs - 8)})
            recorder.take(s)
            running.append((s, size))
        for s, size in running:
            done(s, "o" * (size - 2), None)
        die(recorder.journal)
    assert {len(record.inputs or b"") for record in recorder.records.values()} == {inputs}
    items, found = recovered(tmp_path)
    assert items == list(recorder.records.values())
    assert (found.records, found.interrupted, found.damaged) == (len(sizes), 0, 0)


@pytest.mark.parametrize("children", [1, 3, 50, 51, 200])
@pytest.mark.parametrize("inputs", [2, 400, 4_600, 4_950, 5_080, 5_104])
def test_parents_of_every_size(children: int, inputs: int, tmp_path: Path) -> None:
    """The ids of few and of many children, beside little and much, come back with their parent."""
    with recording(tmp_path) as recorder:
        parent = begin(Spec("parent"), None, {"x": "i" * (inputs - 2)})
        recorder.take(parent)
        for _ in range(children):
            done(begin(Spec("child"), parent, None), None, parent)
        parent._children.extend(["chosen"] * (children == 3))
        done(parent, "o" * 20, None)
        expected = recorder.records[parent.session_id]
        die(recorder.journal)
    assert expected.children_ids.count(b"-") >= children * 4
    items, found = recovered(tmp_path)
    assert items == [expected]
    assert (found.records, found.damaged) == (1, 0)


def test_a_full_journal_asks_for_room(tmp_path: Path) -> None:
    """For the entry of a call, for its end and for an update; with the room made, each is kept."""
    with recording(tmp_path, _journal.SMALLEST) as recorder:
        journal, places = recorder.journal, recorder.places
        needed: list[str] = []
        unprotected = 0

        def fill(inputs: dict[str, str]) -> None:
            """Until nothing of this size finds room any more."""
            nonlocal unprotected
            journal.relieve = bool
            while journal.unprotected == unprotected:
                with recorder.call("waits", inputs=inputs):
                    pass
            unprotected = journal.unprotected
            journal.relieve = relieve

        def relieve() -> bool:
            """What a move to disk does: the places of all that has ended are free."""
            ended = places.keys() - needed
            for each in ended:
                journal.release(places.pop(each))
            return bool(ended)

        with recorder.call("first") as first:
            needed.append(first.session_id)
            fill({})
            with recorder.call("second") as second:
                needed.append(second.session_id)
            fill({"pad": "x" * 5_000})
            first.outputs = "y" * 9_000
        fill({})
        small = Update("small", {"feedback": b'{"rating":5}'})
        assert journal.noted(small) is not None
        fill({"pad": "x" * 5_000})
        large = Update("large", {"inputs": b'{"x":"%b"}' % (b"y" * 9_000)})
        assert journal.noted(large) is not None
        assert journal.unprotected == unprotected
        die(journal)
    items = recovered(tmp_path)[0]
    assert [item for item in items if isinstance(item, Update)] == [small, large]
    kept = {item.event_id: item for item in items}
    assert [kept[each] for each in needed] == [recorder.records[each] for each in needed]


def test_the_last_free_slot_is_the_calls(tmp_path: Path) -> None:
    """Its spec, new and without a slot of its own, goes along with it."""
    with recording(tmp_path, _journal.SMALLEST) as recorder:
        while not recorder.journal.unprotected:
            with recorder.call("waits"):
                pass
        recorder.journal.release(recorder.places.popitem()[1])
        with recorder.call("another", metadata={"n": 1}) as s:
            pass
        die(recorder.journal)
    assert recorder.records[s.session_id] in recovered(tmp_path)[0]


def test_a_spec_larger_than_the_journal_costs_its_call_alone(tmp_path: Path) -> None:
    """It is counted, the next is kept, and no place is lost with it."""
    fixed = {f"m{n}": "x" * 10_000 for n in range(10)}
    with recording(tmp_path, _journal.SMALLEST) as recorder:
        s = begin(Spec("large", fixed={"metadata": fixed}), None, None)
        recorder.take(s)
        done(s, None, None)
        assert recorder.journal.unprotected == 1
        with recorder.call("next") as following:
            pass
        assert list(recorder.places) == [following.session_id]
        recorder.journal.retire()
        recorder.journal.release(recorder.places.pop(following.session_id))
    assert list(tmp_path.iterdir()) == []


def test_a_block_in_a_loop_brings_one_spec(tmp_path: Path, monkeypatch) -> None:
    """Each time round it is another object that says the same: the file has it once."""
    monkeypatch.setattr(entry_writer, "MAX_SPECS", 3)
    with recording(tmp_path, _journal.SMALLEST) as recorder:
        for _ in range(1_000):
            with recorder.call("round") as s:
                pass
            if len(recorder.places) > 10:
                recorder.journal.release(recorder.places.pop(s.session_id))
        assert recorder.journal.unprotected == 0
        die(recorder.journal)
    assert [item.event_name for item in recovered(tmp_path)[0]] == ["round"] * 10


def test_a_block_that_another_thread_took_is_done_without(tmp_path: Path) -> None:
    """Between the look at the free blocks and the grasp for one, the last may go."""

    class Contended(deque):
        def pop(self):
            self.clear()
            return super().pop()

    with recording(tmp_path) as recorder:
        recorder.journal._blocks = Contended(recorder.journal._blocks)
        with recorder.call("call", inputs={"pad": "x" * 3_000}) as s:
            pass
        die(recorder.journal)
    assert recovered(tmp_path)[0] == [recorder.records[s.session_id]]


def test_more_specs_than_numbers_go_along_with_their_calls(tmp_path: Path, monkeypatch) -> None:
    """Names without end do not fill the journal: there is room for calls all the while."""
    monkeypatch.setattr(entry_writer, "MAX_SPECS", 3)
    with recording(tmp_path, _journal.SMALLEST) as recorder:
        for n in range(1_000):
            with recorder.call(f"case-{n}") as s:
                pass
            if n < 980:
                recorder.journal.release(recorder.places.pop(s.session_id))
        assert recorder.journal.unprotected == 0
        die(recorder.journal)
    names = [item.event_name for item in recovered(tmp_path)[0]]
    assert names == [f"case-{n}" for n in range(980, 1_000)]


def test_parents_that_take_turns(tmp_path: Path) -> None:
    """Each call is recovered under its own parent, whoever's child was journalled before."""
    spec = Spec("call")
    with recording(tmp_path) as recorder:
        roots = [begin(spec, None, None) for _ in range(2)]
        children = [begin(spec, roots[n % 2], None) for n in range(4)]
        for s in (*roots, *children):  # nobody has asked for an id: they are numbers yet
            assert recorder.journal.opened(s) is not None
        die(recorder.journal)
        for s in (*children, *roots):
            done(s, None, None)
    found = {item.event_id: item.parent_id for item in recovered(tmp_path)[0]}
    assert found == {s.session_id: s.parent_id for s in (*roots, *children)}


def test_threads_write_at_once(tmp_path: Path) -> None:
    """No lock, and no two calls in one slot."""
    with recording(tmp_path, 4 << 20) as recorder:
        gate = threading.Barrier(8)

        def work(n: int) -> None:
            gate.wait()
            for i in range(200):
                with recorder.call(f"t{n}", inputs={"i": i, "pad": "x" * (i % 700)}):
                    pass

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        die(recorder.journal)
    items, found = recovered(tmp_path)
    assert sorted(items) == sorted(recorder.records.values())
    assert found.damaged == 0


def test_retired_journal_waits_for_what_runs(tmp_path: Path) -> None:
    """The file goes when its last call is released, not before."""
    with recording(tmp_path) as recorder:
        with recorder.call("last") as s:
            recorder.journal.retire()
        assert os.path.exists(recorder.journal.path)
        recorder.journal.release(recorder.places.pop(s.session_id))
        assert not os.path.exists(recorder.journal.path)
        assert recorder.journal.opened(s) is None


def test_a_large_spec_does_not_keep_the_file(tmp_path: Path) -> None:
    """What a spec takes is not waited for: it is of no use without calls."""
    spec = Spec("large", fixed={"metadata": {"pad": "x" * 20_000}})
    with recording(tmp_path) as recorder:
        s = begin(spec, None, None)
        recorder.take(s)
        done(s, None, None)
        recorder.journal.release(recorder.places.pop(s.session_id))
        recorder.journal.retire()
    assert list(tmp_path.iterdir()) == []


def test_a_slot_taken_while_the_journal_retires_keeps_the_file(tmp_path: Path) -> None:
    """A thread that takes one after they were counted has its call in a file that is there."""
    taken: list[int] = []

    class Contended(deque):
        def __len__(self):
            found = super().__len__()
            if not taken:
                taken.append(self.pop())
            return found

    journal = Journal.create(str(tmp_path), SIZE)
    journal._free = Contended(journal._free)
    journal.retire()
    assert os.path.exists(journal.path)
    journal.release((journal, taken[0], b"", 0, None))
    assert not os.path.exists(journal.path)


def test_forked_child_leaves_the_journal_to_its_parent(tmp_path: Path) -> None:
    """What the child ends of the parent's calls is not written, and the lock stays the parent's."""
    with recording(tmp_path) as recorder, recorder.call("both") as s:
        before = Path(recorder.journal.path).read_bytes()
        pid = os.fork()
        if pid == 0:
            recorder.journal.forget()
            recorder.journal.closed(s, recorder.places[s.session_id])
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert Path(recorder.journal.path).read_bytes() == before
        assert recovered(tmp_path)[1].journals == 0
        die(recorder.journal)


def test_a_child_without_memory_writes_nowhere(tmp_path: Path, monkeypatch) -> None:
    """Where the parent's map cannot be replaced, calls of the child are not journalled."""
    with recording(tmp_path) as recorder:
        s = begin(Spec("call"), None, {"x": 1})
        recorder.take(s)
        (place,) = recorder.places.values()
        monkeypatch.setattr("mmap.mmap", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            recorder.journal.forget()
        for write in (lambda: recorder.take(s), lambda: recorder.journal.closed(s, place)):
            with pytest.raises(ValueError, match="closed"):
                write()
        with pytest.raises(ValueError, match="closed"):
            recorder.journal.release(place)


def test_private_to_the_user(tmp_path: Path) -> None:
    """Nobody else can list or read a journal."""
    directory = tmp_path / "a" / "journal"
    with recording(directory) as recorder:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE(directory.parent.stat().st_mode) == 0o700  # nobody can replace it
        assert stat.S_IMODE(os.stat(recorder.journal.path).st_mode) == 0o600
        recorder.journal.retire()


def test_only_redacted_data_is_written(tmp_path: Path) -> None:
    """What the snapshot masks never reaches the disk."""
    with recording(tmp_path) as recorder:
        with recorder.call("call", inputs={"api_key": "sk-live-1"}, metadata={"token": "t-99"}):
            pass
        data = Path(recorder.journal.path).read_bytes()
        recorder.journal.retire()
    assert b"sk-live-1" not in data
    assert b"t-99" not in data


def test_fall_backs(tmp_path: Path, monkeypatch) -> None:
    """A directory that cannot be written is replaced by one of its own; without any, none."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    journal, warning = open_journal(str(blocked / "journal"), SIZE)
    assert journal is not None
    assert warning is None
    place = Path(journal.path).parent
    assert place.parent == tmp_path / "state" / "honeytrace" / "journal"
    assert str(place) in candidates(str(blocked / "journal"))
    assert str(place) not in candidates(str(tmp_path / "another" / "journal"))
    journal.retire()

    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    monkeypatch.setattr(tempfile, "tempdir", str(blocked))
    journal, warning = open_journal(str(blocked / "journal"), SIZE)
    assert journal is None
    assert "HONEYTRACE_JOURNAL" in warning


def test_symlink_in_place_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    """A journal goes nowhere that another user could have pointed it to."""
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(PermissionError, match="of this user"):
        Journal.create(str(tmp_path / "link"), SIZE)


def test_directory_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch) -> None:
    """Whoever owns it could read what is in it."""
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    with pytest.raises(PermissionError, match="of this user"):
        Journal.create(str(tmp_path), SIZE)


def test_disk_without_room_gives_no_journal(tmp_path: Path, monkeypatch) -> None:
    """The space is reserved at the start: a full disk is found out then, and leaves no file."""
    monkeypatch.setattr("honeytrace._durability.journal.LARGEST", 1 << 60)
    with pytest.raises(OSError, match=r"."):
        Journal.create(str(tmp_path), 1 << 60)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_a_recovery_came_across_is_made_anew(tmp_path: Path, monkeypatch) -> None:
    """Before it is locked it looks like that of a dead process: it may be gone, or in use."""
    rival = _journal.lock
    seen: list[Path] = []

    def late(fd: int) -> bool:
        (path,) = set(tmp_path.iterdir()) - set(seen)
        seen.append(path)
        if len(seen) == 1:
            path.unlink()
        elif len(seen) == 2:
            held.append(os.open(path, os.O_RDWR))
            assert rival(held[0])
        return rival(fd)

    held: list[int] = []
    monkeypatch.setattr(_journal, "lock", late)
    journal = Journal.create(str(tmp_path), SIZE)
    assert [Path(journal.path)] == seen[2:]
    held.append(os.open(journal.path, os.O_RDWR))
    assert not rival(held[1])
    for fd in held:
        os.close(fd)
    journal.retire()


def test_space_is_reserved_without_fallocate(tmp_path: Path, monkeypatch) -> None:
    """Where the system has no call for it, all of the file is written once."""
    monkeypatch.delattr(os, "posix_fallocate")
    journal = Journal.create(str(tmp_path), 3 << 20)
    found = os.stat(journal.path)
    assert found.st_blocks * 512 >= found.st_size > 2 << 20
    journal.retire()


def test_windows_is_told_what_it_goes_without(tmp_path: Path, monkeypatch) -> None:
    """There is no `flock`: no journal, and a warning that says what that means."""
    monkeypatch.setattr(sys, "platform", "win32")
    journal, warning = open_journal(str(tmp_path), SIZE)
    assert journal is None
    assert "do not survive a kill" in warning
    assert list(tmp_path.iterdir()) == []


def test_synced_to_the_disk_on_demand(tmp_path: Path) -> None:
    """`sync` puts on the disk what the map holds."""
    with recording(tmp_path) as recorder:
        with recorder.call("call"):
            pass
        recorder.journal.sync()
        die(recorder.journal)
    assert len(recovered(tmp_path)[0]) == 1


def test_chosen_kin(tmp_path: Path) -> None:
    """Ids that the program chose are kept as they are, in parent and root too."""
    with recording(tmp_path) as recorder:
        with recorder.call("a", session_id="A"), recorder.call("b"), recorder.call("c"):
            assert honeytrace.current_session().parent_id is not None
        die(recorder.journal)
    items, _ = recovered(tmp_path)
    assert items == sorted(recorder.records.values(), key=lambda r: r.start_time)
    assert items[2].root_id == "A"
