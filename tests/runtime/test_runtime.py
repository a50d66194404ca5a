"""The runtime: configuring, the environment, updates, and what a process delivers as it goes on."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from destinations import PATIENCE, Gate, Scripted, call
from honeytrace import ConfigurationError, FlushResult, Stats, session, trace_session
from honeytrace._capture.hooks import hooks
from honeytrace._record.record import Record
from honeytrace._runtime import process as _ends
from honeytrace._runtime import runtime as _runtime
from honeytrace._runtime.public import pending
from honeytrace._snapshot import redact as _redact
from honeytrace.store.sqlite import SQLiteStore

pytestmark = pytest.mark.usefixtures("alone")


def stored(path: str | Path) -> int:
    """How many sessions the store at `path` holds."""
    with closing(SQLiteStore(path, readonly=True)) as store:
        return store.size().sessions


def test_nothing_recorded_needs_no_runtime() -> None:
    """Flush, shutdown and stats of an idle program are true, empty, and configure nothing."""
    assert honeytrace.flush() == honeytrace.shutdown() == FlushResult(True, 0, 0, 0, 0)
    assert honeytrace.stats() == Stats()
    assert _runtime._runtime is None


def test_first_call_configures_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `configure`, HoneyHive's names and ours say it all."""
    monkeypatch.setenv("HH_PROJECT", "from-env")
    monkeypatch.setenv("HONEYTRACE_SOURCE", "ci")
    with session() as s:
        call()
    found = honeytrace.get_session(s.session_id)
    assert (found.project, found.source, found.session_name) == ("from-env", "ci", "session")


def test_pytest_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under pytest a key in the environment reaches no network, and no file appears."""
    monkeypatch.setenv("HH_API_KEY", "key")
    call()
    assert honeytrace.flush()
    assert len(honeytrace.list_sessions()) == 1
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(honeytrace.SessionNotFound, match="stored in memory"):
        honeytrace.get_session("unknown")


def test_pytest_writes_a_file_when_asked(tmp_path: Path) -> None:
    """A store that is named is used, tests or not."""
    honeytrace.configure(store=tmp_path / "a.db")
    call()
    assert honeytrace.flush()
    assert stored(tmp_path / "a.db") == 1


def test_bad_environment_is_said_once_and_records_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The program goes on, with one warning that names the variable and its cure."""
    monkeypatch.setenv("HONEYTRACE_SAMPLE_RATE", "all")
    for _ in range(5):
        assert call(1) == 1
    (record,) = caplog.records
    assert "records nothing: HONEYTRACE_SAMPLE_RATE='all': it must be a number" in record.message
    assert honeytrace.stats() == Stats()


def test_bad_argument_changes_nothing() -> None:
    """A refused `configure` leaves the one before at work."""
    honeytrace.configure(project="good")
    before = _runtime._runtime
    for settings in ({"sample_rate": 2}, {"redact": [3]}, {"project": "x", "unknown": 1}):
        with pytest.raises(ConfigurationError):
            honeytrace.configure(**settings)  # type: ignore[arg-type] # mistakes on purpose
    call()
    assert _runtime._runtime is before
    assert honeytrace.list_sessions()[0].project == "good"


@pytest.mark.parametrize("how", ["environment", "argument"])
def test_disabled_records_nothing(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off means off: no record, no update, no thread, no store."""
    if how == "argument":
        honeytrace.configure(enabled=False)
    else:
        monkeypatch.setenv("HONEYTRACE_DISABLED", "1")
    call()
    with session("block") as s:
        call()
    honeytrace.update_session("some-id", metrics={"a": 1})
    assert not s
    assert honeytrace.stats() == Stats()
    assert _runtime.runtime().flusher._thread is None
    honeytrace.configure(enabled=True)
    call()
    assert honeytrace.stats().recorded == 1


def test_settings_accumulate() -> None:
    """A second `configure` keeps what the first one set; None takes it back."""
    honeytrace.configure(project="p", source="s")
    honeytrace.configure(source="t")
    assert (_runtime.runtime().config.project, _runtime.runtime().config.source) == ("p", "t")
    honeytrace.configure(project=None)
    assert _runtime.runtime().config.project == "default"


def test_configuring_again_keeps_books_and_memory() -> None:
    """What was recorded before is delivered, counted and found afterwards."""
    call(1)
    honeytrace.configure(sample_rate=0.0)
    call(2)
    honeytrace.configure(sample_rate=None)
    call(3)
    assert honeytrace.flush()
    assert honeytrace.stats() == Stats(recorded=2, delivered=2, sampled_out=1)
    assert [s.inputs["x"] for s in honeytrace.list_sessions()] == [3, 1]


def test_configuring_while_others_record_loses_nothing() -> None:
    """Threads record through a dozen changes of destination, and every call arrives in one."""
    sinks = [Scripted() for _ in range(12)]
    honeytrace.configure(sink=sinks[0], flush_interval=1e-6)

    def work() -> None:
        for n in range(500):
            call(n)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for sink in sinks[1:]:
        honeytrace.configure(sink=sink)
    for thread in threads:
        thread.join()
    assert honeytrace.flush(PATIENCE)
    assert len({item.event_id for sink in sinks for item in sink.items}) == 1_500
    assert honeytrace.stats() == Stats(recorded=1_500, delivered=1_500)
    assert all(sink.closed == 1 for sink in sinks[:-1] if sink.batches)


def test_configuring_inside_a_session() -> None:
    """A session that is open goes where the configuration at its end says, with its children."""
    first, second = Scripted(), Scripted()
    honeytrace.configure(sink=first)
    with session("outer"):
        call()
        honeytrace.configure(sink=second)
        call()
    assert honeytrace.flush()
    assert len(first.items) == 1
    assert [getattr(item, "event_name", "") for item in second.items] == ["call", "outer"]


def test_configuring_away_from_a_dead_destination() -> None:
    """What the first destination never took goes to the second, with no wait for its retries."""
    honeytrace.configure(sink=Scripted(lambda batch: OSError("dead")), exit_timeout=1e6)
    call()
    alive = Scripted()
    honeytrace.configure(sink=alive)
    assert honeytrace.flush()
    assert len(alive.items) == 1


def test_shutdown_then_record_again() -> None:
    """After a shutdown the next record starts delivery anew, into a store that is opened again."""
    honeytrace.configure(store="a.db")
    call(1)
    assert honeytrace.shutdown()
    call(2)
    assert honeytrace.shutdown(PATIENCE)
    assert honeytrace.shutdown(PATIENCE)
    assert stored("a.db") == 2


def test_update_after_the_fact() -> None:
    """Mapping fields merge, the rest replaces, and an exception reads as it does when recorded."""
    with session("s", metrics={"a": 1}) as s:
        pass
    honeytrace.update_session(s.session_id, metrics={"b": 2}, outputs=3, children_ids=["c"])
    honeytrace.update_session(s.session_id, error=ValueError("late"))
    s.update(feedback={"rating": 5})
    found = honeytrace.get_session(s.session_id)
    assert (found.metrics, found.outputs) == ({"a": 1, "b": 2}, {"result": 3})
    assert (found.error, found.children_ids) == ("ValueError: late", ["c"])
    assert found.feedback == {"rating": 5}
    honeytrace.update_session(s.session_id)
    assert honeytrace.stats().recorded == 4


def test_update_of_no_such_field_is_a_mistake() -> None:
    """A typo in an update is told with the fields there are."""
    with pytest.raises(TypeError, match=r"\['mertics'\].*'metrics'"):
        honeytrace.update_session("id", mertics={})


def test_update_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    """Values that cannot be read cost the update, not the program."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

    honeytrace.update_session("id", error=Hostile())
    assert "could not record an update" in caplog.text
    assert honeytrace.stats().dropped == {"not recorded": 1}


def test_a_defect_of_ours_at_the_end_costs_the_values_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The call is delivered, without what could not be encoded and what waited to be."""

    def defective(*args: Any) -> bytes:
        raise RuntimeError("a defect of ours")

    @trace_session
    def fails_in_us() -> None:
        honeytrace.current_session().update(metrics={"a": 1})
        monkeypatch.setattr(hooks, "encode", defective)

    honeytrace.configure(sink=(sink := Scripted()))
    fails_in_us()
    assert honeytrace.flush()
    (item,) = sink.items
    assert isinstance(item, Record)
    assert (item.status, item.outputs, item.metrics) == ("ok", None, None)


def test_updates_are_redacted_before_anything_was_recorded() -> None:
    """The first thing a process does may be an update with a secret in it."""
    sink = Scripted()
    honeytrace.configure(sink=sink)
    _runtime.unconfigured()
    os.environ["HONEYTRACE_STORE"] = "a.db"
    try:
        honeytrace.update_session("id", metadata={"api_key": "hunter2"}, error="password=hunter2")
        waiting = pending()
        assert honeytrace.flush()
    finally:
        del os.environ["HONEYTRACE_STORE"]
    assert b"hunter2" not in b"".join(b"".join(item[-1].values()) for item in waiting)  # type: ignore[union-attr] # an Update
    assert hooks.redact("password=hunter2") != "password=hunter2"


def test_unwritable_store_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where no store can be, the program goes on with one warning, and lookup still finds all."""
    (tmp_path / "file").write_text("in the way")
    honeytrace.configure(store=tmp_path / "file" / "a.db")
    with session("s") as s:
        call()
    assert not honeytrace.flush(0.2)
    assert honeytrace.get_session(s.session_id).children[0].session_name == "call"
    assert len(caplog.records) == 1
    assert "cannot deliver, and keeps trying" in caplog.text


def test_store_damaged_while_running_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that breaks under us is kept under another name, said once; recording goes on."""
    store = tmp_path / "a.db"
    honeytrace.configure(store=store)
    for n in range(300):
        call(n)
    assert honeytrace.shutdown()
    data = bytearray(store.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 4000] = b"\xa5" * 4000
    store.write_bytes(data)
    call(1)
    assert honeytrace.flush(PATIENCE)
    (record,) = caplog.records
    assert "it was kept as" in record.getMessage()
    assert (tmp_path / "a.db.damaged-1").exists()
    assert len(honeytrace.list_sessions()) == 1


def test_damage_that_another_process_has_mended(tmp_path: Path) -> None:
    """A store that was replaced meanwhile is used as it is, not set aside again."""
    honeytrace.configure(store=tmp_path / "a.db")
    call()
    assert honeytrace.flush()
    rt = _runtime.runtime()
    os.rename(tmp_path / "a.db", tmp_path / "theirs")
    SQLiteStore(tmp_path / "a.db").close()
    rt.destination.sink(OSError("damage")).close()
    assert not (tmp_path / "a.db.damaged-1").exists()


def test_damaged_file_at_the_start_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A store found damaged is moved away with one warning, and all is recorded."""
    SQLiteStore(tmp_path / "a.db").close()
    data = bytearray((tmp_path / "a.db").read_bytes())
    data[100:4096] = b"\xa5" * 3996
    (tmp_path / "a.db").write_bytes(data)
    honeytrace.configure(store=tmp_path / "a.db")
    call()
    assert honeytrace.flush(PATIENCE)
    (record,) = caplog.records
    assert "it was kept as" in record.getMessage()


def test_destination_follows_the_settings(tmp_path: Path) -> None:
    """A sink wins over memory, that over a key, and that over the file."""
    rt = _runtime.Runtime
    load = _runtime._config.load
    sink = Scripted()
    assert rt(load({"sink": sink, "api_key": "k"}, {})).destination.sink() is sink
    key = {"api_key": "k", "server_url": "http://127.0.0.1:9"}
    api = rt(load(key, {}))
    made = api.destination.sink()
    assert type(made).__name__ == "ApiSink"
    made.close()
    assert "http://127.0.0.1:9" in api.destination.where()
    assert api.destination.is_api
    memory = rt(load({**key, "store": ":memory:"}, {}))
    assert (memory.destination.is_api, memory.destination.where()) == (False, "memory")


def test_threads_are_carried_only_where_wanted() -> None:
    """`propagate_threads=False` leaves `threading` to itself."""
    honeytrace.configure(propagate_threads=False)
    plain = threading.Thread.start
    honeytrace.configure(propagate_threads=True)
    assert threading.Thread.start is not plain
    honeytrace.configure(propagate_threads=False)
    assert threading.Thread.start is plain


def test_exit_hook_without_a_runtime() -> None:
    """The end of a program that recorded nothing does nothing."""
    _ends.at_exit()
    assert _runtime._runtime is None


def test_forked_child_starts_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fork leaves a child: the settings, and nothing of what the parent has to deliver."""
    gate = Gate()
    honeytrace.configure(sink=gate, source="here", flush_interval=1e-6)
    call()
    assert gate.entered.wait(PATIENCE)
    parent = _runtime.runtime()
    monkeypatch.setattr(_runtime, "_lock", _runtime._lock)
    monkeypatch.setattr(_runtime, "_runtime", parent)
    _ends._after_fork_in_child()
    child = _runtime.runtime()
    assert child.flusher is not parent.flusher
    assert (honeytrace.stats(), child.config.source) == (Stats(), "here")
    parent.wire()
    gate.open.set()
    assert parent.flusher.flush(PATIENCE)


def test_worker_of_multiprocessing_delivers_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """In such a process, and in no other, the start of the flush thread registers its end."""
    import multiprocessing.process
    import multiprocessing.util as util

    kept: list[Any] = []
    monkeypatch.setattr(util, "Finalize", lambda *args, exitpriority: kept.append(args[1]))
    _ends.outlive_worker()
    assert kept == []
    monkeypatch.setattr(multiprocessing.process, "parent_process", lambda: "parent")
    _ends.outlive_worker()
    call()
    honeytrace.configure(sink=Scripted())
    for end in kept:
        end()
    assert honeytrace.stats().delivered == 1


def test_outage_is_logged_under_the_librarys_name(caplog: pytest.LogCaptureFixture) -> None:
    """All that is said is said by the logger `honeytrace`, at WARNING."""
    honeytrace.configure(sink=Scripted(lambda batch: OSError("dead")))
    call()
    honeytrace.flush(0.05)
    assert {(r.name, r.levelno) for r in caplog.records} == {("honeytrace", logging.WARNING)}


def test_stats_while_a_sink_hangs() -> None:
    """The books can be read while a delivery takes its time."""
    gate = Gate()
    honeytrace.configure(sink=gate, flush_interval=1e-6)
    call()
    assert gate.entered.wait(PATIENCE)
    call()
    assert honeytrace.stats() == Stats(recorded=2, pending=2)
    gate.open.set()
    assert honeytrace.flush()


def test_a_signal_while_the_first_call_configures(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its handler records then is in the same books, and arrives at the same destination."""
    make = _redact.redactor
    strikes = iter(["handler"])

    def struck(rules: Any) -> Any:
        for name in strikes:
            with session(name):
                pass
        return make(rules)

    monkeypatch.setattr(_redact, "redactor", struck)
    with session("first"):
        pass
    assert honeytrace.flush()
    assert honeytrace.stats().delivered == 2
    assert {s.session_name for s in honeytrace.list_sessions()} == {"first", "handler"}
