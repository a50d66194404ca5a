"""Fixtures that several rooms of the tests share; what helps them is in the modules beside this."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

if os.environ.get("WITHOUT_HTTPX2"):  # the client and delivery are tested with either library
    sys.modules["httpx2"] = None  # type: ignore[assignment]

# a background shell and nohup ignore these, and programs that a test starts would inherit it
for name, default in (
    ("SIGINT", signal.default_int_handler),
    ("SIGHUP", signal.SIG_DFL),
    ("SIGQUIT", signal.SIG_DFL),
):
    if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, name), default)

pytest.register_assert_rewrite("aftermath", "destinations", "ending", "twins")
from destinations import isolated  # noqa: E402 - after its asserts are made to explain themselves
from ending import Place  # noqa: E402
from honeytrace.store.sqlite import SQLiteStore  # noqa: E402

# the same examples in every run, and a busy machine is no failure
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An unconfigured runtime in an empty directory and environment."""
    with isolated(monkeypatch, tmp_path):
        yield


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "sessions.db")
    yield store
    store.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place to end in."""
    place = Place(tmp_path)
    yield place
    place.close()
