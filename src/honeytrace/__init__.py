"""honeytrace: the flight recorder for LLM applications."""

# Map of the package, in the order in which a call passes through it. Each room's `__init__.py`
# lists its files.
#
#   _capture/     the code of a traced call: the decorator, the with-block, the current session
#   _snapshot/    a Python value becomes bounded, redacted JSON, at once
#   _record/      the finished session: wire names, milliseconds, merging
#   _delivery/    from the queue to the sink: the flush thread, batches, retries, the books
#   _durability/  files that survive the process: journal, disk queue, recovery
#   sinks/        where batches go: the API, a store, a list in memory
#   store/        where sessions live; api/ is the typed client of the HoneyHive API
#   _config       every setting and its environment variable
#   _runtime/     the one mutable global: configure, flush, forks, the end of the process
#   lookup/       finds recorded sessions, compares them, draws them in notebooks
#   _replay/      recorded calls run again, answered from their recordings
#   propagation/  one trace across processes: headers, middleware, queues, pools
#   otel/         OpenTelemetry in and out; compat/ is for code written for HoneyHive's SDK
#   server/       the HoneyHive-compatible server and the viewer; cli/ is the command line
#   _display/     values as people read them, for the viewer, the notebook and the terminal
#   testing       captures sessions in tests; _pytest is its fixture
#   _base/, _network/, errors: leaves that any room may use

from __future__ import annotations

import typing as _typing

from ._base import cython as _cython  # noqa: F401 - before the first module that may be compiled
from ._base.version import __version__

if _typing.TYPE_CHECKING:
    from ._capture.block import session
    from ._capture.context import paused, propagate
    from ._capture.decorator import trace_session
    from ._capture.session import Session, current_session
    from ._delivery.stats import FlushResult, Stats
    from ._replay import areplay, plan, replay, replay_all, replaying
    from ._runtime.public import aflush, flush, shutdown, stats, update_session
    from ._runtime.runtime import configure
    from .errors import (
        ConfigurationError,
        HoneytraceError,
        NotRecorded,
        ReplayError,
        SessionNotFound,
        StoreError,
    )
    from .lookup import SessionList, get_session, list_sessions, search_sessions
    from .lookup.processes import OpenCall, RunningProcess, running
    from .lookup.recorded import RecordedSession
    from .propagation import continue_from, inject

__all__ = [
    "ConfigurationError",
    "FlushResult",
    "HoneytraceError",
    "NotRecorded",
    "OpenCall",
    "RecordedSession",
    "ReplayError",
    "RunningProcess",
    "Session",
    "SessionList",
    "SessionNotFound",
    "Stats",
    "StoreError",
    "__version__",
    "aflush",
    "areplay",
    "configure",
    "continue_from",
    "current_session",
    "flush",
    "get_session",
    "inject",
    "list_sessions",
    "paused",
    "plan",
    "propagate",
    "replay",
    "replay_all",
    "replaying",
    "running",
    "search_sessions",
    "session",
    "shutdown",
    "stats",
    "trace_session",
    "update_session",
]

_RECORDING = {
    **dict.fromkeys(("Session", "current_session"), "_capture.session"),
    **dict.fromkeys(("paused", "propagate"), "_capture.context"),
    **dict.fromkeys(("FlushResult", "Stats"), "_delivery.stats"),
    **dict.fromkeys(("aflush", "flush", "shutdown", "stats", "update_session"), "_runtime.public"),
    "configure": "_runtime.runtime",
    "session": "_capture.block",
    "trace_session": "_capture.decorator",
}
"""Names of programs that record, and their modules. The first use of any of them imports all that
recording needs, so that no call has to; the command line does without."""

_OTHERS = {
    **dict.fromkeys(("ConfigurationError", "HoneytraceError", "NotRecorded"), "errors"),
    **dict.fromkeys(("ReplayError", "SessionNotFound", "StoreError"), "errors"),
    **dict.fromkeys(("RecordedSession", "SessionList", "get_session"), "lookup"),
    **dict.fromkeys(("list_sessions", "search_sessions"), "lookup"),
    **dict.fromkeys(("OpenCall", "RunningProcess", "running"), "lookup.processes"),
    **dict.fromkeys(("continue_from", "inject"), "propagation"),
    **dict.fromkeys(("areplay", "plan", "replay", "replay_all", "replaying"), "_replay"),
}
"""Names that most programs do not need to record, and their modules."""

_ROOMS = ("compat", "lookup", "otel", "propagation")
"""Rooms that need no import of their own: `honeytrace.otel.instrument()`."""


def __getattr__(name: str) -> _typing.Any:
    from importlib import import_module

    if name in _RECORDING:
        import_module("honeytrace._runtime.public")
        for each, room in _RECORDING.items():
            globals()[each] = getattr(import_module(f"honeytrace.{room}"), each)
        return globals()[name]
    room = _OTHERS.get(name, name)
    if room == name and name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"honeytrace.{room}")
    return module if room == name else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
