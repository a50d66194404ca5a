"""The pytest plugin: the `honeytrace_sessions` fixture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import CapturedSessions


@pytest.fixture
def honeytrace_sessions() -> Iterator[CapturedSessions]:
    """The sessions that the test's code records, in memory (`honeytrace.testing.capture`)."""
    from .testing import capture

    with capture() as sessions:
        yield sessions
