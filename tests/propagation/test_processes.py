"""Subprocesses and pools whose workers are not forked."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import pytest
from pool_work import deliver

import honeytrace
from honeytrace.propagation import _processes, carried, environ, process_pools


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A store that this process and those it starts share."""
    path = str(tmp_path / "sessions.db")
    monkeypatch.setenv("HONEYTRACE_STORE", path)
    monkeypatch.setenv("HONEYTRACE_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    honeytrace.configure(store=path, journal=tmp_path / "journal")
    yield path
    honeytrace.configure(store=None, journal=None)


def children(root: honeytrace.Session) -> list[Any]:
    """The inputs of what is stored below a session."""
    honeytrace.flush(20)
    found = honeytrace.get_session(root.session_id).children
    assert {each.root_id for each in found} <= {root.session_id}
    return sorted(each.inputs["number"] for each in found if each.session_name == "work")


def test_a_subprocess_continues_from_its_environment(store: str) -> None:
    """The environment carries the session; without one it is as it was."""
    assert "TRACEPARENT" not in environ({"TRACEPARENT": "old"})
    program = str(Path(__file__).with_name("pool_work.py"))
    with honeytrace.session("root") as root:
        subprocess.run([sys.executable, program], env=environ(), check=True, timeout=60)
    assert children(root) == [7]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_pools_of_new_processes(store: str, method: str) -> None:
    """A job belongs to the session that submitted it, one by one."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("not on this platform")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        with honeytrace.session("first") as first:
            assert pool.submit(carried(deliver), 1).result(60) == 2
        with honeytrace.session("second") as second:
            assert list(pool.map(carried(deliver), [2, 3])) == [4, 6]
    assert (children(first), children(second)) == ([1], [2, 3])


def test_process_pools_carry_every_job(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once `process_pools` was called, jobs need no wrapping."""
    for cls, name in ((ProcessPoolExecutor, "submit"), *((Pool, m) for m in _POOL_METHODS)):
        monkeypatch.setattr(cls, name, cls.__dict__[name])  # put back at the end
    process_pools()
    process_pools()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor, honeytrace.session("root") as root:
        assert executor.submit(deliver, 1).result(60) == 2
        assert executor.submit(carried(deliver), 2).result(60) == 4
    with context.Pool(1) as pool, honeytrace.session("other") as other:
        assert pool.map(deliver, [3, 4]) == [6, 8]
        assert pool.apply(deliver, (5,)) == 10
        assert list(pool.imap_unordered(deliver, [6])) == [12]
    assert children(root) == [1, 2]
    assert children(other) == [3, 4, 5, 6]


_POOL_METHODS = ("apply_async", "_map_async", "imap", "imap_unordered")


def test_joblib(store: str) -> None:
    """joblib's workers record below the session that started them."""
    joblib = pytest.importorskip("joblib")
    with honeytrace.session("root") as root:
        jobs = (joblib.delayed(carried(deliver))(number) for number in range(4))
        assert joblib.Parallel(n_jobs=2)(jobs) == [0, 2, 4, 6]
    assert children(root) == [0, 1, 2, 3]


def test_a_carried_function_pickles(store: str) -> None:
    """What travels is the function and two headers."""
    with honeytrace.session("root"):
        fn = pickle.loads(pickle.dumps(carried(deliver)))
    assert fn.fn is deliver
    assert set(fn.headers) == {"traceparent", "tracestate"}


def test_outside_of_a_session_jobs_are_left_alone() -> None:
    """Without a session there is nothing to carry, and the function goes as it is."""
    seen: list[Any] = []

    class Executor:
        def submit(self, fn: Any, *args: Any) -> None:
            seen.append(fn)

    _processes._patch(Executor, "submit")
    Executor().submit(deliver)
    with honeytrace.session("root"):
        Executor().submit(deliver)
    assert seen[0] is deliver
    assert isinstance(seen[1], _processes.Carried)
