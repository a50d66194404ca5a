"""The dates of sessions follow the system's clock; durations do not."""

from __future__ import annotations

import time

import pytest

from honeytrace import session
from honeytrace._capture.hooks import hooks
from honeytrace.testing import capture

HOUR = 3_600_000_000_000


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_root_after_a_pause_has_the_date_of_the_system(jump: int) -> None:
    """The clock was set, or the machine slept, since the last batch: the next call is dated right,
    and what runs inside it agrees with it."""
    with capture():
        hooks.offset_ns -= jump  # as it was measured before the jump
        before = time.time_ns()
        with session("root") as root, session("child") as child:
            pass
        after = time.time_ns()
    assert before <= root.start_time * 1e6 + 1_000
    assert child.start_time * 1e6 <= after + 1_000
    assert root.start_time <= child.start_time
    assert int(root.session_id.replace("-", "")[:12], 16) == int(root.start_time)


def test_a_clock_that_is_set_amid_a_tree_moves_none_of_it() -> None:
    """A child begins after its parent and ends before it, whatever the system's date does."""
    with capture():
        with session("root") as root:
            hooks.offset_ns -= HOUR
            with session("child") as child:
                pass
        assert root.end_time is not None
        assert child.end_time is not None
        assert root.start_time <= child.start_time
        assert child.end_time <= root.end_time
