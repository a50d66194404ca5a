"""LangChain's runs, whose spans callbacks make: they are never OpenTelemetry's current span.

The innermost runnable stands in LangChain's own context variable. A model's run stands nowhere: the
newest one that began in this context is remembered, for the spans of the SDK that it calls.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import Any

from .._capture.session import Session

SCOPE = "openinference.instrumentation.langchain"
"""The instrumentation scope of these spans, and the module of their instrumentor."""

_newest: ContextVar[Session | None] = ContextVar("honeytrace_langchain_run", default=None)

_config: ContextVar[Any] | None = None
"""LangChain's variable for the configuration of what runs inside a runnable; None until the first
of its spans starts, so that programs without LangChain do not pay for it."""


_seen = False


def seen() -> bool:
    """Return whether any of LangChain's spans has started in this process."""
    return _seen


def began(session: Session | None) -> None:
    """Note that a span of LangChain's has started here."""
    global _config, _seen
    _seen = True
    if _config is None:
        _config = _prepared()
    _newest.set(session)


def newest() -> Session | None:
    """Return the session of the run that began last in this context, if it still runs.

    It is the parent of spans alone: what iterates over a streamed answer has the same context.
    """
    found = _newest.get()
    while found is not None and found._end:
        found = found._parent
    return found


def runnable() -> Any:
    """Return the span of the runnable around here, or None."""
    if _config is None or _config.get() is None:
        return None
    try:
        return sys.modules[SCOPE].get_current_span()
    except Exception:  # noqa: BLE001 - of another library; without its answer there is none
        return None


def _prepared() -> ContextVar[Any] | None:
    """Return LangChain's variable, and have callbacks of async runs called in the run's context.

    Otherwise they run in threads, and a model's run would be unknown to the call that it makes.
    LangChain's own tracer for LangSmith sets the same switch.
    """
    tracer = getattr(sys.modules.get(f"{SCOPE}._tracer"), "OpenInferenceTracer", None)
    if tracer is not None:
        tracer.run_inline = True
    found = sys.modules.get("langchain_core.runnables.config")
    variable = getattr(found, "var_child_runnable_config", None)
    return variable if isinstance(variable, ContextVar) else None
