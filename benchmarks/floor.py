"""What tracing costs at the least, and less.

The floor is a tracer written by hand that does the essential work: a context variable, two clock
readings, an id, two orjson dumps, one append. What a library costs beyond it is its own.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson

_current: contextvars.ContextVar[Any] = contextvars.ContextVar("floor", default=None)
_ids = itertools.count(1)
QUEUE: deque[tuple[Any, ...]] = deque()


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
        QUEUE.append((call_id, parent, start, time.time_ns(), inputs, outputs))
        return result

    if inspect.iscoroutinefunction(fn):
        return _later(fn)
    return _stream(fn) if inspect.isgeneratorfunction(fn) else traced


def _later(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        parent, call_id = _current.get(), next(_ids)
        token = _current.set(call_id)
        start = time.time_ns()
        inputs = orjson.dumps({"args": args, "kwargs": kwargs})
        try:
            result = await fn(*args, **kwargs)
        finally:
            _current.reset(token)
        outputs = orjson.dumps(result)
        QUEUE.append((call_id, parent, start, time.time_ns(), inputs, outputs))
        return result

    return traced


def _stream(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Current in the consumer, too, which a tracer should not be."""

    @functools.wraps(fn)
    def traced(*args: Any, **kwargs: Any) -> Any:
        parent, call_id = _current.get(), next(_ids)
        token = _current.set(call_id)
        start, items = time.time_ns(), []
        inputs = orjson.dumps({"args": args, "kwargs": kwargs})
        try:
            for item in fn(*args, **kwargs):
                items.append(item)
                yield item
        finally:
            _current.reset(token)
        outputs = orjson.dumps(items)
        QUEUE.append((call_id, parent, start, time.time_ns(), inputs, outputs))

    return traced


def passthrough(fn: Callable[..., Any]) -> Callable[..., Any]:
    """What any decorator costs that does nothing."""

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapped
