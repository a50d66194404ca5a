"""Sampling: a whole tree or nothing, decided at the root, and counted."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

import honeytrace
from honeytrace import current_session, session, trace_session
from honeytrace._capture.hooks import discard, hooks
from honeytrace._capture.sampling import Held, Sampler
from honeytrace._capture.session import Session
from honeytrace._config import Config
from honeytrace.testing import capture


def drawing(*draws: float, **settings: Any) -> Sampler:
    """A sampler whose draws are given."""
    sampler = Sampler(Config(**settings))
    sampler._random = iter(draws).__next__
    return sampler


@pytest.mark.parametrize(
    ("configured", "own", "kept"),
    [
        (1.0, None, [True, True]),
        (0.0, None, [False, False]),
        (0.5, None, [True, False]),
        (0.5, 1.0, [True, True]),
        (1.0, 0.0, [False, False]),
        (0.0, 0.5, [True, False]),
    ],
)
def test_the_draw(configured: float, own: float | None, kept: list[bool]) -> None:
    """A tree is kept when the draw is below the rate: the root's own, else the configured one."""
    sampler = drawing(0.49, 0.5, sample_rate=configured)
    assert [sampler(own) is None for _ in kept] == kept
    assert sampler.left_out == kept.count(False)


def test_the_programs_random_numbers_stay_as_they_are() -> None:
    """Drawing does not step the random numbers that the program seeded."""
    random.seed(1)
    expected = [random.random() for _ in range(3)]
    random.seed(1)
    sampler = Sampler(Config(sample_rate=0.5))
    ways = {sampler(None) for _ in range(200)}
    assert ways == {None, discard}
    assert [random.random() for _ in range(3)] == expected


def test_a_tree_that_may_be_left_out_is_not_journalled() -> None:
    """While it is held it stays in memory; one that won the draw has its places at once."""
    opened: list[str] = []
    with capture(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks, "opened", lambda s: opened.append(s.session_name))
        patch.setattr(hooks, "rate", 0.5)
        patch.setattr(hooks, "sample", drawing(0.6, 0.4, sample_rate=0.5, keep_errors=True))
        for name in ("lost", "won"):
            with session(name), session(f"inside {name}"):
                pass
    assert opened == ["won", "inside won"]


@pytest.fixture(params=["configured", "decorated"])
def settings(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """A rate of zero, configured or the root's own: settings, options of the root."""
    rate = {"sample_rate": 0.0}
    return (rate, {}) if request.param == "configured" else ({}, rate)


def test_a_whole_tree_is_left_out(settings: Any) -> None:
    """Nothing of a tree that lost the draw is recorded, in tasks and blocks neither, and what
    comes after is a tree of its own."""
    configured, own = settings
    inside: list[bool] = []

    @trace_session(sample_rate=1.0)
    def inner() -> None:
        inside.append(bool(current_session()))

    @trace_session(**own)
    def root() -> None:
        inner()
        with session("block") as s:
            inside.append(bool(s))

    with capture(**configured) as sessions:
        root()
        with session("root", **own) as s:
            inside.append(bool(s))
            inner()
        with pytest.raises(ValueError), session("failing", **own):
            raise ValueError
        assert honeytrace.stats().sampled_out == 3
        inner()
    assert inside == [False, False, False, False, True]
    assert [s.session_name.rpartition(".")[2] for s in sessions] == ["inner"]


def tree(fail_at: str = "", late: Callable[[], None] = lambda: None) -> None:
    """root > (first > leaf, second), one of which fails and is caught."""

    def call(name: str, *inside: Callable[[], None]) -> Callable[[], None]:
        @trace_session(name)
        def run() -> None:
            for fn in inside:
                fn()
            if name == fail_at:
                raise ValueError(name)

        def caught() -> None:
            try:
                run()
            except ValueError:
                pass

        return caught

    call("root", call("first", call("leaf")), call("second"), late)()


@pytest.mark.parametrize("fail_at", ["root", "first", "leaf", "second"])
def test_keep_errors_keeps_the_whole_tree(fail_at: str) -> None:
    """A sampled-out tree in which any call fails is recorded whole, though the root may be well."""
    with capture(sample_rate=0.0, keep_errors=True) as sessions:
        tree(fail_at)
        assert honeytrace.stats().sampled_out == 0
    assert [s.session_name for s in sessions] == ["leaf", "first", "second", "root"]
    assert [s.session_name for s in sessions if s.error] == [fail_at]
    assert sessions[-1].children_ids == [sessions[1].session_id, sessions[2].session_id]


def test_keep_errors_leaves_out_what_went_well() -> None:
    """A sampled-out tree without a failure is not recorded, and is counted once."""
    with capture(sample_rate=0.0, keep_errors=True) as sessions:
        tree()
        assert honeytrace.stats().sampled_out == 1
    assert not sessions


def test_an_error_that_is_told_counts() -> None:
    """An error that the program sets is a failure, too."""
    kept = capture(sample_rate=0.0, keep_errors=True)
    with kept as sessions, session("root"), session("part") as s:
        s.error = "not good"
    assert [s.session_name for s in sessions] == ["part", "root"]


@pytest.mark.parametrize(("fail", "kept"), [(True, ["late"]), (False, [])])
def test_what_ends_after_its_root_goes_the_way_of_its_tree(fail: bool, kept: list[str]) -> None:
    """A call that outlives its tree's root is kept or left out as the tree was."""
    may_end, thread = threading.Event(), threading.Thread()

    def late() -> None:
        nonlocal thread

        @trace_session("late")
        def wait() -> None:
            may_end.wait()

        thread = threading.Thread(target=wait)
        thread.start()

    with capture(sample_rate=0.0, keep_errors=True) as sessions:
        tree("leaf" if fail else "", late)
        before = len(sessions)
        may_end.set()
        thread.join()
    assert [s.session_name for s in sessions[before:]] == kept


def finished(root: Session | None, size: int, failed: bool = False) -> Session:
    """An ended session as the sampler gets it."""
    s = Session()
    s._slot = None
    s._root, s._inputs, s._outputs, s._children, s._extras = root, b"x" * size, None, [], None
    s._failure = ("error", "E", {}) if failed else None
    return s


@pytest.mark.parametrize("failed", [True, False])
def test_a_held_tree_is_bounded(failed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a tree too large to be held the newest are kept, and what is gone is counted."""
    taken: list[Session] = []
    monkeypatch.setattr(hooks, "submit", taken.append)
    sampler = drawing(keep_errors=True, sampled_bytes=10_000)
    held, root = Held(sampler), finished(None, 0)
    parts = [finished(root, 1_000, failed and i == 0) for i in range(100)]
    for part in parts:
        held.submit(part)
    held.submit(root)
    kept = 10_000 // parts[-1].size()
    assert taken == ([*parts[-kept:], root] if failed else [])
    assert (sampler.cut, sampler.left_out) == ((100 - kept, 0) if failed else (0, 1))


def test_one_huge_session_is_held_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest session is held however large it is."""
    taken: list[Session] = []
    monkeypatch.setattr(hooks, "submit", taken.append)
    held, root = Held(drawing(keep_errors=True, sampled_bytes=10)), finished(None, 0)
    part = finished(root, 1_000, failed=True)
    held.submit(part)
    held.submit(root)
    assert taken == [part, root]
