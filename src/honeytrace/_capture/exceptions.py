"""Description of an exception in JSON: its type, message, traceback, causes and notes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType, WrapperDescriptorType
from typing import Any

from .._base.interrupts import interrupts
from .._base.lazy import orjson
from .context import PAUSED, current
from .hooks import hooks
from .templates import is_wrapper

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_HERE = tuple(os.path.join(_PACKAGE, room, "") for room in ("_capture", "_replay"))
_FRAMES = 40
_TEXT = 20_000
_CHAIN = 10
_RAISED = 4_096
"""Bytes of arguments and fields of an exception that are kept."""
_ERRNO_AND_TEXT = 2
_TRACED = 3
"""Causes, the nearest, whose tracebacks are kept: each may have 20 kB."""

_ENDINGS = {
    "CancelledError": "cancelled",
    "Cancelled": "cancelled",  # trio's
    "KeyboardInterrupt": "interrupted",
    "SystemExit": "exited",
    "GeneratorExit": "closed",
}
"""Status by the name of a class."""

# Attributes of an exception may run code of the program; these readers use the stored values.
_mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_namespace: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
_qualname: Callable[[type], str] = type.__dict__["__qualname__"].__get__
_module: Callable[[type], str] = type.__dict__["__module__"].__get__
_args, _traceback, _cause, _context, _suppressed, _dict = (
    vars(BaseException)[name].__get__
    for name in (
        *("args", "__traceback__", "__cause__", "__context__", "__suppress_context__"),
        "__dict__",
    )
)
_PLAIN = (str, int, float, bool, type(None))

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
"""Exceptions that frameworks use for control flow, by package and name. They are not failures."""


def status_of(exc: BaseException) -> str:
    """Return `"error"` for a failure, otherwise how the call ended: `"cancelled"`, `"paused"`, …

    Classes are compared by name, because importing asyncio for its class costs 30 ms and frameworks
    may not be installed.
    """
    kinds = _mro(type(exc))
    if Exception not in kinds:
        return next((_ENDINGS[_qualname(k)] for k in kinds if _qualname(k) in _ENDINGS), "error")
    for kind in kinds:
        found = _CONTROL_FLOW.get((str(_module(kind)).partition(".")[0], _qualname(kind)))
        if found is not None:
            return found
    return "error"


def error_text(exc: BaseException, *, raised: bool = True) -> str:
    """Return `Type: message`.

    A `__str__` of the program is called for an exception that was raised, as printing its traceback
    would do. It is not called for causes and members of a group. Arguments that are not plain
    values are snapshotted, because formatting them would run their code.
    """
    kind = type(exc)
    name: str = _qualname(kind)
    try:
        message = _message(exc, kind, raised)
    except BaseException as error:  # the user's __str__ may do anything
        if interrupts(error):
            raise
        message = "<its __str__ raised>"
    return _cut(f"{name}: {message}" if message else name, 2 * _TEXT)


def _message(exc: BaseException, kind: type, raised: bool) -> str:
    args = _args(exc)
    if not _formats_itself(kind):
        if raised:
            return str.__str__(str(exc))
    elif all(type(arg) in _PLAIN for arg in args) or _is_group(kind):
        if len(args) == 1 and type(args[0]) is str and KeyError not in _mro(kind):
            return args[0]  # it may be too long to copy
        return str(exc)
    if not args:
        return ""
    shown = args[0] if len(args) == 1 else args
    return shown if type(shown) is str else hooks.encode(shown, [], "error").decode()


def _formats_itself(kind: type) -> bool:
    """Return whether `__str__` belongs to the interpreter or an extension, not to the program."""
    for base in _mro(kind):
        if "__str__" in _namespace(base):
            return type(_namespace(base)["__str__"]) is WrapperDescriptorType
    return True


def _is_group(kind: type) -> bool:
    return any(_qualname(base) == "BaseExceptionGroup" for base in _mro(kind))


def describe(
    exc: BaseException,
    redact: Callable[[str], str],
    inside: tuple[int, str, str | None] | None,
) -> tuple[str, str | None, dict[str, Any]]:
    """Return `(status, error, details)` of an exception, every text passed through `redact`.

    `details` may have `traceback` (text, newest frames last), `causes` and `exceptions` (lists of
    `Type: message`, nearest first; a group's members), `cause_tracebacks` (list of text, for the
    nearest causes, empty for one without frames of the program), `notes` (list of text). `inside`
    is the `_raised` of the nested session that the exception came out of. Frames from there on, and
    the message, belong to that session, so a deep tree that fails reports each frame once.
    """
    status = status_of(exc)
    if status == "closed":
        return status, None, {}

    def clean(text: str) -> str:
        # Masked before it is cut: half a secret looks like none. Lone surrogates are written out.
        text = redact(text).encode("utf-8", "backslashreplace").decode()
        return _cut(text, _TEXT)

    before = current.get()
    try:
        current.set(PAUSED)  # code of the exception that runs only to describe it is not recorded
        known = inside[2] if inside is not None and not _formats_itself(type(exc)) else None
        error = clean(error_text(exc)) if known is None else known
        try:
            return status, error, _details(exc, error, clean, inside and inside[1])
        except BaseException as raised:  # the user's __getattribute__ may do anything
            if interrupts(raised):
                raise
            return status, error, {}
    finally:
        current.set(before)


def _details(
    exc: BaseException, error: str, clean: Callable[[str], str], raised_in: str | None
) -> dict[str, Any]:
    frames, traced = _own_frames(_traceback(exc))
    details: dict[str, Any] = {
        "traceback": clean(_text(frames)) + error,
        "raised": _raised(exc, error),
    }
    if traced and raised_in is not None:
        details["raised_in"] = raised_in
    chain = _chain(exc)
    if chain:
        details["causes"] = [clean(error_text(cause, raised=False)) for cause in chain]
        tracebacks = [_own_frames(_traceback(cause))[0] for cause in chain[:_TRACED]]
        if any(tracebacks):
            details["cause_tracebacks"] = [
                clean(_text(frames)) if frames else "" for frames in tracebacks
            ]
    members = _members(exc)
    if members:
        details["exceptions"] = [clean(error_text(m, raised=False)) for m in members[:_CHAIN]]
    notes = (_dict(exc) or {}).get("__notes__")
    if isinstance(notes, list):
        details["notes"] = [clean(n[: 2 * _TEXT]) for n in notes[:_CHAIN] if type(n) is str]
    return details


def _raised(exc: BaseException, error: str) -> dict[str, Any]:
    """Return the parts from which an equal exception can be made: `type`, `args`, `fields`.

    `args` are left out where they are the message of `error`, or too large.
    """
    kind, args = type(exc), list(_args(exc))
    found: dict[str, Any] = {"type": f"{_module(kind)}:{_qualname(kind)}"}
    fields = {
        name: value
        for name, value in (_dict(exc) or {}).items()
        if type(name) is str and not name.startswith("_")
    }
    if OSError in _mro(kind) and len(args) == _ERRNO_AND_TEXT:
        names = (OSError.__dict__[name].__get__(exc) for name in ("filename", "filename2"))
        args += [name for name in names if name is not None]
    plain = len(args) == 1 and type(args[0]) is str and error == f"{_qualname(kind)}: {args[0]}"
    if not plain and (args or error != _qualname(kind)):
        found["args"] = args
    if fields:
        found["fields"] = fields
    if len(found) == 1:
        return found
    data = hooks.encode(found, [], "error")
    if len(data) > _RAISED:
        return {"type": found["type"], "cut": True}
    tree: dict[str, Any] = orjson.loads(data)
    return tree


def _members(exc: BaseException) -> list[BaseException]:
    """Return the exceptions of a group, including the backport for Python 3.10."""
    if not _is_group(type(exc)):
        return []
    found = getattr(exc, "exceptions", ())
    return [m for m in found if issubclass(type(m), BaseException)] if found else []


def _chain(exc: BaseException) -> list[BaseException]:
    seen = [exc]
    while len(seen) <= _CHAIN:
        last = seen[-1]
        cause = _cause(last) or (None if _suppressed(last) else _context(last))
        if cause is None or any(cause is other for other in seen):
            break
        seen.append(cause)
    return seen[1:]


def _own_frames(tb: TracebackType | None) -> tuple[list[tuple[FrameType, int]], bool]:
    """Return the program's frames up to the next traced call, and whether there is one."""
    frames: list[tuple[FrameType, int]] = []
    while tb is not None:
        filename = tb.tb_frame.f_code.co_filename
        if is_wrapper(tb.tb_frame.f_code):
            if frames:
                return frames, True
        elif not filename.startswith(_HERE):
            frames.append((tb.tb_frame, tb.tb_lineno))
        tb = tb.tb_next
    return frames, False


def _text(frames: list[tuple[FrameType, int]]) -> str:
    """Return the frames as Python prints them; if there are many, the newest."""
    import traceback  # logging has imported it already

    try:
        summary = traceback.StackSummary.extract(iter(frames[-_FRAMES:]))
        text = "".join(traceback.format_list(summary))
    except BaseException as error:  # a loader's get_source may do anything
        if interrupts(error):
            raise
        return ""
    return "Traceback (most recent call last):\n" + text[-_TEXT // 2 :]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…[cut {len(text) - limit} characters]"
