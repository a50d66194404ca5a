"""What dead processes left: delivered by the next one as soon as that is possible, by itself."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from destinations import PATIENCE, Scripted
from honeytrace import session
from honeytrace._capture.hooks import hooks
from honeytrace._durability import quarantine as _aside
from honeytrace._durability.disk_queue import DiskQueue
from honeytrace._durability.recovery import AwayError, Recovered, recover_all, retry_refused
from honeytrace._durability.redelivery import Redelivery
from honeytrace._record.wire import from_start_session
from honeytrace._runtime import keeper as _keeping
from honeytrace._runtime import runtime as _runtime
from honeytrace.sinks import Delivery
from journalled import die, plain, recording
from surroundings import environ

DIES = """
import os, honeytrace
honeytrace.configure(flush_interval=1000)
with honeytrace.session("left", session_id="left"):
    pass
with honeytrace.session("running", session_id="running", inputs={"q": "why?"}):
    os._exit(9)
"""


pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def left(alone: None, tmp_path: Path) -> None:
    """The journal of a process that died with one call finished and one running."""
    done = subprocess.run([sys.executable, "-c", DIES], cwd=tmp_path, env=environ(), check=False)
    assert done.returncode == 9
    assert len(os.listdir(".honeytrace/journal")) == 1


def recovering() -> None:
    """Wait for the recovery thread."""
    for thread in threading.enumerate():
        if thread.name == "honeytrace-recovery":
            thread.join(PATIENCE)
            assert not thread.is_alive()


def record(name: str) -> Any:
    return from_start_session({"session_id": name}, str)


@pytest.mark.usefixtures("left")
def test_the_next_process_that_records_delivers_it() -> None:
    """The finished call as it was, the running one as interrupted, with its inputs."""
    honeytrace.configure(store="sessions.db")
    with session("next"):
        pass
    recovering()
    assert honeytrace.get_session("left").status == "ok"
    running = honeytrace.get_session("running")
    assert (running.status, running.inputs, running.end_time) == (
        "interrupted",
        {"q": "why?"},
        None,
    )
    honeytrace.flush()
    own = _runtime.runtime().keeper.journal
    assert own is not None
    assert os.listdir(".honeytrace/journal") == [os.path.basename(own.path)]


@pytest.mark.usefixtures("left")
def test_recovery_waits_for_the_destination(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While it is away it is tried again, which is said once; then everything arrives once."""
    monkeypatch.setattr(_keeping, "_FIRST_TRY", 1e-4)
    tries = iter(range(5))
    taken: list[str] = []

    def answer(batch: list[Any]) -> Any:
        if next(tries, None) is not None:
            return ConnectionError("away")
        taken.extend(item.event_id for item in batch)
        return None

    honeytrace.configure(sink=Scripted(answer), sample_rate=1.0)
    with caplog.at_level(logging.WARNING), session("next"):
        recovering()
    assert sorted(taken) == ["left", "running"]
    said = [r for r in caplog.records if "dead processes left" in r.getMessage()]
    assert len(said) == 1
    assert honeytrace.flush()


@pytest.mark.usefixtures("left")
def test_recovery_gives_way_to_another_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for its destination ends when that is no longer ours."""
    monkeypatch.setattr(_keeping, "_FIRST_TRY", 1e6)
    away = Scripted(lambda batch: ConnectionError("away"))
    honeytrace.configure(sink=away, exit_timeout=0)
    with session("next"):
        away.wait_batches(1)
    assert {item.event_id for item in away.items} == {"left", "running"}
    honeytrace.configure(sink=Scripted())
    recovering()


def test_what_is_refused_is_set_aside_and_can_be_retried(left: None) -> None:
    """By recovery as by delivery."""
    odd = Scripted(lambda batch: Delivery(refused=[(i, "odd") for i in batch]))
    honeytrace.configure(sink=odd)
    found = _runtime.runtime().keeper.recover()
    assert (found.records, found.refused, found.interrupted) == (0, 2, 1)
    directory = _runtime.runtime().config.journal
    assert [each.reason for each in _aside.refused(directory)] == ["odd", "odd"]
    assert retry_refused(directory, Redelivery(lambda: odd).deliver).refused == 2
    good = Scripted()
    assert retry_refused(directory, Redelivery(lambda: good).deliver).records == 2
    assert sorted(item.event_id for item in good.items) == ["left", "running"]
    assert list(_aside.refused(directory)) == []


def test_journal_sync_writes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for, the journal goes to the disk before each delivery; unasked, never."""
    done: list[str] = []
    monkeypatch.setattr(
        "honeytrace._durability.journal.Journal.sync", lambda self: done.append("synced")
    )
    for asked in (False, True):
        sink = Scripted(lambda batch: done.append("delivered"))
        honeytrace.configure(sink=sink, journal_sync=asked, flush_interval=1e-3)
        with session():
            pass
        assert honeytrace.flush()
        assert done[:2] == (["synced", "delivered"] if asked else ["delivered"])
        done.clear()


def test_a_call_in_a_logging_handler_while_the_journal_opens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What opening the journal itself records neither waits for it nor opens another."""
    for name in ("XDG_STATE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    (tmp_path / "file").write_text("in the way")
    inside: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "journal" in record.getMessage():
                with session("from the handler") as s:
                    inside.append(s.session_id)

    handler = Handler()
    logging.getLogger("honeytrace").addHandler(handler)
    try:
        honeytrace.configure(sink=(sink := Scripted()), journal=tmp_path / "file" / "journal")
        with session("first") as first:
            pass
        assert honeytrace.flush()
    finally:
        logging.getLogger("honeytrace").removeHandler(handler)
    assert len(inside) == 1
    assert {item.event_id for item in sink.items} == {first.session_id, *inside}
    assert hooks.opened(first) is None  # without a journal nothing tries again


def test_hostile_files_set_aside_are_left_out(tmp_path: Path) -> None:
    """Rubbish among the refused records is neither listed nor retried, and harms nothing."""
    directory = str(tmp_path / "j")
    _aside.set_aside(directory, record("good"), "because")
    place = tmp_path / "j" / "refused"
    (place / "1.json").write_bytes(b'{"reason":1}\n[]')
    (place / "2.json").write_bytes(b'{"reason":"x","since":1}\n[1,{"a":2}]')
    (place / "3.json").symlink_to(place / "1.json")
    (place / "4.json").touch()
    os.truncate(place / "4.json", 1 << 40)
    assert [each.item.event_id for each in _aside.refused(directory)] == ["good"]


@pytest.mark.usefixtures("left")
def test_a_short_program_recovers_before_it_ends(tmp_path: Path) -> None:
    """The end waits for a recovery under way, within its deadline."""
    program = "import honeytrace\nwith honeytrace.session('short'): pass"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environ(), check=True)
    honeytrace.configure(store=".honeytrace/sessions.db")
    found = {s.session_name for s in honeytrace.list_sessions()}
    assert found == {"left", "running", "short"}
    assert os.listdir(".honeytrace/journal") == []


def test_an_update_alone_is_journalled(tmp_path: Path) -> None:
    """A process that only adds feedback, and is killed, has added it."""
    program = """
import os, honeytrace
honeytrace.configure(flush_interval=1000)
honeytrace.update_session("s", feedback={"rating": 5})
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environ(), check=False)
    honeytrace.configure(sink=(sink := Scripted()))
    assert _runtime.runtime().keeper.recover().records == 1
    assert [item.event_id for item in sink.items] == ["s"]


@pytest.mark.usefixtures("left")
def test_one_that_stops_recovery_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails every batch it is in costs neither the others nor later files."""
    monkeypatch.setattr("honeytrace._durability.redelivery.PAUSES", (0.0, 0.0))
    taken: list[str] = []

    def answer(batch: list[Any]) -> Any:
        ids = [item.event_id for item in batch]
        if "left" in ids:
            return RuntimeError("500")
        taken.extend(ids)
        return None

    honeytrace.configure(sink=Scripted(answer))
    _runtime.runtime().keeper.recover()
    assert set(taken) == {"running"}
    (found,) = _aside.refused(_runtime.runtime().config.journal)
    assert (found.item.event_id, found.reason) == ("left", "never taken, while others are")


def test_a_destination_that_limits_its_rate_costs_nothing() -> None:
    """Recovery leaves what is not taken now for its next attempt; nobody is suspected of it."""
    items: list[Any] = [record(str(n)) for n in range(100)]
    few = Scripted(lambda batch: Delivery(batch[5:] if len(few.batches) < 4 else batch))
    assert Redelivery(lambda: few).deliver(items) == Delivery(items[15:], [])
    busy = Scripted(lambda batch: Delivery(batch[5:], retry_after=9.0, why="busy"))
    assert Redelivery(lambda: busy).deliver(items) == Delivery(items[5:], [], 9.0, "busy")


def test_recovery_gets_on_with_a_destination_that_limits_its_rate(tmp_path: Path) -> None:
    """What it took of a batch is not sent again, from a journal nor from what was spilled."""
    directory = tmp_path / "j"
    spill = DiskQueue(str(directory), 10**9)
    spill.append([record(f"s{n}") for n in range(10)])
    spill.forget()
    with recording(directory) as recorder:
        for _ in range(10):
            plain(recorder)
        die(recorder.journal)
    busy = Scripted(lambda batch: Delivery(batch[3:], retry_after=9.0 if batch[3:] else None))
    found = Recovered()
    for _ in range(6):  # three at a time
        with pytest.raises(AwayError) as caught:
            recover_all(str(directory), Redelivery(lambda: busy).deliver, found)
        assert caught.value.retry_after == 9.0
    recover_all(str(directory), Redelivery(lambda: busy).deliver, found)
    assert (found.records, found.refused) == (20, 0)
    taken = [item.event_id for batch in busy.batches for item in batch[:3]]
    assert len(set(taken)) == len(taken) == 20
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("name", ["0.spill", "9.spill"])
def test_one_that_is_alone_in_its_file_is_isolated(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails by itself is set aside as soon as anything else is taken, and kept until then."""
    monkeypatch.setattr("honeytrace._durability.redelivery.PAUSES", (0.0, 0.0))

    def left(name: str, *items: Any) -> None:
        spill = DiskQueue(str(tmp_path / "made"), 10**9)
        spill.append(items)
        spill.forget()
        (file,) = (tmp_path / "made").iterdir()
        (tmp_path / "j").mkdir(exist_ok=True)
        file.rename(tmp_path / "j" / name)

    def answer(batch: list[Any]) -> Any:
        return RuntimeError("500") if "bad" in {item.event_id for item in batch} else None

    def recover() -> Recovered:
        return recover_all(str(tmp_path / "j"), Redelivery(lambda: Scripted(answer)).deliver)

    left(name, record("bad"))
    with pytest.raises(AwayError, match="500"):
        recover()
    left("5.spill", *[record(str(n)) for n in range(3)])
    found = recover()
    assert (found.records, found.refused) == (3, 1)
    assert [each.item.event_id for each in _aside.refused(str(tmp_path / "j"))] == ["bad"]


def test_a_refusal_that_cannot_be_kept_stays_in_the_journal(tmp_path: Path) -> None:
    """Nothing is given up before it is safe elsewhere."""
    directory = tmp_path / "j"
    with recording(directory) as recorder:
        plain(recorder)
        die(recorder.journal)
    (directory / "refused").write_text("in the way")
    odd = Scripted(lambda batch: Delivery(refused=[(i, "odd") for i in batch]))
    with pytest.raises(OSError, match="refused"):
        recover_all(str(directory), Redelivery(lambda: odd).deliver)
    (directory / "refused").unlink()
    good = Scripted()
    assert recover_all(str(directory), Redelivery(lambda: good).deliver).records == 1


def test_refused_records_of_somebody_else_are_not_believed(tmp_path: Path) -> None:
    """Those behind a symlink, or where others may write, are neither listed nor retried."""
    _aside.set_aside(str(tmp_path / "theirs"), record("forged"), "because")
    (tmp_path / "j").mkdir()
    (tmp_path / "j" / "refused").symlink_to(tmp_path / "theirs" / "refused")
    assert list(_aside.refused(str(tmp_path / "j"))) == []
    (tmp_path / "theirs").chmod(0o777)
    assert list(_aside.refused(str(tmp_path / "theirs"))) == []


@pytest.mark.parametrize("bounds", [{"MOST_FILES": 3}, {"MOST_BYTES": 3 * 8192}])
def test_damaged_files_are_bounded(
    bounds: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest are kept, in number and in bytes; the last one however large it is."""
    for name, most in bounds.items():
        monkeypatch.setattr(_aside, name, most)
    for n in range(6):
        (tmp_path / f"{n}.journal").write_bytes(b"x" * 8192)
        _aside.set_file_aside(str(tmp_path / f"{n}.journal"), "damaged")
    place = tmp_path / "damaged"
    assert sorted(path.name for path in place.iterdir()) == [f"{n}.journal" for n in (3, 4, 5)]
    (tmp_path / "large.journal").write_bytes(b"x" * 8192 * 9)
    _aside.set_file_aside(str(tmp_path / "large.journal"), "damaged")
    assert "large.journal" in [path.name for path in place.iterdir()]
    assert len(list(place.iterdir())) == (3 if "MOST_FILES" in bounds else 1)


def test_everything_is_beside_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the configured directory is not to be had, spill and refused fall back as well."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sink = Scripted(lambda batch: Delivery(refused=[(i, "odd") for i in batch]))
    honeytrace.configure(sink=sink, journal=tmp_path / "file" / "journal", queue_bytes=50_000)
    for n in range(1_000):
        with session(str(n)):
            pass
    honeytrace.flush()
    stats = honeytrace.stats()
    assert (stats.dropped, stats.unprotected) == ({}, 0)
    assert stats.refused == {"odd": 1_000}
    journal = _runtime.runtime().keeper.journal
    assert journal is not None
    assert len(list(_aside.refused(os.path.dirname(journal.path)))) == 1_000
    asked = _runtime.runtime().config.journal
    assert retry_refused(asked, Redelivery(lambda: sink).deliver).refused == 1_000


def test_names_and_ids_of_any_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What UTF-8 has no bytes for is written out; an id may be a UUID."""
    monkeypatch.setenv("HH_PROJECT", "caf\udce9")
    sink = Scripted()
    honeytrace.configure(sink=sink, source="\ud800")
    with session() as s:
        pass
    chosen = uuid.uuid4()
    honeytrace.update_session(chosen, feedback={"rating": 1})  # type: ignore[arg-type]
    honeytrace.update_session("\ud800", feedback={"rating": 1})
    assert honeytrace.flush()
    ids = [item.event_id for item in sink.items]
    assert ids == [s.session_id, str(chosen), "\\ud800"]
    assert sink.items[0].project == "caf\\udce9"  # type: ignore[union-attr]
