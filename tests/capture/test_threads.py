"""The current session goes along into threads and pools, and stays nowhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import honeytrace
from honeytrace import current_session, propagate, session, trace_session
from honeytrace._capture import threads as _threads
from honeytrace._capture.context import current
from honeytrace.testing import capture


def here() -> str | None:
    return current_session().session_name if current_session() else None


@pytest.fixture(autouse=True)
def recording() -> Iterator[None]:
    with capture():
        yield
    assert current.get() is None


def by_thread(fn: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(fn()))
    thread.start()
    thread.join()
    return found[0]


def by_timer(fn: Callable[[], Any]) -> Any:
    found: list[Any] = []
    timer = threading.Timer(0, lambda: found.append(fn()))
    timer.start()
    timer.join()
    return found[0]


def by_subclass(fn: Callable[[], Any]) -> Any:
    class Worker(threading.Thread):
        def run(self) -> None:
            self.found = fn()

    worker = Worker()
    worker.start()
    worker.join()
    return worker.found


def by_run_attribute(fn: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread()
    thread.run = run = lambda: found.append(fn())  # type: ignore[method-assign, assignment]
    thread.start()
    thread.join()
    assert thread.run is run
    return found[0]


def by_pool(fn: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(fn).result()


def by_map(fn: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(2) as pool:
        return next(pool.map(lambda _: fn(), [1]))


def by_executor(fn: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, fn)

    return asyncio.run(main())


def by_to_thread(fn: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await asyncio.to_thread(fn)

    return asyncio.run(main())


WAYS = [by_thread, by_timer, by_subclass, by_run_attribute, by_pool, by_map, by_executor]


@pytest.mark.parametrize("way", [*WAYS, by_to_thread])
def test_the_session_goes_along(way: Callable[..., Any]) -> None:
    """Whatever way a function reaches another thread, it runs inside the session it was sent
    from."""
    with session("outer"):
        assert way(here) == "outer"
        assert here() == "outer"
    assert way(here) is None


@pytest.mark.parametrize("way", WAYS)
def test_carrying_can_be_turned_off(way: Callable[..., Any]) -> None:
    """With propagate_threads=False threads begin outside of any session, as without honeytrace."""
    with capture(propagate_threads=False), session("outer"):
        assert way(here) is None


@pytest.mark.parametrize("way", [by_thread, by_pool])
def test_a_pause_goes_along(way: Callable[..., Any]) -> None:
    """What is not to be recorded is not recorded in another thread either."""
    with capture() as sessions, honeytrace.paused():
        way(trace_session(lambda: None))
    assert not sessions


def test_a_worker_keeps_no_session() -> None:
    """A pool's thread that was started inside a session runs later jobs outside of it."""
    with ThreadPoolExecutor(1) as pool:
        with session("first"):
            assert pool.submit(here).result() == "first"
        assert pool.submit(here).result() is None
        with session("second"):
            assert pool.submit(here).result() == "second"


def test_a_job_may_leave_its_worker_dirty() -> None:
    """A session that a job enters and never leaves is not there for the next job."""
    with ThreadPoolExecutor(1) as pool:
        with session("outer"):
            pool.submit(lambda: session("left open").__enter__()).result()
        assert pool.submit(here).result() is None


def test_threads_count_as_children() -> None:
    """What runs in the threads of a session are its children."""
    with capture() as sessions, session("outer"), ThreadPoolExecutor(4) as pool:
        list(pool.map(trace_session("part")(lambda i: i), range(50)))
    outer = sessions[-1]
    assert set(outer.children_ids) == {s.session_id for s in sessions.by_name("part")}
    assert len(outer.children_ids) == 50


def test_a_subclass_that_takes_no_attribute_runs_all_the_same() -> None:
    """A thread class that guards its attributes is started as it would be, without a session."""

    class Guarded(threading.Thread):
        def __setattr__(self, name: str, value: object) -> None:
            if name == "run":
                raise AttributeError(name)
            super().__setattr__(name, value)

        def run(self) -> None:
            self.found = here()

    with session("outer"):
        guarded = Guarded()
        guarded.start()
        guarded.join()
    assert guarded.found is None


def patch_elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Patch the two methods as another library would; what that one sees is given back."""
    seen: list[str] = []

    def patch(owner: Any, name: str) -> None:
        below = getattr(owner, name)

        def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
            seen.append(name)
            return below(self, *args, **kwargs)

        monkeypatch.setattr(owner, name, patched)

    patch(ThreadPoolExecutor, "submit")
    patch(threading.Thread, "start")
    return seen


def test_another_librarys_patch_below_ours_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who patched the methods first is still called, and gets the methods back."""
    _threads.uninstall()
    seen = patch_elsewhere(monkeypatch)
    theirs = ThreadPoolExecutor.submit, threading.Thread.start
    with capture(), session("outer"):
        assert (by_pool(here), by_thread(here)) == ("outer", "outer")
    assert {"submit", "start"} == set(seen)
    _threads.uninstall()
    assert (ThreadPoolExecutor.submit, threading.Thread.start) == theirs


def test_another_librarys_patch_above_ours_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody patched on top, ours steps aside in place and works again later."""
    seen = patch_elsewhere(monkeypatch)
    theirs = ThreadPoolExecutor.submit, threading.Thread.start
    with session("outer"):
        _threads.uninstall()
        assert (ThreadPoolExecutor.submit, threading.Thread.start) == theirs
        assert (by_pool(here), by_thread(here)) == (None, None)
        _threads.install()
        assert (by_pool(here), by_thread(here)) == ("outer", "outer")
    assert {"submit", "start"} == set(seen)


def test_propagate_takes_a_function_anywhere() -> None:
    """A propagated function runs inside the session it was made in, and then all is as before."""
    with session("made"):
        carried = propagate(here)
    assert carried.__name__ == "here"
    with session("called"):
        assert carried() == "made"
        assert here() == "called"
    assert propagate(here)() is None


def test_propagate_takes_a_coroutine_function() -> None:
    """A propagated coroutine function stays one, and its body runs inside the session."""

    async def later() -> str | None:
        await asyncio.sleep(0)
        return here()

    with session("made"):
        carried = propagate(later)
    assert asyncio.iscoroutinefunction(carried)

    async def main() -> tuple[str | None, str | None]:
        with session("called"):
            return await carried(), here()

    assert asyncio.run(main()) == ("made", "called")


def test_propagate_puts_back_after_an_error() -> None:
    """A propagated function that raises leaves the caller's session current."""
    with session("made"):
        carried = propagate(lambda: 1 / 0)
    with session("called"):
        with pytest.raises(ZeroDivisionError):
            carried()
        assert here() == "called"
