"""Small writes that come while one is under way are written together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from honeytrace.store import _grouping
from honeytrace.store._grouping import Grouping
from honeytrace.store.errors import RecordRefusedError, StoreBusyError, StoreUnavailableError


class Engine:
    """Remembers its writes; the first one waits until all others have come."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes: list[list[str]] = []
        self.inside, self.go = threading.Event(), threading.Event()
        self.refused: type[BaseException] | None = None
        self.grouping: Grouping[str] = Grouping(self.write, most=6)
        queued = threading.Semaphore(0)
        add = _grouping._Queue.add

        def counted(queue: _grouping._Queue[str], part: _grouping._Part[str]) -> None:
            add(queue, part)
            queued.release()

        monkeypatch.setattr(_grouping._Queue, "add", counted)
        self.queued = queued

    def write(self, tenant: str, items: Sequence[str]) -> None:
        if not self.inside.is_set():
            self.inside.set()
            assert self.go.wait(30)
        elif self.refused and "bad" in items:
            raise self.refused("no")
        self.writes.append([tenant, *items])

    @contextmanager
    def together(self, *parts: Sequence[str]) -> Iterator[list[Future[None]]]:
        """The futures of these parts, which come while another write is under way."""
        with ThreadPoolExecutor(len(parts) + 1) as pool:
            first = pool.submit(self.grouping.put, "t", ["first"])
            assert self.inside.wait(30)
            assert self.queued.acquire(timeout=30)
            others = []
            for part in parts:
                others.append(pool.submit(self.grouping.put, "t", part))
                assert self.queued.acquire(timeout=30)
            self.go.set()
            first.result(30)
            yield others


def test_writes_that_wait_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """They keep their order, and a group has no more items than allowed, or one part."""
    engine = Engine(monkeypatch)
    with engine.together(["a", "b"], ["c"], ["d", "e", "f", "g"], list("1234567")) as others:
        for each in others:
            each.result(30)
    assert engine.writes == [
        ["t", "first"],
        ["t", "a", "b", "c"],
        ["t", "d", "e", "f", "g"],
        ["t", *"1234567"],
    ]


def test_a_refused_part_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of a refused group is written alone, and its own caller gets the error."""
    engine = Engine(monkeypatch)
    engine.refused = RecordRefusedError
    with engine.together(["a"], ["bad"], ["c"]) as (one, bad, three):
        one.result(30)
        three.result(30)
        with pytest.raises(RecordRefusedError):
            bad.result(30)
    assert engine.writes == [["t", "first"], ["t", "a"], ["t", "c"]]


def test_every_caller_of_a_failed_group_gets_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is away is not asked again for each part."""
    engine = Engine(monkeypatch)
    engine.refused = StoreUnavailableError
    with engine.together(["a"], ["bad"], ["c"]) as others:
        for each in others:
            with pytest.raises(StoreUnavailableError):
                each.result(30)
    assert engine.writes == [["t", "first"]]


def test_an_interrupted_caller_leaves_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one whose thread is interrupted raises that, and the others are told to try again."""
    engine = Engine(monkeypatch)
    engine.refused = KeyboardInterrupt
    with engine.together(["bad"], ["b"]) as others:
        errors = sorted(type(each.exception(30)).__name__ for each in others)
    assert errors == sorted([KeyboardInterrupt.__name__, StoreBusyError.__name__])
    engine.grouping.put("t", ["later"])
    assert engine.writes[-1] == ["t", "later"]


def test_tenants_are_written_apart() -> None:
    """Items of two tenants are never in one write."""
    writes: list[tuple[str, list[str]]] = []
    grouping: Grouping[str] = Grouping(lambda tenant, items: writes.append((tenant, list(items))))
    for tenant in ("a", "b", "a"):
        grouping.put(tenant, [tenant])
    assert writes == [("a", ["a"]), ("b", ["b"]), ("a", ["a"])]
