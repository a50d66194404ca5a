"""Values whose code raises, that change meanwhile, or that never end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import orjson
import pytest
from pydantic import BaseModel
from shown_values import Handle, encode, shown

from honeytrace._snapshot.redact import Redactor
from honeytrace._snapshot.rules import Rules
from honeytrace._snapshot.snapshotter import Snapshotter


class Hostile:
    """Everything a value can be asked raises."""

    def _no(self, *args: object, **kwargs: object) -> Any:
        raise RuntimeError("hostile")

    __repr__ = __str__ = __iter__ = __len__ = __getattr__ = __getattribute__ = __bool__ = _no
    __eq__ = __hash__ = __class__ = property(_no)  # type: ignore[assignment]


class HostileDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError

    __iter__ = keys = values = __len__ = items


class HostileMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise RuntimeError

    def __iter__(self) -> Iterator[str]:
        return iter("ab")

    def __len__(self) -> int:
        return 2


class HostileMeta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError

    def __hash__(cls) -> int:
        raise RuntimeError


class OfHostileMeta(metaclass=HostileMeta):
    pass


class FakeModel(BaseModel):
    anything: object = object()

    def model_dump(self, **kwargs: Any) -> dict[str, Any]:
        raise RuntimeError


@pytest.mark.parametrize("name", ["Hostile", "HostileMapping", "OfHostileMeta"])
def test_hostile_values_cost_only_themselves(name: str) -> None:
    """A value whose own code raises is named in its place, and its neighbours are recorded."""
    value = globals()[name]()
    a, b, c = shown([1, value, {"x": value}])
    assert a == 1
    assert b == c["x"] == {"__type__": name}


def test_overridden_dict_methods_are_bypassed() -> None:
    """A dict subclass shows what it stores, not what its methods say."""
    assert shown(HostileDict(a=1)) == {"a": 1}


def test_model_that_cannot_dump_shows_its_fields() -> None:
    """A pydantic model with a field that has no JSON form still shows the others."""
    assert set(shown(FakeModel())) == {"anything"}


def test_keyboard_interrupt_passes() -> None:
    """The user's Ctrl-C during a rule is the user's, not an error to swallow."""

    def interrupted(value: Handle) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Snapshotter(rules=Rules({Handle: interrupted})).encode([Handle()])


def test_nothing_lazy_is_triggered() -> None:
    """Properties, descriptors and generators are neither run nor consumed."""

    class Column:
        def __get__(self, instance: object, owner: type) -> Any:
            raise AssertionError("loaded")

        def __set__(self, instance: object, value: object) -> None: ...

    class Row:
        lazy = Column()

        def __init__(self) -> None:
            self.loaded = 1

        @property
        def computed(self) -> int:
            raise AssertionError("computed")

    generator = (n for n in range(3))
    row, text = shown([Row(), generator])
    assert row["loaded"] == 1
    assert len(row) == 2
    assert text.startswith("<generator object")
    assert list(generator) == [0, 1, 2]


def test_graphs_of_objects_end() -> None:
    """Plain objects open two deep; a chain of thousands ends in the name of a type."""

    class Node:
        def __init__(self, next_node: Any) -> None:
            self.next = next_node

    node = None
    for _ in range(5000):
        node = Node(node)
    last = shown(node)["next"]["next"]
    assert last.keys() == {"__type__"}


def test_concurrent_change_never_raises() -> None:
    """A dict another thread keeps changing is recorded whole at some moment."""
    shared: dict[Any, Any] = {"handle": Handle()}
    done, started = threading.Event(), threading.Event()

    def change() -> None:
        n = 0
        while not done.is_set():
            n += 1
            shared[f"k{n % 50}"] = n
            shared.pop(f"k{(n + 25) % 50}", None)
            started.set()

    thread = threading.Thread(target=change)
    thread.start()
    started.wait()
    try:
        assert all("handle" in shown(shared) for _ in range(300))
    finally:
        done.set()
        thread.join()


def test_recursion_limit_of_the_caller() -> None:
    """Close to the recursion limit a marker is recorded and nothing is raised."""

    def down(n: int) -> bytes:
        return down(n - 1) if n else encode([Handle()] * 2)

    here = len(__import__("inspect").stack())
    outcomes = {down(sys.getrecursionlimit() - here - spare) for spare in range(40, 60)}
    assert b'[{"__type__":"Handle"},{"__type__":"Handle"}]' in outcomes
    assert all(isinstance(orjson.loads(o), (list, str)) for o in outcomes)


class Meddling(Redactor):
    """Another thread in the midst of a snapshot: `act` runs while `name` is learnt."""

    __slots__ = ("act", "name")

    def sensitive(self, name: str) -> bool:
        if name == self.name:
            self.act()
        return super().sensitive(name)


def test_a_value_that_changes_under_its_snapshot() -> None:
    """What is put into a dict while it is looked at is looked at, too, or is not in the record."""
    redactor = Meddling()
    snapshotter = Snapshotter(redactor=redactor)
    value: dict[str, Any] = {"first": ["old"], "inner": {"meddled": 1}, "last": 2}
    redactor.name, redactor.act = "meddled", lambda: value.update(api_key="sk-SECRET")
    assert b"SECRET" not in snapshotter.encode(value)
    for turn in range(3):
        changed: dict[str, Any] = {f"name{turn}": ["old"], f"other{turn}": 1}
        redactor.name = f"name{turn}"
        redactor.act = partial(changed.update, {f"name{turn}": [turn]})
        assert orjson.loads(snapshotter.encode(changed)) == {
            f"name{turn}": [turn],
            f"other{turn}": 1,
        }
