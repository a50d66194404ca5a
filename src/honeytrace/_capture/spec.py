"""`Spec`: the fixed part of a traced function or a block, computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._base.lazy import orjson
from .coerce import as_text


class Spec:
    """The options of a decorator or of a block; shared by all sessions that come from it.

    fixed: `config`, `metadata`, … that every session of this spec starts with.
    code: `module:qualname@file:line` of the traced function; None for a block.
    stamp: the same as a member of honeytrace's details, JSON; empty for a block.
    """

    __slots__ = (
        "__weakref__",
        "capture_inputs",
        "capture_outputs",
        "code",
        "event_type",
        "fixed",
        "project",
        "reduce",
        "sample_rate",
        "session_name",
        "source",
        "stamp",
    )

    def __init__(
        self,
        session_name: str,
        *,
        project: str | None = None,
        source: str | None = None,
        event_type: str = "chain",
        capture_inputs: bool | frozenset[str] = True,
        capture_outputs: bool | frozenset[str] = True,
        sample_rate: float | None = None,
        reduce: Callable[[list[Any]], Any] | None = None,
        fixed: Mapping[str, Any] | None = None,
        code: str | None = None,
    ) -> None:
        self.session_name = as_text(session_name)
        self.project = as_text(project) if project else None
        self.source = as_text(source) if source else None
        self.event_type = str.__str__(event_type)  # a member of an enumeration is a str, too
        self.capture_inputs = capture_inputs
        self.capture_outputs = capture_outputs
        self.sample_rate = sample_rate
        self.reduce = reduce
        self.fixed = {name: dict(value) for name, value in (fixed or {}).items() if value}
        self.code = code
        self.stamp = b"" if code is None else b'"code":' + orjson.dumps(code)

    def __copy__(self) -> Spec:
        return self

    def __deepcopy__(self, memo: Any) -> Spec:
        return self

    def __reduce__(self) -> Any:
        options = {name: getattr(self, name) for name in _OPTIONS}
        return _restored, (self.session_name, options)


_OPTIONS = tuple(
    name for name in Spec.__slots__ if name not in ("__weakref__", "session_name", "stamp")
)


def _restored(session_name: str, options: dict[str, Any]) -> Spec:
    return Spec(session_name, **options)
