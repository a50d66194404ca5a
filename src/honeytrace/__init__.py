"""honeytrace: the flight recorder for LLM applications."""

# The way of a call, which is also the order to read the modules in:
#
#   _trace     @trace_session and session(), the public face of capture
#   _wrap      makes the function that stands in for a decorated one; _proxy for other callables
#   _capture   begin, done, fail: what every traced call runs
#   _context   the ContextVar, ids, and `hot`, through which capture reaches the rest
#   _threads   carries the current session into threads
#   _snapshot  a Python value to JSON, now: at once where it is plain, through _exact where not;
#              _fallback for what JSON has no word for; _redact masks; _interrupt: what is let out
#   _failure   an exception, told in JSON
#   _session   a session while it runs
#   _sampling  which trees are recorded
#   _record    the finished session: wire names, milliseconds, merging
#   _queue     on the way to the flush thread, bounded in bytes
#   _journal   what is recorded and not delivered, in a file that outlives the process; _places
#              says where such files are
#   _flush     the flush thread: batches, retries, the books (_stats); _encoding makes records,
#              _batch finds what stops a batch, _outage knows how long to wait
#   _overflow  where records go that memory has no room for: _spill, and _aside for the refused
#   _recovery  delivers what the dead have left: _reader reads their journals, _passage divides
#              what a sink does not take; _keeping has it run, and opens our own journal
#   _native    the twins in C of what every call runs; _compiled takes them where they were built,
#              _later imports what takes long when something is to be traced
#   sinks/     where batches go; store/ where sessions live; api/ the HoneyHive client
#   _config    every setting; _destination where sessions go by it; _runtime puts all of it to work,
#              the one mutable global; _ends has it hear of forks and of the end
#   lookup     finds sessions again; _recorded is a session read back, _tree its place among others;
#              _compare compares two, _shapes says what values look like, _notebook draws them
#   cli/       the command line; server/ the HoneyHive-compatible server, and in it the viewer
#   testing    capture in tests; _pytest its fixture

from __future__ import annotations

import typing as _typing

from ._context import paused, propagate
from ._runtime import aflush, configure, flush, shutdown, stats, update_session
from ._session import Session, current_session
from ._stats import FlushResult, Stats
from ._trace import session, trace_session
from ._version import __version__
from .errors import ConfigurationError, HoneytraceError, SessionNotFound, StoreError

if _typing.TYPE_CHECKING:
    from ._recorded import RecordedSession
    from .lookup import SessionList, get_session, list_sessions, search_sessions

__all__ = [
    "ConfigurationError",
    "FlushResult",
    "HoneytraceError",
    "RecordedSession",
    "Session",
    "SessionList",
    "SessionNotFound",
    "Stats",
    "StoreError",
    "__version__",
    "aflush",
    "configure",
    "current_session",
    "flush",
    "get_session",
    "list_sessions",
    "paused",
    "propagate",
    "search_sessions",
    "session",
    "shutdown",
    "stats",
    "trace_session",
    "update_session",
]

_LATER = {"RecordedSession", "SessionList", "get_session", "list_sessions", "search_sessions"}
"""What finds sessions again, imported when it is asked for: most programs only record."""


for _name in set(__all__) - _LATER:
    _public = globals()[_name]
    if getattr(_public, "__module__", "").startswith("honeytrace."):
        _public.__module__ = "honeytrace"
del _name, _public


def __getattr__(name: str) -> _typing.Any:
    if name not in _LATER and name != "lookup":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    lookup = import_module("honeytrace.lookup")
    return lookup if name == "lookup" else getattr(lookup, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
