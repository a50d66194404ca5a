"""Marks on records that are not what they seem: assigned, cut, raised, joined from pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from honeytrace import current_session, trace_session
from honeytrace._capture.call import begin, done
from honeytrace._capture.spec import Spec
from honeytrace._durability import entry_writer
from honeytrace._record.record import Record
from honeytrace.testing import capture
from journalled import die, recording, recovered


class LimitError(Exception):
    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
        self._private = object()


def raised(exc: Exception) -> dict[str, Any]:
    """Return the mark that a raised exception leaves."""

    @trace_session
    def fail() -> None:
        raise exc

    with capture() as sessions, pytest.raises(type(exc)):
        fail()
    found: dict[str, Any] = sessions[0].details["raised"]
    return found


def test_assigned_fields_are_marked() -> None:
    """Outputs and inputs that the program set are not what was returned or passed."""

    @trace_session
    def f(x: int) -> int:
        s = current_session()
        s.outputs = {"shown": x}
        s.update(inputs={"more": 1})
        return 42

    with capture() as sessions, honeytrace.session("block", inputs={"a": 1}):
        f(1)
    assert sorted(sessions[0].details["set"]) == ["inputs", "outputs"]
    assert "set" not in sessions[1].details


def test_later_assignments_are_marked() -> None:
    """An update of a finished session adds to the marks it has."""

    @trace_session
    def f(x: int) -> int:
        current_session().outputs = {"shown": x}
        return 42

    with capture() as sessions:
        f(1)
        honeytrace.update_session(sessions[0].session_id, inputs={"x": 2})
    assert sorted(sessions[0].details["set"]) == ["inputs", "outputs"]


def test_cut_inputs_have_a_digest() -> None:
    """Two inputs that were cut alike are told apart by a digest of the whole."""

    @trace_session
    def f(text: str) -> int:
        return len(text)

    with capture(max_bytes=2_000) as sessions:
        for text in ("a" * 5_000 + "1", "a" * 5_000 + "2", "a" * 5_000 + "1", "short"):
            f(text)
    first, second, third, short = (each.details.get("cut") for each in sessions)
    assert sessions[0].inputs == sessions[1].inputs
    assert first == third != second
    assert short is None
    assert "masked" not in sessions[0].details


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (ValueError("plain"), {}),
        (ValueError(), {}),
        (KeyError("k"), {"args": ["k"]}),
        (ValueError("a", 2), {"args": ["a", 2]}),
        (FileNotFoundError(2, "gone", "f"), {"args": [2, "gone", "f"]}),
        (ValueError("x" * 9_000, 1), {"cut": True}),
    ],
)
def test_a_raised_exception_can_be_made_again(exc: Exception, expected: dict[str, Any]) -> None:
    """The mark has the class and, where the message does not say them, the arguments."""
    assert raised(exc) == {"type": f"builtins:{type(exc).__name__}", **expected}


def test_the_fields_of_an_exception_are_kept() -> None:
    """Public attributes of an exception are recorded, masked like everything else."""
    assert raised(LimitError("slow", status=429)) == {
        "type": f"{__name__}:LimitError",
        "fields": {"status": 429},
    }
    exc = LimitError("slow", status=429)
    exc.api_key = "sk-abcdefghijklmnopqrstuvwxyz012345"
    assert raised(exc)["fields"]["api_key"] == "[redacted]"


def test_a_joined_stream_knows_its_pieces() -> None:
    """Where `reduce` joined texts, the lengths of the pieces stay."""

    def words(*items: Any) -> Iterator[Any]:
        yield from items

    with capture() as sessions:
        for reduce in ("".join, lambda items: "+".join(items)):
            list(trace_session(reduce=reduce)(words)("ab", "", "cde"))
        list(trace_session(reduce=sum)(words)(1, 2))
    assert [each.details.get("chunks") for each in sessions] == [[2, 0, 3], None, None]


def test_marks_survive_a_kill(tmp_path: Path) -> None:
    """The journal brings back the stamp and the details of a call that had ended."""
    spec = Spec("f", code="shop:f@shop.py:3")
    with recording(tmp_path) as recorder:
        outer = begin(spec, None, None)
        recorder.take(outer)
        inner = begin(spec, outer, {"x": 1})
        recorder.take(inner)
        inner.outputs = {"shown": 1}
        done(inner, None, outer)
        done(outer, {"result": 1}, None)
        die(recorder.journal)
    items, _ = recovered(tmp_path)
    for item in items:
        assert item == recorder.records[item.event_id]
        assert b'"code":"shop:f@shop.py:3"' in item.metadata
    assert b'"bare":true' in items[0].metadata
    assert b'"set":["outputs"]' in items[1].metadata


def test_journals_without_the_stamp_are_read(tmp_path: Path, monkeypatch: Any) -> None:
    """A journal of a version that knew no stamp is recovered as it is."""

    def portrait(spec: Spec, project: str, source: str) -> list[Any]:
        *names, fixed, masked = entry_writer_portrait(spec, project, source)
        return [*names, {k: v for k, v in fixed.items() if k not in ("code", "root")}, masked]

    entry_writer_portrait = entry_writer._portrait
    monkeypatch.setattr(entry_writer, "_portrait", portrait)
    with recording(tmp_path) as recorder:
        s = begin(Spec("f", code="shop:f@shop.py:3"), None, {"x": 1})
        recorder.take(s)
        done(s, 1, None)
        die(recorder.journal)
    (item,), found = recovered(tmp_path)
    assert found.damaged == 0
    assert isinstance(item, Record)
    assert item.metadata is None
