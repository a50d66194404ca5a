"""The calls that are measured.

Every call is given a marker of its own, `~m123~`, by which a server that received it can tell.
Standard library alone: these run in the environments of the peers, too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Call = Callable[..., Any]


def one_by_one(call: Call, markers: Sequence[str]) -> None:
    for marker in markers:
        call(marker)


def five_at_a_time(call: Call, markers: Sequence[str]) -> None:
    for i in range(0, len(markers), 5):
        call(markers[i : i + 5])


def hundred_at_once(call: Call, markers: Sequence[str]) -> None:
    async def gather() -> None:
        for i in range(0, len(markers), 100):
            await asyncio.gather(*[call(marker) for marker in markers[i : i + 100]])

    asyncio.run(gather())


class Workload(NamedTuple):
    name: str
    make: Callable[[Decorator], Call]
    """Decorates the workload's functions; gives the call to measure, which takes its markers."""
    calls: int
    """Measured calls a round; a tenth of it for tracers that cost a hundred times as much."""
    records: int = 1
    """Traced calls in each."""
    loop: Callable[[Call, Sequence[str]], None] = one_by_one


_TEXT = "The context manager's exit method is called with the exception, if any. " * 13
_RAG_IN = [{"id": f"doc-{i}", "score": 0.5 + i, "text": _TEXT[:900]} for i in range(4)]
_RAG_OUT = {"role": "assistant", "content": _TEXT[:560], "usage": {"total": 812}}
_HUGE = [{"id": f"doc-{i}", "score": 0.5 + i, "text": _TEXT[:900]} for i in range(520)]
QUESTION = "How do I leave a with block early?"


def _tiny(trace: Decorator) -> Call:
    @trace
    def add(a: str, b: int = 2) -> int:
        return b

    return add


def _rag(trace: Decorator) -> Call:
    @trace
    def answer(question: str, passages: list[dict[str, Any]], turn: str) -> dict[str, Any]:
        return _RAG_OUT

    return lambda marker: answer(QUESTION, _RAG_IN, marker)


def _nested(trace: Decorator) -> Call:
    @trace
    def step(question: str, passages: list[dict[str, Any]], turn: str) -> dict[str, Any]:
        return _RAG_OUT

    @trace
    def pipeline(question: str, passages: list[dict[str, Any]], turn: str) -> dict[str, Any]:
        for marker in more:
            step(question, passages, marker)
        return _RAG_OUT

    more: Sequence[str] = ()

    def call(markers: Sequence[str]) -> Any:
        nonlocal more
        more = markers[1:]
        return pipeline(QUESTION, _RAG_IN, markers[0])

    return call


def _half_megabyte(trace: Decorator) -> Call:
    @trace
    def index(passages: list[dict[str, Any]], turn: str) -> int:
        return len(passages)

    return lambda marker: index(_HUGE, marker)


def _async(trace: Decorator) -> Call:
    @trace
    async def ask(a: str, b: int = 2) -> int:
        await asyncio.sleep(0)
        return b

    return ask


def _generator(trace: Decorator) -> Call:
    @trace
    def tokens(turn: str) -> Iterator[str]:
        yield from ("The", " context", " manager", "'s", " exit", " method", " is", " called")

    return lambda marker: deque(tokens(marker), maxlen=0)


WORKLOADS = [
    Workload("tiny", _tiny, 10_000),
    Workload("RAG-sized", _rag, 4_000),
    Workload("1 + 4 nested", _nested, 1_000, 5, five_at_a_time),
    Workload("0.5 MB in", _half_megabyte, 20),
    Workload("gather of 100", _async, 10_000, 1, hundred_at_once),
    Workload("generator of 8", _generator, 4_000),
]
BY_NAME = {workload.name: workload for workload in WORKLOADS}
