"""The five names that programs written for HoneyHive's SDK use everywhere, over honeytrace.

    from honeytrace.compat.honeyhive import HoneyHiveTracer, trace, enrich_span

in place of `from honeyhive import …`. Arguments that honeytrace does not know are accepted and,
where it carries data, kept in metadata. Source: honeyhive 0.2.57 and 1.7.0.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar, overload

from .. import _config
from .._capture.block import session
from .._capture.context import innermost
from .._capture.decorator import trace_session
from .._capture.running import Running
from .._capture.session import Session, current_session
from .._runtime.public import flush, update_session
from .._runtime.runtime import configure

__all__ = ["HoneyHiveTracer", "atrace", "enrich_session", "enrich_span", "trace"]

F = TypeVar("F", bound=Callable[..., Any])

_FIELDS = ("inputs", "outputs", "config", "metrics", "feedback", "metadata", "user_properties")
_RENAMED = {"event_name": "session_name", "name": "session_name", "span_config": "config"}


@overload
def trace(event_type: F, /) -> F: ...
@overload
def trace(
    event_type: str | None = None, event_name: str | None = None, **more: Any
) -> Callable[[F], F]: ...
def trace(event_type: Any = None, event_name: str | None = None, **more: Any) -> Any:
    """Record calls of a function, plain or async: `@trace`, `@trace("model", "ask")`.

    event_type: "model", "tool" or "chain"; without it "tool", as with HoneyHive's.
    event_name: the name of the session. `config`, `metadata` and the other mapping fields: initial
    values of each session. Anything else is metadata.
    """
    if callable(event_type):
        return trace_session(event_type="tool")(event_type)
    given = {"event_type": event_type or "tool", "event_name": event_name}
    return trace_session(**_options({**given, **more}))


atrace = trace
"""The same: honeytrace tells coroutine functions by themselves."""


class Enriched:
    """The result of `enrich_span`: true if there was a call to enrich.

    `with enrich_span(…) as session:` is one more way to write it.
    """

    __slots__ = ("_session",)

    def __init__(self, session: Session | None) -> None:
        self._session = session

    def __bool__(self) -> bool:
        return self._session is not None

    def __enter__(self) -> Session:
        return current_session() if self._session is None else self._session

    def __exit__(self, *exc: object) -> None:
        pass


def enrich_span(
    attributes: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    feedback: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    outputs: Any = None,
    config: Mapping[str, Any] | None = None,
    error: str | None = None,
    event_id: str | None = None,
    tracer: Any = None,
    **more: Any,
) -> Enriched:
    """Add to the call that runs here, or to the one of the id `event_id`, also later.

    `attributes` and names that are none of these are metadata. The result is true if there was
    such a call.
    """
    given = {
        "metadata": {**(metadata or {}), **(attributes or {})} or None,
        "metrics": metrics,
        "feedback": feedback,
        "inputs": inputs,
        "outputs": outputs,
        "config": config,
        "error": error,
    }
    fields = _fields({**given, **more})
    if event_id is not None:
        update_session(event_id, **fields)
        return Enriched(current_session())
    session = current_session()
    if not session:
        return Enriched(None)
    session.update(**fields)
    return Enriched(session)


def enrich_session(
    session_id: str | Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **fields: Any,
) -> bool:
    """Add to the outermost session around here, or to the one of this id.

    A mapping in the first place is metadata. Return whether there is such a session.
    """
    if isinstance(session_id, Mapping):
        metadata = {**session_id, **(metadata or {})}
        session_id = None
    given = _fields({"metadata": metadata, **fields})
    root = _root() if session_id is None else None
    if isinstance(root, Session):
        root.update(**given)
        return True
    own = session_id if root is None else root.session_id
    if own is not None:
        update_session(own, **given)
    return own is not None


def _root() -> Running | None:
    """Return the outermost session around here; of one that has ended, there may be its ids."""
    running = innermost()
    if not isinstance(running, Session) or running.away:
        return None
    return running if running._root is None else running._root


class Span:
    """A block of `HoneyHiveTracer.start_span`, as its program sees it."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session

    def set_attribute(self, name: str, value: Any) -> None:
        """Add to the metadata of the session."""
        self.session.update(metadata={name: value})

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Add to the metadata of the session."""
        self.session.update(metadata=attributes)


class HoneyHiveTracer:
    """`HoneyHiveTracer.init(api_key=…, project=…)` in place of `honeytrace.configure`.

    config: an object with these settings as attributes, or the API key.

    Each traced call at the top is a session of its own, as in honeytrace everywhere: `session_id`
    is None until a call runs, then that call's.
    """

    def __init__(
        self,
        config: Any = None,
        session_config: Any = None,
        evaluation_config: Any = None,
        *,
        api_key: str | None = None,
        project: str | None = None,
        session_name: str | None = None,
        source: str | None = None,
        server_url: str | None = None,
        **more: Any,
    ) -> None:
        if isinstance(config, str):
            api_key, config = api_key or config, None
        if isinstance(session_config, str):
            project, session_config = project or session_config, None
        given: dict[str, Any] = {
            "api_key": api_key,
            "project": project,
            "session_name": session_name,
            "source": source,
            "server_url": server_url,
            "test_mode": more.get("test_mode"),
            "disable_tracing": more.get("disable_tracing"),
        }
        for name, value in given.items():
            for each in (config, session_config):
                if given[name] is None and each is not None:
                    given[name] = getattr(each, name, value)
        given["session_name"] = given["session_name"] or _script()
        unsent, disabled = given.pop("test_mode"), given.pop("disable_tracing")
        if unsent or disabled:
            given.pop("api_key")
        configure(**{name: value for name, value in given.items() if value is not None})
        if disabled:
            configure(enabled=False)

    @classmethod
    def init(cls, *arguments: Any, **options: Any) -> HoneyHiveTracer:
        """Configure honeytrace from the arguments that HoneyHive's tracer takes."""
        return cls(*arguments, **options)

    @property
    def session_id(self) -> str | None:
        """The id of the outermost session around here; None outside of any."""
        root = _root()
        return None if root is None else root.session_id

    def enrich_span(self, *arguments: Any, **fields: Any) -> bool:
        """As the function of this name."""
        return bool(enrich_span(*arguments, **fields))

    def enrich_session(
        self,
        metadata: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Any = None,
        config: Mapping[str, Any] | None = None,
        feedback: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        user_properties: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        **more: Any,
    ) -> bool:
        """As the function of this name, with the session's id at the end."""
        given = {"inputs": inputs, "outputs": outputs, "config": config, "feedback": feedback}
        given |= {"metrics": metrics, "user_properties": user_properties}
        return enrich_session(session_id, metadata, **given, **more)

    @contextmanager
    def trace(self, name: str, event_type: str | None = None, **attributes: Any) -> Iterator[Span]:
        """Record a block; `attributes` are metadata."""
        with session(name, event_type=event_type or "tool", metadata=attributes) as opened:
            yield Span(opened)

    def start_span(
        self, name: str, *, attributes: Mapping[str, Any] | None = None, **more: Any
    ) -> AbstractContextManager[Span]:
        """Record a block; `attributes` are metadata."""
        return self.trace(name, None, **(attributes or {}))

    def flush(self, timeout_millis: float = 30_000) -> bool:
        """Deliver the recorded sessions within milliseconds."""
        return bool(flush(timeout_millis / 1e3))

    force_flush = flush

    def shutdown(self) -> None:
        """Deliver the recorded sessions. Recording goes on until the process ends."""
        flush()


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
        made["metadata"] = {**made.get("metadata", {}), **extra}
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
        made["metadata"] = {**made.get("metadata", {}), **extra}
    return made


def _script() -> str | None:
    """The name that HoneyHive's tracer gives a session: of the script that runs."""
    named = any(
        os.environ.get(name) for name in _config.variables(_config.SETTINGS["session_name"])
    )
    script = os.path.basename(sys.argv[0]) if sys.argv else ""
    return None if named or not script else script
