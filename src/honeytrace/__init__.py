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
from ._capture.block import session
from ._capture.context import paused, propagate
from ._capture.decorator import trace_session
from ._capture.session import Session, current_session
from ._delivery.stats import FlushResult, Stats
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

if _typing.TYPE_CHECKING:
    from ._replay import areplay, plan, replay, replay_all, replaying
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

_LATER = {
    **dict.fromkeys(("RecordedSession", "SessionList", "get_session"), "lookup"),
    **dict.fromkeys(("list_sessions", "search_sessions"), "lookup"),
    **dict.fromkeys(("OpenCall", "RunningProcess", "running"), "lookup.processes"),
    **dict.fromkeys(("continue_from", "inject"), "propagation"),
    **dict.fromkeys(("areplay", "plan", "replay", "replay_all", "replaying"), "_replay"),
}
"""Names that are imported on first use, since most programs only record, and their modules."""

_ROOMS = ("compat", "lookup", "otel", "propagation")
"""Rooms that need no import of their own: `honeytrace.otel.instrument()`."""


for _name in set(__all__) - _LATER.keys():
    _public = globals()[_name]
    if getattr(_public, "__module__", "").startswith("honeytrace."):
        _public.__module__ = "honeytrace"
del _name, _public


def __getattr__(name: str) -> _typing.Any:
    room = _LATER.get(name, name)
    if name not in _LATER and name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f"honeytrace.{room}")
    return module if room == name else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
