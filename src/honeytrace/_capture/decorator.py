"""The public face of capture: `@trace_session` and `session(...)`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar, overload

from .._lazy import ready
from ..errors import ConfigurationError
from .call import begin, done, fail, leave
from .coerce import as_ids, as_mapping, as_text
from .context import current
from .hooks import switch
from .session import NO_SESSION, Session
from .spec import Spec
from .targets import trace

T = TypeVar("T", bound="Callable[..., Any] | classmethod[Any, Any, Any] | staticmethod[Any, Any]")
Names = bool | Iterable[str]


class Decorator(Protocol):
    """Gives back what it is given, traced: the same callable to a type checker."""

    def __call__(self, target: T, /) -> T: ...


@overload
def trace_session(target: T, /) -> T: ...
@overload
def trace_session(
    session_name: str | None = None,
    /,
    *,
    project: str | None = None,
    source: str | None = None,
    event_type: str = "chain",
    config: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    user_properties: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    feedback: Mapping[str, Any] | None = None,
    capture_inputs: Names = True,
    capture_outputs: Names = True,
    sample_rate: float | None = None,
    reduce: Callable[[list[Any]], Any] | None = None,
) -> Decorator: ...
@overload
def trace_session(
    *,
    session_name: str,
    project: str | None = None,
    source: str | None = None,
    event_type: str = "chain",
    config: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    user_properties: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    feedback: Mapping[str, Any] | None = None,
    capture_inputs: Names = True,
    capture_outputs: Names = True,
    sample_rate: float | None = None,
    reduce: Callable[[list[Any]], Any] | None = None,
) -> Decorator: ...
def trace_session(target: Any = None, /, **options: Any) -> Any:
    """Record every call of a function as a session: inputs, outputs, error, times, children.

    Use it bare (`@trace_session`), with a name (`@trace_session("retrieve")`) or with options. It
    takes plain and async functions and generators, methods with `@classmethod` or `@staticmethod`
    above or below, any callable object, and classes, whose public methods it records.

    session_name: defaults to the function's qualified name.
    project, source: default to the configuration's.
    event_type: `"chain"`, `"model"` or `"tool"`, used where nested calls become events.
    config, metadata, user_properties, metrics, feedback: what every session starts with.
    capture_inputs: True, False, or the names of parameters to keep.
    capture_outputs: True, False, or the keys to keep of a returned dict.
    sample_rate: 0.0 to 1.0, the share of calls recorded where this function is the outermost.
    reduce: for generators, makes the outputs of the list of what was yielded.

    Raises ConfigurationError where an option cannot be meant. A traced call itself raises nothing
    that the undecorated function would not.
    """
    if isinstance(target, str):
        options["session_name"] = target
        target = None
    checked = _checked(**options)
    if target is None:
        return lambda target: trace(target, checked)
    return trace(target, checked)


def _checked(
    *,
    session_name: str | None = None,
    project: str | None = None,
    source: str | None = None,
    event_type: str = "chain",
    capture_inputs: Names = True,
    capture_outputs: Names = True,
    sample_rate: float | None = None,
    reduce: Callable[[list[Any]], Any] | None = None,
    **fixed: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The keyword arguments of a `Spec`. Raises ConfigurationError."""
    ready()
    if event_type not in ("chain", "model", "tool"):
        raise ConfigurationError(f'event_type is "chain", "model" or "tool", not {event_type!r}')
    if not (
        sample_rate is None or (isinstance(sample_rate, (int, float)) and 0 <= sample_rate <= 1)
    ):
        raise ConfigurationError(f"sample_rate is 0.0 to 1.0, not {sample_rate!r}")
    if reduce is not None and not callable(reduce):
        raise ConfigurationError("reduce is a function of the list of yielded values")
    for name, value in fixed.items():
        if name not in ("config", "metadata", "user_properties", "metrics", "feedback"):
            raise TypeError(f"trace_session() got an unexpected keyword argument {name!r}")
        if value is not None and not isinstance(value, Mapping):
            raise ConfigurationError(f"{name} is a mapping, not {type(value).__name__}")
    return {
        "session_name": session_name,
        "project": project,
        "source": source,
        "event_type": event_type,
        "capture_inputs": _names("capture_inputs", capture_inputs),
        "capture_outputs": _names("capture_outputs", capture_outputs),
        "sample_rate": sample_rate,
        "reduce": reduce,
        "fixed": {name: value for name, value in fixed.items() if value},
    }


def _names(option: str, value: Names) -> bool | frozenset[str]:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigurationError(f"{option} is True, False or a list of names, not {value!r}")
    return frozenset(value)


class session:  # noqa: N801 - `with session(...)` reads as the statement it is
    """Record a block as a session: `with session("name") as s:` or `async with`.

    Gives the running `Session`; where nothing is recorded, a false object that ignores what it is
    told. The parameters are the API's field names; all of them may also be set inside the block.

    session_id: choose the id, or continue the session that has it: the records merge.
    sample_rate: 0.0 to 1.0, where this block is the outermost.

    One `session` may be entered again, also by several tasks or threads at once: each time it is
    another session, unless `session_id` says which.
    """

    __slots__ = ("_fields", "_inputs", "_open", "_session_id", "_spec")

    def __init__(
        self,
        session_name: str | None = None,
        *,
        project: str | None = None,
        source: str | None = None,
        session_id: str | None = None,
        children_ids: Iterable[str] | None = None,
        config: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        outputs: Any = None,
        error: str | None = None,
        user_properties: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        feedback: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        event_type: str = "chain",
        sample_rate: float | None = None,
    ) -> None:
        options = _checked(
            session_name=session_name or "",  # the configured one, once that is known
            project=project,
            source=source,
            event_type=event_type,
            capture_outputs=False,
            sample_rate=sample_rate,
        )
        self._spec = Spec(**options)
        self._fields: dict[str, Any] = {
            "outputs": outputs,
            "error": error,
            "children_ids": None if children_ids is None else as_ids(children_ids),
            "config": config,
            "user_properties": user_properties,
            "metrics": metrics,
            "feedback": feedback,
            "metadata": metadata,
        }
        self._inputs = inputs
        self._session_id = as_text(session_id) if session_id else None
        self._open: list[tuple[Session, Any]] = []

    def __enter__(self) -> Session:
        outer = current.get()
        if not switch.on or (outer is not None and outer.off):
            self._open.append((NO_SESSION, outer))
            return NO_SESSION
        inputs = None if self._inputs is None else as_mapping(self._inputs)
        s: Session = begin(self._spec, self._parent(outer), inputs, self._session_id)
        self._open.append((s, outer))
        if s._spec is not self._spec:  # sampled out
            return NO_SESSION
        s.update(**self._fields)
        return s

    def _parent(self, outer: Any) -> Any:
        """What is current, unless this block continues it, or one around it: no cycles."""
        around = outer if self._session_id else None
        while around is not None:
            if around.session_id == self._session_id:
                return around._parent
            around = around._parent
        return outer

    def __exit__(self, kind: Any, exc: BaseException | None, tb: Any) -> None:
        now, at = current.get(), len(self._open) - 1
        for i, (s, _) in enumerate(self._open):
            if s is now:  # and not what another task entered later
                at = i
        s, outer = self._open.pop(at)
        if s is NO_SESSION:
            return
        if exc is None:
            leave(s, outer)
            try:
                done(s, None, current.get())
            except BaseException as interrupt:
                fail(s, interrupt, outer)
                raise
        else:
            fail(s, exc, outer)

    async def __aenter__(self) -> Session:
        return self.__enter__()

    async def __aexit__(self, kind: Any, exc: BaseException | None, tb: Any) -> None:
        self.__exit__(kind, exc, tb)
