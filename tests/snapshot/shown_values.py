"""Snapshots of values, and types that several tests record."""

from __future__ import annotations

import enum
from typing import Any

import orjson

from honeytrace._snapshot.snapshotter import Snapshotter

encode = Snapshotter().encode


def shown(value: object) -> Any:
    return orjson.loads(encode(value))


class Colour(enum.Enum):
    RED = "red"


class Retriever:
    def __init__(self, index: str, k: int) -> None:
        self.index = index
        self.k = k
        self._cache: dict[str, str] = {}

    def fetch(self) -> None: ...


Retriever.__module__ = Retriever.fetch.__module__ = "app"


class Handle:
    __slots__ = ()

    def __repr__(self) -> str:
        raise AssertionError("its own code ran")
