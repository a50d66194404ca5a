"""`instrument()`: start every installed instrumentor, into sessions of this process."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from .._base.lazy import logger
from ..errors import ConfigurationError
from ._bridge import Keep, SpanProcessor
from ._semconv.event_type import TRAFFIC

GROUP = "opentelemetry_instrumentor"
"""The entry points under which instrumentors are installed, whoever wrote them."""

_ORDER = ("openinference.", "opentelemetry.instrumentation.genai.", "opentelemetry.", "")
"""Of several instrumentors for one SDK, which is taken: those that record the messages unasked."""

_CONTENT = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
}
"""Without these, OpenTelemetry's own instrumentors leave the messages out."""


class Instrumentation:
    """Everything that `instrument` started; `undo()` or the end of a `with` block stops it."""

    def __init__(self, provider: TracerProvider) -> None:
        self.provider = provider
        """The provider of the instrumentors' spans; the global one only if it was set already."""
        self.names: list[str] = []
        """The instrumentors that were started, by name."""
        self._running: list[Any] = []

    def undo(self) -> None:
        """Stop the instrumentors that this call started. Recorded sessions stay."""
        while self._running:
            instrumentor = self._running.pop()
            try:
                instrumentor.uninstrument()
            except Exception as error:  # noqa: BLE001 - of another library; the others go on
                logger.warning("%s could not be stopped: %s", type(instrumentor).__name__, error)
        self.names.clear()

    def __enter__(self) -> Instrumentation:
        return self

    def __exit__(self, *exc: object) -> None:
        self.undo()


def instrument(
    *names: str, keep: Keep = "llm", provider: TracerProvider | None = None
) -> Instrumentation:
    """Record the calls of every installed instrumentor, or of those named, as sessions.

    names: the entry points of the group `opentelemetry_instrumentor` ("openai", "langchain", …),
    and "pydantic_ai", which has its own switch. Without names, all that are installed, but for
    those of HTTP clients, servers and databases unless `keep` is "all".
    keep: which spans become sessions, see `SpanProcessor`.
    provider: where spans go; by default the program's global provider where it has one of the SDK,
    else one of honeytrace's own, which never becomes the global one.
    Raises ConfigurationError for a name that is not installed. An instrumentor that fails costs a
    log line, and the others go on.
    """
    running = Instrumentation(provider or _global() or _own())
    if not _records(running.provider):
        running.provider.add_span_processor(SpanProcessor(keep=keep))
    found = _installed()
    unknown = sorted(set(names) - found.keys() - _SWITCHES.keys())
    if unknown:
        installed = ", ".join(sorted(found)) or "none"
        raise ConfigurationError(
            f"no instrumentor named {', '.join(unknown)} is installed (installed: {installed}); "
            f"pip install openinference-instrumentation-{unknown[0].replace('_', '-')}"
        )
    for name in names or sorted(found):
        if name in found and (names or keep == "all" or name not in TRAFFIC):
            _start(name, found[name], running, named=bool(names))
    for name, switch in _SWITCHES.items():
        if (name in names or not names) and find_spec(name) is not None:
            _guarded(name, lambda switch=switch: switch(running), named=bool(names))
    return running


def _global() -> TracerProvider | None:
    """The program's provider, if it is one that takes processors; none is made by asking."""
    found = trace.get_tracer_provider()
    # a proxy of the API, or of logfire around the SDK's
    return found if callable(getattr(found, "add_span_processor", None)) else None  # type: ignore[return-value]


_provider: TracerProvider | None = None

_started: set[str] = set()
"""Names of the instrumentors that `instrument` has started in this process."""


def _own() -> TracerProvider:
    global _provider
    if _provider is None:
        _provider = TracerProvider(shutdown_on_exit=False)
    return _provider


def _records(provider: TracerProvider) -> bool:
    """True if one of our processors is at work there: spans are recorded once."""
    active = getattr(provider, "_active_span_processor", None)
    inside: Iterable[Any] = getattr(active, "_span_processors", ())
    return any(isinstance(each, SpanProcessor) for each in inside)


def _installed() -> dict[str, EntryPoint]:
    """The instrumentors by name; of several for one SDK, the first in `_ORDER`."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        other = found.get(_name(point))
        if other is None or _rank(point) < _rank(other):
            found[_name(point)] = point
    return found


def _name(point: EntryPoint) -> str:
    """`openai` for OpenTelemetry's own `genai-openai`, too: both patch one SDK."""
    return point.name.replace("-", "_").removeprefix("genai_")


def _rank(point: EntryPoint) -> int:
    return next(i for i, start in enumerate(_ORDER) if point.value.startswith(start))


def _start(name: str, point: EntryPoint, running: Instrumentation, *, named: bool) -> None:
    def start() -> None:
        if point.value.startswith("opentelemetry.instrumentation.genai."):
            for variable, value in _CONTENT.items():
                os.environ.setdefault(variable, value)
        instrumentor = point.load()()
        if getattr(instrumentor, "is_instrumented_by_opentelemetry", False):
            # started by the program; its spans come if its provider is this one
            if running.provider is _provider and name not in _started:
                logger.warning(
                    "the program started the instrumentor %s itself: to record its spans, add "
                    "honeytrace.otel.SpanProcessor() to the tracer provider that it uses",
                    name,
                )
            return
        instrumentor.instrument(tracer_provider=running.provider, raise_exception_on_conflict=True)
        _started.add(name)
        running._running.append(instrumentor)
        running.names.append(name)

    _guarded(name, start, named=named)


def _guarded(name: str, start: Any, *, named: bool) -> None:
    """Start an instrumentor. One that finds no SDK is worth a warning only if it was `named`."""
    try:
        start()
    except Exception as error:  # noqa: BLE001 - an SDK too old for its instrumentor, …
        missing = (
            isinstance(error, ImportError) or type(error).__name__ == "DependencyConflictError"
        )
        level = logger.debug if missing and not named else logger.warning
        level("the instrumentor %s could not be started: %s", name, error)


def _pydantic_ai(running: Instrumentation) -> None:
    """pydantic-ai emits spans itself, when it is told where to."""
    agents = import_module("pydantic_ai")
    settings = agents.InstrumentationSettings(tracer_provider=running.provider)
    agents.Agent.instrument_all(settings)
    running._running.append(_Switch(lambda: agents.Agent.instrument_all(False)))
    running.names.append("pydantic_ai")


class _Switch:
    """The name under which an SDK offers its own instrumentation."""

    def __init__(self, off: Any) -> None:
        self.uninstrument = off


_SWITCHES = {"pydantic_ai": _pydantic_ai}
"""Libraries that emit spans without an instrumentor, and how they are told to."""
