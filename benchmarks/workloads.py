"""The calls that are measured, and the tracers they are measured under.

The floor is a tracer written by hand that does the same essential work: a context variable, two
clock readings, an id, two orjson dumps, one append. What a library costs beyond it is its own.
"""

from __future__ import annotations

import contextvars
import functools
import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_current: contextvars.ContextVar[Any] = contextvars.ContextVar("floor", default=None)
_ids = itertools.count(1)
FLOOR_QUEUE: deque[tuple[Any, ...]] = deque()


def floor(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The hand-written tracer."""

    @functools.wraps(fn)
    def traced(*args: Any, **kwargs: Any) -> Any:
        parent, call_id = _current.get(), next(_ids)
        token = _current.set(call_id)
        start = time.time_ns()
        inputs = orjson.dumps({"args": args, "kwargs": kwargs})
        try:
            result = fn(*args, **kwargs)
        finally:
            _current.reset(token)
        outputs = orjson.dumps(result)
        FLOOR_QUEUE.append((call_id, parent, start, time.time_ns(), inputs, outputs))
        return result

    return traced


def passthrough(fn: Callable[..., Any]) -> Callable[..., Any]:
    """What any decorator costs that does nothing."""

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapped


class Workload(NamedTuple):
    name: str
    make: Callable[[Decorator], Callable[[], Any]]
    """Decorates the workload's functions; gives the call to measure."""
    calls: int
    """Measured calls a round."""


_CHUNK = "The context manager's exit method is called with the exception, if any. " * 12
_RAG_IN = [{"id": f"doc-{i}", "score": 0.5 + i, "text": _CHUNK[:900]} for i in range(4)]
_RAG_OUT = {"role": "assistant", "content": _CHUNK[:560], "usage": {"total": 812}}
_HUGE = [{"id": f"doc-{i}", "score": 0.5 + i, "text": _CHUNK[:900]} for i in range(520)]


def _tiny(trace: Decorator) -> Callable[[], Any]:
    @trace
    def add(a: int, b: int = 2) -> int:
        return a + b

    return lambda: add(1)


def _rag(trace: Decorator) -> Callable[[], Any]:
    @trace
    def answer(question: str, passages: list[dict[str, Any]]) -> dict[str, Any]:
        return _RAG_OUT

    return lambda: answer("How do I leave a with block early?", _RAG_IN)


def _nested(trace: Decorator) -> Callable[[], Any]:
    @trace
    def step(question: str, passages: list[dict[str, Any]]) -> dict[str, Any]:
        return _RAG_OUT

    @trace
    def pipeline(question: str, passages: list[dict[str, Any]]) -> dict[str, Any]:
        for _ in range(4):
            step(question, passages)
        return _RAG_OUT

    return lambda: pipeline("How do I leave a with block early?", _RAG_IN)


def _half_megabyte(trace: Decorator) -> Callable[[], Any]:
    @trace
    def index(passages: list[dict[str, Any]]) -> int:
        return len(passages)

    return lambda: index(_HUGE)


WORKLOADS = [
    Workload("tiny", _tiny, 20_000),
    Workload("RAG-sized", _rag, 5_000),
    Workload("1 + 4 nested", _nested, 1_000),
    Workload("0.5 MB in", _half_megabyte, 200),
]
