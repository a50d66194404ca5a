"""Celery: a worker's tasks belong to the session that sent them."""

from __future__ import annotations

from typing import Any

from ._context import continue_from, inject

_ENTERED = "honeytrace_entered"
_NAMES = ("traceparent", "tracestate")


def celery() -> None:
    """Carry sessions through Celery's messages. Call it in the producer and in the worker, once.

    Tasks need no change; a task's own session is that of `@trace_session` below `@app.task`. Raises
    ImportError without Celery.
    """
    try:
        from celery import signals  # type: ignore[import-untyped] # ships no types
    except ImportError as missing:
        raise ImportError(
            "honeytrace.propagation.celery needs Celery: pip install celery"
        ) from missing

    signals.before_task_publish.connect(_publish, weak=False, dispatch_uid="honeytrace")
    signals.task_prerun.connect(_enter, weak=False, dispatch_uid="honeytrace")
    signals.task_postrun.connect(_leave, weak=False, dispatch_uid="honeytrace")


def _publish(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    if headers is not None:
        # a task that is sent again from inside a task brings the headers it came with
        for name in _NAMES:
            headers.pop(name, None)
        inject(headers)


def _enter(task: Any = None, **kwargs: Any) -> None:
    request = task.request
    headers: dict[str, Any] = {name: getattr(request, name, None) for name in _NAMES}
    headers |= {k: v for k, v in (getattr(request, "headers", None) or {}).items() if k in _NAMES}
    entered = continue_from(headers)
    entered.__enter__()
    setattr(request, _ENTERED, entered)


def _leave(task: Any = None, **kwargs: Any) -> None:
    entered = getattr(task.request, _ENTERED, None)
    if entered is not None:
        setattr(task.request, _ENTERED, None)
        entered.__exit__()
