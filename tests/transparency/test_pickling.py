"""Traced callables pickle and copy as undecorated ones do."""

from __future__ import annotations

import copy
import functools
import operator
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

import spawned
from honeytrace import trace_session
from twins import (
    parts,
    recorded,
)

sessions = pytest.fixture(recorded)

PICKLED: list[Any] = [
    spawned.double,
    spawned.double_later,
    spawned.count,
    spawned.refuse,
    spawned.Account,
    spawned.Account.deposit,
    spawned.Account.fee,
]


@pytest.mark.parametrize("target", PICKLED, ids=lambda target: target.__qualname__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_by_name(target: Any, protocol: int) -> None:
    """A decorated function, class or method unpickles to the very object that was pickled."""
    if protocol < 4 and "." in target.__qualname__ and sys.version_info < (3, 11):
        pytest.skip("nested names need protocol 4 here, decorated or not")
    assert pickle.loads(pickle.dumps(target, protocol)) is target
    assert copy.deepcopy(target) is target


@pytest.mark.parametrize(
    "duplicate",
    [lambda f: pickle.loads(pickle.dumps(f)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deep copy"],
)
def test_what_is_no_function_pickles_and_copies(duplicate: Any, sessions: Any) -> None:
    """Another of its kind comes of it, recorded with the same options."""
    less = trace_session(functools.partial(operator.sub, 44), session_name="less")
    twin = duplicate(less)
    assert twin is not less
    assert (twin(2), twin.func, twin.args) == (42, operator.sub, (44,))
    assert [s.session_name for s in sessions] == ["less"]


def test_a_copy_is_as_deep_as_undecorated(sessions: Any) -> None:
    """A copy of a traced callable shares what it holds, a deep copy does not."""
    held = [1]
    traced = trace_session(functools.partial(list, held))
    assert copy.copy(traced).args[0] is held
    assert copy.deepcopy(traced).args[0] is not held
    assert copy.deepcopy(traced)() == held


def test_bound_methods_and_instances_pickle(sessions: Any) -> None:
    """Bound methods, class methods and instances of a decorated class go through pickle and
    back."""
    account = spawned.Account(1)
    assert pickle.loads(pickle.dumps(account)).deposit(2).balance == 3
    assert pickle.loads(pickle.dumps(account.deposit))(4).balance == 5
    assert pickle.loads(pickle.dumps(spawned.Account.empty))().balance == 0
    assert type(copy.deepcopy(account)) is spawned.Account
    assert [s.session_name for s in sessions] == [
        "Account.deposit",
        "Account.deposit",
        "Account.empty",
    ]


def test_spawned_process_pool(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decorated targets are sent to a spawned process pool and run there, errors and all."""
    monkeypatch.chdir(tmp_path)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(spawned.double, [1, 2])) == [2, 4]
        assert pool.submit(spawned.finish, spawned.double_later, 3).result() == 6
        assert pool.submit(spawned.finish, spawned.count, 3).result() == [0, 1, 2]
        assert pool.submit(spawned.Account(1).deposit, 2).result().balance == 3
        assert pool.submit(spawned.Account.empty).result().balance == 0
        assert pool.submit(spawned.Account.fee, 500).result() == 5
        assert parts(pool.submit(spawned.refuse, "no").exception())[:2] == ("ValueError", ["no"])
