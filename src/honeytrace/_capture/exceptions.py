"""An exception, told in JSON: what it was, where, why, and what it brought along."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from .._interrupts import interrupts
from .context import paused

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_FRAMES = 40
_TEXT = 20_000
_CHAIN = 10
_TRACED = 3
"""Causes, the nearest, whose tracebacks are kept: each may have 20 kB."""

_ENDINGS = {
    "CancelledError": "cancelled",
    "Cancelled": "cancelled",  # trio's
    "KeyboardInterrupt": "interrupted",
    "SystemExit": "exited",
    "GeneratorExit": "closed",
}

_CONTROL_FLOW = {
    ("langgraph", "GraphBubbleUp"): "paused",
    ("celery", "Retry"): "retried",
    ("celery", "TaskPredicate"): "ended",
    ("prefect", "Pause"): "paused",
    ("prefect", "PrefectSignal"): "ended",
    ("temporalio", "ContinueAsNewError"): "continued",
    ("airflow", "AirflowSkipException"): "skipped",
    ("airflow", "TaskDeferred"): "paused",
}
"""Exceptions by which frameworks steer a program, by package and name: they are no failures."""


def status_of(exc: BaseException) -> str:
    """Return `"error"` for a failure, otherwise how the call ended: `"cancelled"`, `"paused"`, …

    By name, since importing asyncio for its class costs 30 ms, and frameworks may not be installed.
    """
    if not isinstance(exc, Exception):
        for kind in type(exc).__mro__:
            if kind.__name__ in _ENDINGS:
                return _ENDINGS[kind.__name__]
        return "error"
    for kind in type(exc).__mro__:
        package = str(kind.__module__).partition(".")[0]
        found = _CONTROL_FLOW.get((package, kind.__name__))
        if found is not None:
            return found
    return "error"


def error_text(exc: BaseException) -> str:
    """`Type: message`, whatever `__str__` does."""
    name = type(exc).__qualname__
    try:
        message = str(exc)
    except BaseException as error:  # the user's __str__ may do anything
        if interrupts(error):
            raise
        message = "<its __str__ raised>"
    return _cut(f"{name}: {message}" if message else name, _TEXT)


def describe(
    exc: BaseException, redact: Callable[[str], str], raised_in: str | None
) -> tuple[str, str | None, dict[str, Any]]:
    """`(status, error, details)` of an exception, with every text passed through `redact`.

    `details` may have `traceback` (text, newest frames last), `causes` and `exceptions` (lists of
    `Type: message`, nearest first; a group's members), `cause_tracebacks` (list of text, for the
    nearest causes, empty for one without frames of the program), `notes` (list of text).
    `raised_in` is the id of the session inside, if any, that the exception came out of; the frames
    from there on are left to it, so that a deep tree that fails tells every frame once.
    """
    status = status_of(exc)
    if status == "closed":
        return status, None, {}

    def clean(text: str) -> str:
        return redact(text).encode("utf-8", "backslashreplace").decode()  # lone surrogates

    with paused():  # an exception's own code, run to tell it, is not the program's call
        error = clean(error_text(exc))
        try:
            return status, error, _details(exc, clean, raised_in)
        except BaseException as raised:  # the user's __getattribute__ may do anything
            if interrupts(raised):
                raise
            return status, error, {}


def _details(
    exc: BaseException, clean: Callable[[str], str], raised_in: str | None
) -> dict[str, Any]:
    frames, traced = _own_frames(exc.__traceback__)
    details: dict[str, Any] = {"traceback": clean(_text(frames) + error_text(exc))}
    if traced and raised_in is not None:
        details["raised_in"] = raised_in
    chain = _chain(exc)
    if chain:
        details["causes"] = [clean(error_text(cause)) for cause in chain]
        tracebacks = [_own_frames(cause.__traceback__)[0] for cause in chain[:_TRACED]]
        if any(tracebacks):
            details["cause_tracebacks"] = [
                clean(_text(frames)[:_TEXT]) if frames else "" for frames in tracebacks
            ]
    members = getattr(exc, "exceptions", None)
    if isinstance(members, (tuple, list)):
        details["exceptions"] = [
            clean(error_text(m)) for m in members[:_CHAIN] if isinstance(m, BaseException)
        ]
    notes = getattr(exc, "__notes__", None)
    if isinstance(notes, list):
        details["notes"] = [clean(_cut(n, _TEXT)) for n in notes[:_CHAIN] if isinstance(n, str)]
    return details


def _chain(exc: BaseException) -> list[BaseException]:
    seen = [exc]
    while len(seen) <= _CHAIN:
        last = seen[-1]
        cause = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if cause is None or any(cause is other for other in seen):
            break
        seen.append(cause)
    return seen[1:]


def _own_frames(tb: TracebackType | None) -> tuple[list[tuple[FrameType, int]], bool]:
    """The program's frames up to the next traced call, and whether there is one."""
    frames: list[tuple[FrameType, int]] = []
    while tb is not None:
        filename = tb.tb_frame.f_code.co_filename
        if filename.startswith("<honeytrace"):
            if frames:
                return frames, True
        elif not filename.startswith(_HERE):
            frames.append((tb.tb_frame, tb.tb_lineno))
        tb = tb.tb_next
    return frames, False


def _text(frames: list[tuple[FrameType, int]]) -> str:
    """The frames as Python prints them; of many, the newest."""
    import traceback  # which logging has brought

    try:
        summary = traceback.StackSummary.extract(iter(frames[-_FRAMES:]))
        text = "".join(traceback.format_list(summary))
    except BaseException as error:  # a loader's get_source may do anything
        if interrupts(error):
            raise
        return ""
    return "Traceback (most recent call last):\n" + text[-_TEXT:]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…[cut {len(text) - limit} characters]"
