"""The with-block and the running session: every field, every way in and out."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import honeytrace
from honeytrace import ConfigurationError, current_session, session, update_session
from honeytrace._capture.context import current
from honeytrace.testing import capture

MAPPINGS = ["inputs", "config", "metrics", "feedback", "metadata", "user_properties"]


class Hostile(Mapping[str, int]):
    """A mapping, and a text, that fails whoever reads it."""

    def __getitem__(self, key: str) -> int:
        raise ValueError(key)

    def __iter__(self) -> Iterator[str]:
        raise ValueError("iter")

    def __len__(self) -> int:
        return 1

    def __str__(self) -> str:
        raise ValueError("str")


def test_every_field_of_a_block() -> None:
    """What is given to the block is what is recorded."""
    given: dict[str, Any] = {name: {name: 1} for name in MAPPINGS}
    given |= {"outputs": {"out": 1}, "project": "p", "source": "s", "children_ids": ["c"]}
    with capture() as sessions, session("name", session_id="id", error="bad", **given):
        pass
    recorded = sessions[0]
    assert {name: getattr(recorded, name) for name in given} == given
    assert (recorded.session_name, recorded.session_id) == ("name", "id")
    assert (recorded.error, recorded.status) == ("bad", "error")


def test_every_field_inside() -> None:
    """What is set inside is what is read back there, and what is recorded."""
    values: dict[str, Any] = {name: {name: 1} for name in MAPPINGS}
    values |= {"outputs": [1], "error": "bad", "session_name": "n", "project": "p", "source": "s"}
    with capture() as sessions, session("x") as s:
        assert (s.outputs, s.error, s.session_name, s.project) == (None, None, "x", None)
        for name, value in values.items():
            setattr(s, name, value)
            assert getattr(s, name) == value
    recorded = {name: getattr(sessions[0], name) for name in values}
    assert recorded == values | {"outputs": {"result": [1]}}


@pytest.mark.parametrize("name", MAPPINGS)
def test_mappings_merge(name: str) -> None:
    """A mapping field gathers what the block was given, what is put in place and what updates
    bring."""
    block = session("x", **{name: {"a": 0, "b": 0}})  # type: ignore[arg-type]
    with capture() as sessions, block as s:
        getattr(s, name)["b"] = 1
        s.update(**{name: {"c": 2}})  # type: ignore[arg-type]
    assert getattr(sessions[0], name) == {"a": 0, "b": 1, "c": 2}


@pytest.mark.parametrize("name", MAPPINGS)
def test_what_is_no_mapping_is_kept_under_value(name: str) -> None:
    """A mapping field takes anything, by every way in."""
    with capture() as sessions:
        with session("given", **{name: [1]}):  # type: ignore[arg-type]
            pass
        with session("set") as s:
            setattr(s, name, [1])
        with session("updated") as s:
            s.update(**{name: [1]})  # type: ignore[arg-type]
    assert [getattr(recorded, name) for recorded in sessions] == [{"value": [1]}] * 3


def test_inputs_are_recorded_as_they_were_at_entry() -> None:
    """What the program changes in its own values later is not in the record."""
    question = {"text": "why?"}
    with capture() as sessions, session("x", inputs={"q": question}):
        question["text"] = "changed"
    assert sessions[0].inputs == {"q": {"text": "why?"}}


def test_the_programs_mapping_is_not_shared() -> None:
    """What is added to a session's mapping is not added to the one the program gave."""
    mine = {"a": 1}
    block = session("x", metadata=mine)
    with capture() as sessions:
        with block as s:
            s.metadata["b"] = 2
        with block:
            pass
    assert mine == {"a": 1}
    assert [s.metadata for s in sessions] == [{"a": 1, "b": 2}, {"a": 1}]


def test_hostile_values_do_not_reach_the_program() -> None:
    """Whatever is given to a session, nothing is raised, and the session is recorded."""
    bad: Any = Hostile()
    block = session(bad, source=bad, metadata=bad, session_id=bad, inputs=bad)
    with capture() as sessions, block as s:
        s.update(metadata=bad, error=bad, session_name=bad, children_ids=bad)
        s.metrics = s.error = s.project = bad
    recorded = sessions[0]
    assert recorded.session_id == recorded.error == "<Hostile: its __str__ raised>"
    assert list(recorded.metadata) == list(recorded.metrics) == ["value"]


@pytest.mark.parametrize("name", ["session_name", "project", "source", "session_id", "error"])
@pytest.mark.parametrize(("given", "text"), [("\ud800!", "\\ud800!"), (7, "7")])
def test_weird_names_are_text(name: str, given: Any, text: str) -> None:
    """Names, ids and errors come out as text that UTF-8 can hold, whichever way they came in."""
    with capture() as sessions:
        with session(**{name: given}):
            pass
        if name != "session_id":
            with session("x") as s:
                setattr(s, name, given)
    assert {getattr(s, name) for s in sessions} == {text}


def test_a_mapping_too_large_is_still_an_object() -> None:
    """A field cut down to a string for its size is recorded, with everything else."""
    much = {str(i): [[i]] * 3 for i in range(100)}
    with capture(max_bytes=64) as sessions, session("x", metadata=much, inputs=much) as s:
        s.inputs["more"] = 1
        s.config = much
    recorded = sessions[0]
    for field in (recorded.metadata, recorded.inputs, recorded.config):
        assert "cut" in str(field)


def test_an_unnamed_block_is_called_as_configured() -> None:
    """Without a name a block has the configured one, which may be known only later."""
    block = session()
    with capture(session_name="nightly") as sessions, block as s:
        assert s.session_name == "nightly"
    assert sessions[0].session_name == "nightly"


def test_times() -> None:
    """Times are milliseconds since the epoch; end and duration are known at the end."""
    with capture(start=1_700_000_000, tick=0.5) as sessions, session("x") as s:
        assert (s.start_time, s.end_time, s.duration) == (1_700_000_000_000.0, None, None)
    assert (s.end_time, s.duration) == (1_700_000_000_500, 500.0)
    recorded = sessions[0]
    assert (recorded.start_time, recorded.end_time) == (s.start_time, s.end_time)
    assert recorded.duration == s.duration


def test_reading_after_the_end() -> None:
    """An ended session reads as it was recorded, and what is read is a copy."""
    with capture() as sessions:
        with session("x", inputs={"i": 1}, metrics={"m": 1}) as s:
            s.outputs = {"o": 1}
            s.error = "bad"
        read = (s.inputs, s.metrics, s.outputs, s.error, s.config, s.session_name)
        assert read == ({"i": 1}, {"m": 1}, {"o": 1}, "bad", {}, "x")
        s.metrics["late"] = s.inputs["late"] = s.config["late"] = 1
        assert (s.inputs, s.metrics, s.config) == ({"i": 1}, {"m": 1}, {})
    assert sessions[0].metrics == {"m": 1}


def test_what_is_told_after_the_end_is_an_update() -> None:
    """Attributes and `update` of an ended session reach its record, like `update_session`."""
    with capture() as sessions:
        with session("x", metrics={"m": 1}) as s:
            pass
        s.update(metrics={"n": 2}, children_ids="c", error=ValueError("v"))
        s.outputs = {"o": 3}
        s.source = 5
        update_session(s.session_id, feedback={"f": 4})
    recorded = sessions[0]
    assert (recorded.metrics, recorded.feedback) == ({"m": 1, "n": 2}, {"f": 4})
    assert (recorded.outputs, recorded.source) == ({"o": 3}, "5")
    assert (recorded.error, recorded.children_ids) == ("ValueError: v", ["c"])


def test_an_exception_may_be_given_as_error() -> None:
    """An exception given as the error is told with its traceback, and the block is as failed."""
    with capture() as sessions, session("x") as s:
        try:
            int("no")
        except ValueError as error:
            s.error = error
    recorded = sessions[0]
    assert (recorded.status, recorded.error) == (
        "error",
        "ValueError: invalid literal for int() with base 10: 'no'",
    )
    assert 'int("no")' in (recorded.traceback or "")


def test_an_exception_raised_wins_over_an_error_given() -> None:
    """Where the block both sets an error and raises, what it raised is recorded."""

    def block() -> None:
        with session("x", error="given") as s:
            s.error = "set"
            raise ValueError("raised")

    with capture() as sessions, pytest.raises(ValueError):
        block()
    assert sessions[0].error == "ValueError: raised"


def test_no_session_is_deaf() -> None:
    """Outside of any session the current one is false and ignores what it is told."""
    s = current_session()
    s.update(metrics={"a": 1})
    s.outputs = s.error = s.metadata = {"a": 1}
    s.metadata["a"] = 1
    assert not s
    assert (s.outputs, s.error, s.session_name, s.metadata) == (None, None, None, {})
    assert (s.session_id, s.parent_id, s.children_ids) == ("", None, [])
    assert (s.start_time, s.end_time, s.duration) == (0, None, None)


def test_a_block_may_be_entered_again() -> None:
    """One block entered three times, once inside itself, is three sessions."""
    block = session("x")
    with capture() as sessions:
        with block as outer, block as inner:
            assert inner.parent_id == outer.session_id
        with block as last:
            assert last.parent_id is None
    assert [s.session_id for s in sessions] == [s.session_id for s in (inner, outer, last)]
    assert not current_session()


def test_a_block_in_two_threads_at_once() -> None:
    """A block shared by threads that overlap is to each of them its own session."""
    block = session("shared")
    second_is_in, first_is_out = threading.Event(), threading.Event()

    def second() -> None:
        with block as s:
            second_is_in.set()
            first_is_out.wait()
            s.metadata["who"] = "second"

    with capture() as sessions:
        with block as s:
            current.set(None)
            thread = threading.Thread(target=second)
            thread.start()
            second_is_in.wait()
            current.set(s)
            s.metadata["who"] = "first"
        first_is_out.set()
        thread.join()
    assert [s.metadata for s in sessions] == [{"who": "first"}, {"who": "second"}]


def test_a_block_left_by_another_task() -> None:
    """A block entered in one task and left in another ends, and disturbs neither."""
    block = session("fixture")

    async def main() -> None:
        with session("one"):
            await asyncio.create_task(block.__aenter__())
        with session("two") as two:
            await block.__aexit__(None, None, None)
            assert current_session() is two

    with capture() as sessions:
        asyncio.run(main())
    assert [s.session_name for s in sessions] == ["one", "fixture", "two"]


def test_a_block_ends_what_was_left_open_inside() -> None:
    """After the block the session from before is current, even where one inside was not left."""
    with capture(), session("outer") as outer:
        with session("inner"):
            session("left open").__enter__()
        assert current_session() is outer


def test_continuing_a_session() -> None:
    """Blocks of one id are one session, with what each of them knew."""
    with capture() as sessions:
        with session("first", session_id="id", metrics={"a": 1}):
            pass
        with session("second", session_id="id", metrics={"b": 2}):
            pass
    assert [s.session_id for s in sessions] == ["id", "id"]
    assert sessions[-1].session_id == "id"


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_id_is_no_choice(empty: str | None) -> None:
    """A session whose id was left empty has one of its own."""
    with capture() as sessions, session("x", session_id=empty):
        pass
    assert len(sessions[0].session_id) == 36


def test_ids_are_uuid7_in_order_of_start() -> None:
    """Ids sort as the sessions started, and carry the millisecond in front."""
    with capture(start=1_700_000_000) as sessions:
        for _ in range(300):
            with session("x"):
                pass
    ids = [s.session_id for s in sessions]
    assert ids == sorted(set(ids))
    assert ids[0] == "018bcfe5-6800-7000-8000-000000000001"


@pytest.mark.parametrize(
    "options",
    [{"event_type": "span"}, {"sample_rate": 2}, {"sample_rate": "all"}, {"sample_rate": True + 1}],
)
def test_misuse_is_told_at_once(options: Any) -> None:
    """An invalid option is an error where the block is written."""
    with pytest.raises(ConfigurationError):
        session("x", **options)


def test_recording_off() -> None:
    """With recording off a block gives the deaf session, and nothing is recorded."""
    with capture(enabled=False) as sessions, session("x") as s:
        s.outputs = 1
        assert s is honeytrace.current_session()
    assert not s
    assert not sessions


def test_turned_off_inside_a_block() -> None:
    """A block that began while recording was on is recorded whole."""
    with capture() as sessions, session("x") as s:
        honeytrace.configure(enabled=False)
        with session("y"):
            pass
        s.outputs = {"a": 1}
    assert [(s.session_name, s.outputs) for s in sessions] == [("x", {"a": 1})]


def test_copies() -> None:
    """A program may copy what holds a session, or a block: the call it stands for is one."""
    block = session("block")
    with capture() as sessions:
        with copy.deepcopy(block) as s:
            assert copy.copy(s) is s
            assert copy.deepcopy({"s": s})["s"] is s
        assert copy.copy(s) is s
    assert [found.session_name for found in sessions] == ["block"]
