"""The tracer itself can be traced, and stays out of the way."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from honeytrace import trace_session
from twins import (
    Trace,
    caught,
    recorded,
    same_as_undecorated,
)

sessions = pytest.fixture(recorded)


@same_as_undecorated
def test_logging_and_warnings_are_left_alone(trace: Trace) -> Any:
    """Tracing installs no warning filter, no excepthook, no profiler and no handler on the root
    logger."""

    @trace
    def f() -> int:
        return 1

    return (
        f(),
        [sys.excepthook is sys.__excepthook__, sys.getprofile(), threading.getprofile()],
        len(warnings.filters),
        [type(handler).__name__ for handler in logging.getLogger().handlers],
    )


class Settings(Mapping[str, Any]):
    """A mapping that hands itself out, and that is traced in everything a snapshot may call."""

    @trace_session
    def __getitem__(self, name: str) -> Any:
        if name != "self":
            raise KeyError(name)
        return self

    @trace_session
    def __iter__(self) -> Iterator[str]:
        yield "self"

    @trace_session
    def __len__(self) -> int:
        return 1

    @trace_session
    def __repr__(self) -> str:
        return "Settings"

    @trace_session
    def model_dump(self, **options: Any) -> dict[str, Any]:
        return {"self": self}


class RefusalError(Exception):
    """An exception that is traced while it is shown."""

    @trace_session
    def __str__(self) -> str:
        return "refused"


def test_what_recording_calls_is_not_recorded(sessions: Any) -> None:
    """Methods that recording calls to see a value run, but are no sessions: it ends, and is
    silent."""

    @trace_session
    def read(settings: Any) -> Any:
        return settings

    @trace_session
    def stream(settings: Any) -> Iterator[Any]:
        yield settings

    @trace_session
    def refuse(settings: Any) -> None:
        raise RefusalError(settings)

    settings = Settings()
    assert read(settings) is settings
    assert next(stream([settings]))[0] is settings
    assert isinstance(caught(refuse, settings), RefusalError)
    assert [s.session_name for s in sessions] == ["read", "stream", "refuse"]
    assert sessions[2].error == "RefusalError: refused"
