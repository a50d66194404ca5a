"""Exceptions by which frameworks steer a program are no failures."""

from __future__ import annotations

import pytest

from honeytrace import trace_session
from honeytrace._capture.exceptions import status_of
from honeytrace.testing import capture


def named(module: str, *names: str) -> type[BaseException]:
    """A class of this name and those above it, as a framework that is not installed has them."""
    base: type[BaseException] = Exception
    for name in names:
        base = type(name, (base,), {"__module__": module})
    return base


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (named("langgraph.errors", "GraphBubbleUp", "GraphInterrupt"), "paused"),
        (named("celery.exceptions", "TaskPredicate", "Retry"), "retried"),
        (named("celery.exceptions", "TaskPredicate", "Ignore"), "ended"),
        (named("shop.errors", "Retry"), "error"),
        (type("Cancelled", (BaseException,), {"__module__": "trio"}), "cancelled"),
        (KeyboardInterrupt, "interrupted"),
        (SystemExit, "exited"),
        (ValueError, "error"),
    ],
)
def test_how_a_call_ended(kind: type[BaseException], status: str) -> None:
    """The status is told by the exception's class, of the framework it comes from."""

    @trace_session
    def call() -> None:
        raise kind("why")

    assert status_of(kind("why")) == status
    with capture() as sessions, pytest.raises(kind):
        call()
    assert sessions[0].status == status
