"""Which inputs are recorded, and by which names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from honeytrace import ConfigurationError, trace_session
from honeytrace.testing import capture


def retry(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapper


def injecting(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def wrapper(*args: Any) -> Any:
        return fn("injected", *args)

    return wrapper


def test_names_below_another_decorator() -> None:
    """Inputs have the names of the function that a decorator wraps, so secrets are masked."""

    @trace_session
    @retry
    def login(user: str, password: str, *, tries: int = 3) -> bool:
        return bool(user and password and tries)

    with capture() as sessions:
        assert login("ada", "hunter2hunter2")
    assert sessions[0].inputs == {"user": "ada", "password": "[redacted]", "tries": 3}


def test_a_decorator_that_supplies_arguments() -> None:
    """Where the call does not fit what is wrapped, it is recorded as it was made."""

    @trace_session
    @injecting
    def use(client: str, question: str) -> str:
        return client + question

    with capture() as sessions:
        assert use("?") == "injected?"
    assert sessions[0].inputs == {"args": ["?"], "kwargs": {}}


def test_ignored_inputs() -> None:
    """`ignore_inputs` leaves out parameters, whichever are captured."""

    @trace_session(ignore_inputs=["client"])
    def ask(question: str, client: object) -> str:
        return question

    @trace_session(capture_inputs=["question", "client"], ignore_inputs=["client"])
    def both(question: str, client: object, rest: int = 0) -> str:
        return question

    with capture() as sessions:
        ask("why?", object())
        both("how?", object())
    assert [s.inputs for s in sessions] == [{"question": "why?"}, {"question": "how?"}]


@pytest.mark.parametrize("option", ["capture_inputs", "ignore_inputs"])
def test_names_of_no_parameter(option: str) -> None:
    """A name that is no parameter is an error when the function is decorated."""
    with pytest.raises(ConfigurationError, match=f"{option} names \\['nothing'\\]"):
        trace_session(**{option: ["nothing"]})(lambda question: question)  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError):
        trace_session(ignore_inputs="question")


def test_the_decorators_signature() -> None:
    """`help(trace_session)` names every option."""
    named = inspect.signature(trace_session).parameters
    assert {"session_name", "ignore_inputs", "reduce", "sample_rate", "config"} <= set(named)
