"""`@trace_session`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from .options import Names, TraceOptions, checked_options
from .targets import trace

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T", bound="Callable[..., Any] | classmethod[Any, Any, Any] | staticmethod[Any, Any]")


class Decorator(Protocol):
    """A decorator that returns the traced callable; type checkers see the same type."""

    def __call__(self, target: T, /) -> T: ...


@overload
def trace_session(target: T, /) -> T: ...
@overload
def trace_session(
    session_name: str | None = None, /, **options: Unpack[TraceOptions]
) -> Decorator: ...
@overload
def trace_session(*, session_name: str, **options: Unpack[TraceOptions]) -> Decorator: ...
def trace_session(
    target: Any = None,
    /,
    *,
    session_name: str | None = None,
    project: str | None = None,
    source: str | None = None,
    event_type: str = "chain",
    config: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    user_properties: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    feedback: Mapping[str, Any] | None = None,
    capture_inputs: Names = True,
    ignore_inputs: Iterable[str] = (),
    capture_outputs: Names = True,
    sample_rate: float | None = None,
    reduce: Callable[[list[Any]], Any] | None = None,
) -> Any:
    """Record every call of a function as a session: inputs, outputs, error, times, children.

    Use it bare (`@trace_session`), with a name (`@trace_session("retrieve")`) or with options. It
    takes plain and async functions and generators, methods with `@classmethod` or `@staticmethod`
    above or below, any callable object, and classes, whose public methods it records.

    session_name: defaults to the function's qualified name.
    project, source: default to the configuration's.
    event_type: `"chain"`, `"model"` or `"tool"`, used when nested calls become events.
    config, metadata, user_properties, metrics, feedback: the fields every session starts with.
    capture_inputs: True, False, or the names of parameters to keep.
    ignore_inputs: the names of parameters to leave out, such as a client or a request.
    capture_outputs: True, False, or the keys to keep of a returned dict.
    sample_rate: 0.0 to 1.0, the share of calls recorded when this function is the outermost.
    reduce: for generators, a function that turns the list of yielded values into the outputs.

    Raises ConfigurationError for an invalid option. A traced call itself raises nothing
    that the undecorated function would not.
    """
    options = checked_options(
        session_name=target if isinstance(target, str) else session_name,
        project=project,
        source=source,
        event_type=event_type,
        config=config,
        metadata=metadata,
        user_properties=user_properties,
        metrics=metrics,
        feedback=feedback,
        capture_inputs=capture_inputs,
        ignore_inputs=ignore_inputs,
        capture_outputs=capture_outputs,
        sample_rate=sample_rate,
        reduce=reduce,
    )
    if target is None or isinstance(target, str):
        return lambda target: trace(target, options)
    return trace(target, options)


trace_session.__module__ = "honeytrace"  # where users find it
