"""Notes in a journal's header: whose it is, when it was last seen, and how it ended."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from honeytrace._durability.journal import Journal, note_exit
from honeytrace._durability.journal_notes import PULSE, oom_kills, read_notes
from honeytrace._durability.open_calls import living
from journalled import SIZE, die, recording


def notes_of(journal: Journal) -> object:
    with open(journal.path, "rb") as file:
        return read_notes(file.fileno())


def test_a_journal_says_whose_it_is(tmp_path: Path) -> None:
    """Its process, and what tells that process from a later one with the same id."""
    journal = Journal.create(str(tmp_path), SIZE)
    notes = notes_of(journal)
    assert notes.facts["pid"] == os.getpid()
    assert notes.seen is None
    assert notes.end is None
    if sys.platform == "linux":
        assert {"born", "boot"} <= notes.facts.keys()
    die(journal)


def test_a_pulse_only_while_a_call_is_open(tmp_path: Path) -> None:
    """A process in which nothing runs and nothing waits need not wake up."""
    with recording(tmp_path) as recorder:
        journal = recorder.journal
        assert journal.beat() is None
        assert notes_of(journal).seen is None
        with recorder.call("call") as s:
            assert journal.beat() == PULSE
            assert notes_of(journal).seen >= s.start_time
        die(journal)
        assert journal.beat() is None


def test_an_exit_in_order_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the type of the exception that ended the program, and nothing that it says."""
    journal = Journal.create(str(tmp_path), SIZE)
    name = "last_exc" if sys.version_info >= (3, 12) else "last_value"
    monkeypatch.setattr(sys, name, KeyError("sk-secret"), raising=False)
    note_exit()
    assert notes_of(journal).end["error"] == "KeyError"
    assert b"sk-secret" not in Path(journal.path).read_bytes()
    die(journal)


def test_damaged_notes_are_no_notes(tmp_path: Path) -> None:
    """Whatever the bytes are: nothing depends on them."""
    journal = Journal.create(str(tmp_path), SIZE)
    for garbage in (b"\xff" * 440, b"\x05\x00{oops" + bytes(400), b"\x02\x00[]"):
        with open(journal.path, "r+b") as file:
            file.seek(64)
            file.write(garbage)
        assert notes_of(journal).facts == {}
    with open(tmp_path / "short", "w+b") as file:
        assert read_notes(file.fileno()).facts == {}
    die(journal)


def test_a_journal_under_recovery_is_no_living_one(tmp_path: Path) -> None:
    """Its lock is held, by the recovery: the mark tells that the process is dead."""
    import fcntl

    from honeytrace._durability.journal_notes import mark_dead

    with recording(tmp_path) as recorder, recorder.call("call"):
        path = recorder.journal.path
        assert [each.path for each in living(str(tmp_path))] == [path]
        die(recorder.journal)
        with open(path, "r+b") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            mark_dead(file.fileno())
            assert list(living(str(tmp_path))) == []


def test_the_count_of_oom_kills(tmp_path: Path) -> None:
    """Of either version of cgroups; None where the file has no such count."""
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\n")
    (tmp_path / "other").write_text("nothing\n")
    assert oom_kills(str(tmp_path / "memory.events")) == 1
    assert oom_kills(str(tmp_path / "other")) is None
    assert oom_kills(str(tmp_path / "missing")) is None
