"""Threads of the system."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from honeytrace._delivery.native_threads import new_thread


def test_interrupt_while_a_thread_starts_comes_out_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A signal handler's exception in `start` is raised, and the thread ends without a word."""
    name = next(n for n in ("_start_joinable_thread", "_start_new_thread") if hasattr(threading, n))
    start = getattr(threading, name)

    def interrupted(*args: Any, **kwargs: Any) -> None:
        start(*args, **kwargs)
        raise TimeoutError("a signal handler's")

    monkeypatch.setattr(threading, name, interrupted)
    for _ in range(50):
        with pytest.raises(TimeoutError):
            new_thread(bool, "interrupted").start()
