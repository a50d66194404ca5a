"""The five names that programs written for HoneyHive's SDK use everywhere, over honeytrace.

    from honeytrace.compat.honeyhive import HoneyHiveTracer, trace, enrich_span

in place of `from honeyhive import …`. Arguments that honeytrace does not know are accepted and,
where it carries data, kept in metadata. Source: honeyhive 0.2.57 and 1.7.0.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from .. import _config
from .._capture.context import innermost
from .._capture.decorator import trace_session
from .._capture.session import Session, current_session
from .._runtime.public import flush, update_session
from .._runtime.runtime import configure

__all__ = ["HoneyHiveTracer", "atrace", "enrich_session", "enrich_span", "trace"]

F = TypeVar("F", bound=Callable[..., Any])

_FIELDS = ("inputs", "outputs", "config", "metrics", "feedback", "metadata", "user_properties")
_RENAMED = {"event_name": "session_name", "name": "session_name", "span_config": "config"}


@overload
def trace(fn: F, /) -> F: ...
@overload
def trace(
    fn: None = None,
    /,
    *,
    event_type: str | None = None,
    event_name: str | None = None,
    config: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **more: Any,
) -> Callable[[F], F]: ...
def trace(fn: Any = None, /, **options: Any) -> Any:
    """Record calls of a function, plain or async: `@trace`, `@trace(event_type="model")`.

    event_type: "model", "tool" or "chain"; `event_name`: the name of the session; `config`,
    `metadata` and the other mapping fields: initial values of each session.
    """
    if fn is not None:
        return trace_session(fn)
    return trace_session(**_options(options))


atrace = trace
"""The same: honeytrace tells coroutine functions by themselves."""


def enrich_span(metadata: Mapping[str, Any] | None = None, **fields: Any) -> bool:
    """Add to the call that runs here. Return whether there is one."""
    session = current_session()
    if not session:
        return False
    _enrich(session, {"metadata": metadata, **fields})
    return True


def enrich_session(
    session_id: str | None = None, metadata: Mapping[str, Any] | None = None, **fields: Any
) -> bool:
    """Add to the outermost session around here, or to the one of this id.

    Outside of any session, that is the session of the newest `HoneyHiveTracer`. Return whether
    there is one.
    """
    given = {"metadata": metadata, **fields}
    if session_id is None:
        running = innermost()
        root = running if isinstance(running, Session) and not running.away else None
        if root is not None:
            _enrich(root if root._root is None else root._root, given)
            return True
        session_id = _tracer.session_id if _tracer is not None else None
    if session_id is None:
        return False
    update_session(session_id, **_fields(given))
    return True


class HoneyHiveTracer:
    """`HoneyHiveTracer.init(api_key=…, project=…)` in place of `honeytrace.configure`.

    Each traced call at the top is a session of its own, as in honeytrace everywhere: `session_id`
    is None until a call runs, then that call's.
    """

    def __init__(
        self,
        api_key: str | None = None,
        project: str | None = None,
        session_name: str | None = None,
        source: str | None = None,
        server_url: str | None = None,
        **more: Any,
    ) -> None:
        global _tracer
        settings = {
            "api_key": api_key,
            "project": project,
            "session_name": session_name or _script(),
            "source": source,
            "server_url": server_url,
        }
        if more.get("test_mode") or more.get("disable_tracing"):
            settings.pop("api_key")
        configure(**{name: value for name, value in settings.items() if value is not None})  # type: ignore[arg-type]
        if more.get("disable_tracing"):
            configure(enabled=False)
        _tracer = self

    @classmethod
    def init(cls, *arguments: Any, **options: Any) -> HoneyHiveTracer:
        """Configure honeytrace from the arguments that HoneyHive's tracer takes."""
        return cls(*arguments, **options)

    @property
    def session_id(self) -> str | None:
        """The id of the outermost session around here; None outside of any."""
        running = innermost()
        if not isinstance(running, Session) or running.away:
            return None
        return running.session_id if running._root is None else running._root.session_id

    def enrich_span(self, *arguments: Any, **fields: Any) -> bool:
        """As the function of this name."""
        return enrich_span(*arguments, **fields)

    def enrich_session(self, *arguments: Any, **fields: Any) -> bool:
        """As the function of this name."""
        return enrich_session(*arguments, **fields)

    def flush(self, timeout: float = 10.0) -> bool:
        """Deliver the recorded sessions within seconds."""
        return bool(flush(timeout))

    force_flush = flush


_tracer: HoneyHiveTracer | None = None


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `trace` under honeytrace's names; those without one are metadata."""
    made: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in options.items():
        known = _RENAMED.get(name, name)
        if known in ("event_type", "session_name", "project", "source", *_FIELDS):
            if value is not None and known not in ("inputs", "outputs"):
                made[known] = value
        elif value is not None and name not in ("tracer", "tags"):
            extra[name] = value
    if options.get("tags"):
        extra["tags"] = options["tags"]
    if extra:
        made["metadata"] = {**extra, **made.get("metadata", {})}
    return made


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to add under honeytrace's names; the others become metadata."""
    made: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in given.items():
        known = _RENAMED.get(name, name)
        if value is None or name == "tracer":
            continue
        if known in (*_FIELDS, "error", "session_name"):
            made[known] = value
        else:
            extra[name] = value
    if extra:
        made["metadata"] = {**extra, **made.get("metadata", {})}
    return made


def _enrich(session: Session, given: Mapping[str, Any]) -> None:
    session.update(**_fields(given))


def _script() -> str | None:
    """The name that HoneyHive's tracer gives a session: of the script that runs."""
    named = any(
        os.environ.get(name) for name in _config.variables(_config.SETTINGS["session_name"])
    )
    script = os.path.basename(sys.argv[0]) if sys.argv else ""
    return None if named or not script else script
