"""`@trace_session`: its spellings, what it records of a call, and what it refuses."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from honeytrace import ConfigurationError, Session, current_session, trace_session
from honeytrace._base.cython import interpreted
from honeytrace._capture.context import current
from honeytrace._capture.hooks import hooks
from honeytrace._durability.journal import Journal
from honeytrace.testing import capture


def answer(question: str, *more: str, limit: int = 3, **options: Any) -> dict[str, Any]:
    return {"text": question, "limit": limit}


@pytest.mark.parametrize(
    ("decorate", "name"),
    [
        (trace_session, "answer"),
        (trace_session(), "answer"),
        (trace_session("given"), "given"),
        (trace_session(session_name="given"), "given"),
        (trace_session(metadata={"a": 1}), "answer"),
        (lambda fn: trace_session(functools.partial(fn, limit=3)), "answer"),
        (lambda fn: trace_session(trace_session("inner")(fn)), "answer"),
        (trace_session("\ud800"), "\\ud800"),
        (trace_session(session_name=7), "7"),  # type: ignore[call-overload]
    ],
)
def test_every_spelling(decorate: Callable[..., Any], name: str) -> None:
    """However it is written, the call is recorded, under the name given or the function's."""
    with capture() as sessions:
        assert decorate(answer)("why?") == {"text": "why?", "limit": 3}
    assert sessions[-1].session_name == name
    assert sessions[-1].outputs == {"text": "why?", "limit": 3}


def test_what_every_session_starts_with() -> None:
    """What is fixed when decorating is in every record, and calls add to it without touching it."""
    fixed: Any = {name: {"a": 1} for name in ("config", "metadata", "metrics", "feedback")}

    @trace_session(project="p", source="s", event_type="tool", user_properties={"u": 1}, **fixed)
    def call() -> None:
        current_session().metadata["b"] = 2
        current_session().update(metrics={"a": 2})

    with capture() as sessions, honeytrace.session("outer"):
        call()
        call()
    for s in sessions[:2]:
        assert (s.project, s.source, s.event_type) == ("p", "s", "tool")
        assert (s.config, s.feedback, s.user_properties) == ({"a": 1}, {"a": 1}, {"u": 1})
        assert (s.metadata, s.metrics) == ({"a": 1, "b": 2}, {"a": 2})
    assert fixed["metadata"] == {"a": 1}


INPUTS = {"question": "why?", "more": ["x"], "limit": 3, "options": {"n": 1}}


@pytest.mark.parametrize(
    ("names", "recorded"),
    [
        (True, INPUTS),
        (False, {}),
        (["question", "options"], {"question": "why?", "options": {"n": 1}}),
        ({"limit"}, {"limit": 3}),
        ([], {}),
    ],
)
@pytest.mark.parametrize("make", [lambda f: f, functools.partial], ids=["function", "callable"])
def test_capture_inputs(make: Any, names: Any, recorded: dict[str, Any]) -> None:
    """Inputs are kept by parameter name, defaults included: all, none, or those named."""
    with capture() as sessions:
        trace_session(capture_inputs=names)(make(answer))("why?", "x", n=1)
    assert sessions[0].inputs == recorded


@dataclass
class Pair:
    a: int
    b: int


@pytest.mark.parametrize(
    ("names", "returned", "recorded"),
    [
        (True, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        (False, {"a": 1, "b": 2}, {}),
        (["a"], {"a": 1, "b": 2}, {"a": 1}),
        (["a"], Pair(1, 2), {"a": 1}),
        (["c"], {"a": 1}, {}),
        (["a"], [{"a": 1, "b": 2}], {}),
        (["a"], "secret", {}),
    ],
)
def test_capture_outputs(names: Any, returned: Any, recorded: dict[str, Any]) -> None:
    """Outputs are kept whole, not at all, or by the keys named and nothing else."""
    with capture() as sessions:
        assert trace_session(capture_outputs=names)(lambda: returned)() is returned
    assert sessions[0].outputs == recorded


class Shop:
    @trace_session
    def method(self, item: str) -> None: ...

    @trace_session(capture_inputs=["self", "item"])
    def named(self, item: str) -> None: ...

    @trace_session
    @classmethod
    def for_class(cls, item: str) -> None: ...

    @staticmethod
    @trace_session
    def static(item: str) -> None: ...

    @trace_session
    def plain(this, item: str) -> None: ...  # noqa: N805 - an unusual name is an input


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (Shop().method, ["item"]),
        (Shop().named, ["self", "item"]),
        (Shop().for_class, ["item"]),
        (Shop.static, ["item"]),
        (Shop().plain, ["this", "item"]),
        (trace_session(lambda self, item: None).__get__(1), ["self", "item"]),
    ],
)
def test_inputs_of_methods(call: Callable[[str], None], names: list[str]) -> None:
    """A method's `self` or `cls` is no input, unless it is asked for."""
    with capture() as sessions:
        call("tea")
    assert list(sessions[0].inputs) == names


def test_inputs_as_they_were_at_entry() -> None:
    """A call that changes its arguments is recorded with what it got and what it made."""

    @trace_session
    def extend(items: list[int]) -> list[int]:
        items.append(2)
        return items

    with capture() as sessions:
        result = extend([1])
        result.append(3)
    assert (sessions[0].inputs, sessions[0].outputs) == ({"items": [1]}, {"result": [1, 2]})


def test_a_signature_that_lies_is_not_believed() -> None:
    """A function takes what its code takes, whatever its `__signature__` says."""

    def takes_all(*args: int, **kwargs: int) -> Any:
        return args, kwargs

    takes_all.__signature__ = 1  # type: ignore[attr-defined]
    with capture() as sessions:
        assert trace_session(takes_all)(1, b=2) == ((1,), {"b": 2})
    assert sessions[0].inputs == {"args": [1], "kwargs": {"b": 2}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"event_type": "span"}, '"chain", "model" or "tool"'),
        ({"sample_rate": -0.1}, "0.0 to 1.0"),
        ({"sample_rate": float("nan")}, "0.0 to 1.0"),
        ({"sample_rate": "0.5"}, "0.0 to 1.0"),
        ({"reduce": 5}, "reduce is a function"),
        ({"metadata": [1]}, "metadata is a mapping, not list"),
        ({"capture_inputs": "question"}, "list of names"),
        ({"capture_outputs": 5}, "list of names"),
        ({"capture_inputs": ["quest"]}, "capture_inputs names ['quest']"),
    ],
)
def test_misuse_is_told_when_decorating(options: Any, message: str) -> None:
    """An invalid option is an error at the decorator, which says what can."""
    with pytest.raises(ConfigurationError) as caught:
        trace_session(**options)(answer)
    assert message in str(caught.value)


def test_what_cannot_be_traced() -> None:
    """Unknown options, things that are not called, and a name for a whole class are errors."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'inputs'"):
        trace_session(inputs={})  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError, match="not int"):
        trace_session(5)  # type: ignore[type-var]
    with pytest.raises(ConfigurationError, match="give no name"):
        trace_session("name")(Pair)


def failing(*args: Any) -> Any:
    raise RuntimeError("a defect")


@pytest.mark.parametrize("part", ["encode", "tick", "submit", "sample", "redact", "update"])
def test_a_defect_of_ours_is_said_once(
    part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails in recording, calls go on as they would, and one warning tells of it."""
    monkeypatch.setattr("honeytrace._capture.call._reported", False)

    @trace_session(sample_rate=1.0)
    def call(fail: bool) -> str:
        return str(1 / 0) if fail else "result"

    with capture(), honeytrace.session("ended") as ended:
        pass
    with capture():
        kept: list[Any] = []
        monkeypatch.setattr(hooks, "keep", kept.append)
        monkeypatch.setattr(hooks, part, failing)
        for outer in (None, ended):
            current.set(outer)
            assert call(False) == "result"
            with pytest.raises(ZeroDivisionError):
                call(True)
            assert current.get() is outer
        current.set(None)
        monkeypatch.undo()
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "the call is not affected" in caplog.text


def test_what_is_masked_at_entry_and_at_exit_is_told_together() -> None:
    """The receipt names both places."""

    @trace_session
    def login(password: str) -> dict[str, str]:
        return {"user": "ann", "token": password}

    with capture() as sessions:
        login("hunter2")
    assert sessions[0].details["masked"] == ["inputs.password", "outputs.token"]


def test_arguments_that_do_not_fit_are_recorded_as_given() -> None:
    """Of a callable that binds them itself: the call raises, and its inputs show why."""
    with capture() as sessions, pytest.raises(TypeError):
        trace_session(functools.partial(answer))(1, limit=2, question="again")
    assert sessions[0].inputs == {"args": [1], "kwargs": {"limit": 2, "question": "again"}}


def test_parameters_may_have_any_name() -> None:
    """Those of the names that our own code has as well."""

    @trace_session
    def odd(_ht_fn: int, _ht_spec: int = 2, *, _ht_get: int = 3) -> tuple[int, int, int]:
        return _ht_fn, _ht_spec, _ht_get

    with capture() as sessions:
        assert odd(1, _ht_get=4) == (1, 2, 4)
    assert sessions[0].inputs == {"_ht_fn": 1, "_ht_spec": 2, "_ht_get": 4}


@pytest.mark.parametrize("name", [".0", "class", "a name", "StopIteration"])
def test_parameters_of_code_that_was_made_may_have_any_name(name: str) -> None:
    """Those that no template can have, as `.0` of generator expressions, or uses otherwise."""

    def twice(given: Any) -> Any:
        yield given
        yield given

    twice.__code__ = twice.__code__.replace(co_varnames=(name,))
    with capture() as sessions:
        assert list(trace_session(twice)(1)) == [1, 1]
    assert sessions[0].outputs == {"count": 2, "yields": [1, 1]}


@pytest.mark.parametrize("more", ["JSON's own", Path("shown")], ids=["plain", "shown"])
def test_values_are_recorded_as_they_were(more: object) -> None:
    """Inputs at entry and outputs at exit: what is changed in them afterwards stays out."""

    @trace_session
    def add(items: list[Any]) -> list[Any]:
        items.append("late")
        return items

    with capture() as sessions:
        add(["early", more]).append("too late")
    assert sessions[0].inputs == {"items": ["early", str(more)]}
    assert sessions[0].outputs == {"result": ["early", str(more), "late"]}


def strike_at(count: int, call: Callable[[int], object]) -> str | None:
    """Call, and raise in the handler of a signal that comes with the count-th line of ours; the
    function that was struck."""
    lines, struck = 0, None

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal lines, struck
        if frame.f_code.co_filename.endswith("call.py"):
            lines += event == "line"
            if lines == count and event == "line":
                struck = frame.f_code.co_name
                sys.settrace(None)
                signal.raise_signal(signal.SIGINT)
        return trace

    before = sys.gettrace()  # a coverage measurement
    sys.settrace(trace)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            call(count)
            assert struck is None
    finally:
        sys.settrace(before)
    return struck


def test_an_interrupt_leaves_everything_in_order() -> None:
    """Wherever in our code an interrupt strikes, it is raised, the caller's session is current
    again, and the children listed are those recorded."""
    call = trace_session(lambda n: n)
    struck = set()
    for count in range(1, 90):
        with capture() as sessions, honeytrace.session("outer") as outer:
            struck.add(strike_at(count, call))
            assert current_session() is outer
        assert sessions[-1].children_ids == list(dict.fromkeys(s.session_id for s in sessions[:-1]))
    # what is compiled has no lines between which a signal is handled
    assert struck >= ({"begin", "done", None} if interpreted() else {None})


def test_an_interrupt_leaves_no_place_in_the_journal(tmp_path: Path) -> None:
    """A call that does not happen gives its place back; one that does has it until delivered."""
    call = trace_session(lambda n: n)
    journal = Journal.create(str(tmp_path), 1 << 20)
    for count in range(1, 60):
        kept: dict[str, Session] = {}
        with capture(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(hooks, "opened", journal.opened)
            patch.setattr(hooks, "submit", lambda s, kept=kept: kept.setdefault(s.session_id, s))
            strike_at(count, call)
        for s in kept.values():
            journal.release(s._slot)
    journal.retire()
    assert list(tmp_path.iterdir()) == []


def test_the_recursion_limit() -> None:
    """At any depth up to the limit a call gives what it gives untraced, or a RecursionError."""

    @trace_session
    def fails() -> None:
        raise LookupError

    def descend(levels: int) -> str:
        if levels:
            return descend(levels - 1)
        try:
            fails()
        except Exception as error:
            return type(error).__name__
        return ""

    with capture() as sessions:
        kept: list[Any] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(hooks, "keep", kept.append)
            patch.setattr(hooks, "submit", kept.append)
            found: list[str] = []
            with contextlib.suppress(RecursionError):
                found.extend(descend(levels) for levels in range(sys.getrecursionlimit()))
    assert not sessions
    assert set(found) <= {"LookupError", "RecursionError"}
    assert found == sorted(found)
    assert kept
    assert not current_session()
