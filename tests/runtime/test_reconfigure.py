"""`configure` called again: what stays, and what a deleted journal costs."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

import honeytrace
from destinations import PATIENCE, Scripted, call
from honeytrace._capture.hooks import hooks
from honeytrace._durability.journal import Journal
from honeytrace._durability.recovery import recover
from honeytrace._record.record import Item
from honeytrace._runtime import keeper as _keeper
from honeytrace._runtime import runtime as _runtime

pytestmark = pytest.mark.usefixtures("alone")


def away() -> Scripted:
    return Scripted(lambda batch: ConnectionError("away"))


def test_an_equal_configuration_keeps_what_it_has() -> None:
    """The runtime, its journal and what it has pending stay, however often it is configured."""
    sink = away()
    honeytrace.configure(sink=sink, exit_timeout=0.0)
    call(1)
    before = _runtime._runtime
    assert before is not None
    for _ in range(5):
        honeytrace.configure(sink=sink, exit_timeout=0.0)
    assert _runtime._runtime is before
    assert len(os.listdir(".honeytrace/journal")) == 1


def test_ever_other_configurations_share_one_journal() -> None:
    """What is pending stays in the journal it is in, and what comes goes by the new settings."""
    sinks = [away(), away()]
    projects = ["one", "two"] * 5
    for n, project in enumerate(projects):
        honeytrace.configure(sink=sinks[n % 2], project=project, exit_timeout=0.0)
        call(n)
    (name,) = os.listdir(".honeytrace/journal")
    keeper = _runtime.runtime().keeper
    assert keeper.journal is not None
    path = keeper.journal.path
    assert os.path.basename(path) == name
    # a copy, of which the recovery of this process knows nothing
    shutil.copytree(os.path.dirname(path), "copy")
    found: list[Item] = []
    assert recover("copy", found.extend).records == len(projects)  # type: ignore[arg-type]
    assert [item.project for item in found] == projects  # type: ignore[union-attr] # records


def test_another_journal_directory_is_another_journal() -> None:
    """The old journal is left to what is pending in it."""
    honeytrace.configure(sink=away(), exit_timeout=0.0)
    call(1)
    honeytrace.configure(journal="elsewhere")
    call(2)
    assert (len(os.listdir(".honeytrace/journal")), len(os.listdir("elsewhere"))) == (1, 1)


@pytest.mark.parametrize("how", ["file", "directory", "moved"])
def test_a_journal_that_is_gone_is_made_anew_and_counted(
    how: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls recorded into a deleted file count as unprotected; later ones survive a kill again."""
    replaced, replace = threading.Event(), _keeper.Keeper._replace

    def telling(self: _keeper.Keeper, journal: Journal) -> None:
        replace(self, journal)
        replaced.set()

    monkeypatch.setattr(_keeper.Keeper, "_replace", telling)
    monkeypatch.setattr(_keeper, "_LOOK", 0.0)
    honeytrace.configure(sink=away(), flush_interval=0.01)
    for n in range(3):
        call(n)
    journal = Path(".honeytrace/journal")
    if how == "file":
        next(journal.glob("*.journal")).unlink()
    elif how == "directory":
        shutil.rmtree(".honeytrace")
    else:
        os.rename(".honeytrace", "moved")
    assert replaced.wait(PATIENCE)
    assert honeytrace.stats().unprotected == 3
    call(3)
    assert len(list(journal.glob("*.journal"))) == 1
    said = [text for text in caplog.messages if "was deleted, moved or truncated" in text]
    assert len(said) == 1
    assert "3 records would not have survived a kill" in said[0]
    stats = honeytrace.stats()
    assert (stats.recorded, stats.pending, stats.unprotected) == (4, 4, 3)


def test_a_call_that_begins_while_a_lost_journal_is_counted_survives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each call is in the new journal or among the unprotected, also one that begins meanwhile."""
    replaced, replace, count = threading.Event(), _keeper.Keeper._replace, Journal.in_use

    def telling(self: _keeper.Keeper, journal: Journal) -> None:
        replace(self, journal)
        replaced.set()

    counted = threading.Event()

    def meanwhile() -> None:
        assert counted.wait(PATIENCE)
        call("meanwhile")

    def counting(self: Journal) -> int:
        found = count(self)
        counted.set()
        if hooks.opened == self.opened:  # the call does not wait for the new journal
            other.join()
        return found

    monkeypatch.setattr(_keeper.Keeper, "_replace", telling)
    monkeypatch.setattr(Journal, "in_use", counting)
    monkeypatch.setattr(_keeper, "_LOOK", 0.0)
    honeytrace.configure(sink=away(), flush_interval=0.01)
    call("before")
    other = threading.Thread(target=meanwhile)
    other.start()
    shutil.rmtree(".honeytrace")
    assert replaced.wait(PATIENCE)
    other.join()
    stats = honeytrace.stats()
    assert (stats.recorded, stats.unprotected) == (2, 1)
    journal = _runtime.runtime().keeper.journal
    assert journal is not None
    assert count(journal) == 1


def test_a_living_journal_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at a journal that is in its place changes nothing."""
    monkeypatch.setattr(_keeper, "_LOOK", 0.0)
    honeytrace.configure(sink=Scripted())
    call(1)
    keeper = _runtime.runtime().keeper
    before = keeper.journal
    assert before is not None
    for n in range(5):
        call(n)
        assert honeytrace.flush(PATIENCE)
    assert keeper.journal is before
    assert before.in_use() == 0
