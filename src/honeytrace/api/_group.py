"""A group of the client's methods: they run an operation and return its value, or raise."""

from __future__ import annotations

from typing import TypeVar

from honeytrace.api._options import RequestOptions
from honeytrace.api.core import HoneyHiveCore
from honeytrace.api.operations import Operation

T = TypeVar("T")


class Group:
    """Runs operations over one connection to HoneyHive."""

    def __init__(self, core: HoneyHiveCore) -> None:
        self._core = core

    def _call(self, operation: Operation[T], options: RequestOptions | None) -> T:
        return self._core.call(operation, options).unwrap()

    async def _call_async(self, operation: Operation[T], options: RequestOptions | None) -> T:
        return (await self._core.call_async(operation, options)).unwrap()
