"""Journals read while others write to them: nothing that is half written or gone is believed."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

from honeytrace._durability.open_calls import living, open_calls
from journalled import SIZE, die, recording


def test_open_calls_and_ended_ones(tmp_path: Path) -> None:
    """A call that runs has no end; one that ended is there until it is delivered."""
    with recording(tmp_path) as recorder:
        with recorder.call("outer", inputs={"q": "why?"}), recorder.call("inner"):
            found = list(open_calls(str(tmp_path)))
            assert [(r.event_name, r.status, r.end_time) for r in found] == [
                ("outer", "running", None),
                ("inner", "running", None),
            ]
            assert found[0].inputs == b'{"q":"why?"}'
            assert found[1].parent_id == found[0].event_id
        assert [r.status for r in open_calls(str(tmp_path))] == ["ok", "ok"]
        for place in recorder.places.values():
            recorder.journal.release(place)
        assert list(open_calls(str(tmp_path))) == []


def test_long_inputs_of_an_open_call(tmp_path: Path) -> None:
    """What does not fit a slot is read along its chain."""
    with recording(tmp_path) as recorder, recorder.call("large", inputs={"x": "y" * 60_000}):
        (found,) = open_calls(str(tmp_path))
        assert found.inputs == b'{"x":"' + b"y" * 60_000 + b'"}'


def test_a_dead_process_has_no_open_calls(tmp_path: Path) -> None:
    """The lock tells: without it the journal is for recovery."""
    with recording(tmp_path) as recorder, recorder.call("call"):
        die(recorder.journal)
        assert list(open_calls(str(tmp_path))) == []


def test_a_file_that_is_no_journal_hides_no_other(tmp_path: Path) -> None:
    """Garbage, and what cannot be opened, is left out."""
    with recording(tmp_path) as recorder, recorder.call("call"):
        (tmp_path / "1-a.journal").write_bytes(b"garbage" * 100)
        (tmp_path / "1-b.journal").symlink_to("/nowhere")
        assert [r.event_name for r in open_calls(str(tmp_path))] == ["call"]


def test_a_journal_of_a_newer_version_hides_no_other(tmp_path: Path) -> None:
    """Its process lives; this version cannot read it and leaves it out."""
    newer = (tmp_path / "1-a.journal").open("wb")
    with newer, recording(tmp_path) as recorder, recorder.call("call"):
        newer.write(b"honeytrace journal 99\n" + bytes(1000))
        newer.flush()
        fcntl.flock(newer, fcntl.LOCK_EX)
        assert [r.event_name for r in open_calls(str(tmp_path))] == ["call"]
        assert len(list(living(str(tmp_path)))) == 1


def test_reading_while_calls_begin_and_end(tmp_path: Path) -> None:
    """Slots that are used again meanwhile give whole calls or none: inputs always fit the name."""
    with recording(tmp_path, SIZE) as recorder:
        stop = threading.Event()
        looks = threading.Semaphore(0)

        def read() -> None:
            while not stop.is_set():
                seen.extend((each.event_name, each.inputs) for each in open_calls(str(tmp_path)))
                looks.release()

        seen: list[tuple[str, bytes | None]] = []
        reader = threading.Thread(target=read)
        reader.start()
        try:
            for number in range(3_000):
                size = (10, 400, 9_000)[number % 3]
                with recorder.call(f"n{number}", inputs={"n": f"n{number}", "x": "z" * size}) as s:
                    if number % 50 == 0:  # the second look from here on began after the call
                        while looks.acquire(blocking=False):
                            pass
                        assert looks.acquire(timeout=60)
                        assert looks.acquire(timeout=60)
                recorder.journal.release(recorder.places.pop(s.session_id))
        finally:
            stop.set()
            reader.join()
    assert {name for name, _ in seen} >= {f"n{number}" for number in range(0, 3_000, 50)}
    for name, inputs in seen:
        assert inputs is not None
        assert inputs.startswith(b'{"n":"%b"' % name.encode())
