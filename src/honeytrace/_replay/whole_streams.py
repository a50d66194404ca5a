"""Streams as a cassette needs them: every yield, as it was yielded.

A record has what `reduce=` made of a stream, or its first thousand yields. While the calls of a
test are recorded, generator functions are stood in for by ones that keep each yield with the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from .._base.lazy import orjson
from .._capture import registry
from .._capture.context import current
from .._capture.hooks import hooks
from .._capture.session import Session
from .calls import WHOLE
from .code import code_of
from .dispatcher import ASYNC_GENERATOR, GENERATOR
from .select import Selector


@contextmanager
def whole_streams(selector: Selector) -> Iterator[None]:
    """Keep every yield of the functions that a selector names, while the block runs."""
    kept: list[tuple[FunctionType, Any, Any]] = []

    def install(traced: FunctionType) -> None:
        spec = registry.spec_of(traced)
        flags = traced.__code__.co_flags & (GENERATOR | ASYNC_GENERATOR)
        if flags and selector.matches(spec.session_name, code_of(spec.code), spec.event_type):
            target = registry.target_of(traced)
            kind = _AsyncKeeper if flags & ASYNC_GENERATOR else _Keeper
            stub = _stub(target, spec, kind)
            kept.append((traced, target, stub))
            registry.call_instead(traced, stub)

    registry.listen(install)
    for traced in registry.traced_functions():
        install(traced)
    try:
        yield
    finally:
        registry.unlisten(install)
        for traced, target, stub in kept:
            if registry.target_of(traced) is stub:  # otherwise it was reloaded meanwhile
                registry.call_instead(traced, target)


def _stub(target: Any, spec: Any, kind: Any) -> Any:
    def keep(*args: Any, **kwargs: Any) -> Any:
        return kind(target(*args, **kwargs), spec)

    return keep


class _Keeper:
    """The steps of a generator, whose yields are noted in the session of its call."""

    def __init__(self, generator: Any, spec: Any) -> None:
        self._generator, self._spec = generator, spec
        self._yields: list[Any] = []

    def send(self, value: Any) -> Any:
        return self._kept(self._generator.send, value)

    def throw(self, exc: BaseException) -> Any:
        return self._kept(self._generator.throw, exc)

    def _kept(self, step: Any, given: Any) -> Any:
        try:
            item = step(given)
        except StopIteration as end:
            self._note(end.value)
            raise
        self._keep(item)
        return item

    def _keep(self, item: Any) -> None:
        s = self._session()
        if s is not None:
            self._yields.append(_snapshot(s, item))
            self._note()

    def _session(self) -> Session | None:
        """Return the session of the call, which is current while its frame runs."""
        s = current.get()
        while isinstance(s, Session) and s._spec is not self._spec:
            s = s._parent  # a with-block is open in the generator
        return s if isinstance(s, Session) and not s._end else None

    def _note(self, value: Any = None) -> None:
        s = self._session()
        if s is None:
            return
        whole: dict[str, Any] = {"yields": self._yields}
        if value is not None:
            whole["return"] = _snapshot(s, value)
        s._details = {**(s._details or {}), WHOLE: whole}


class _AsyncKeeper(_Keeper):
    """The steps of an async generator, whose yields are noted in the session of its call."""

    def asend(self, value: Any) -> Any:
        return self._later(self._generator.asend(value))

    def athrow(self, exc: BaseException) -> Any:
        return self._later(self._generator.athrow(exc))

    async def _later(self, step: Any) -> Any:
        item = await step
        self._keep(item)
        return item


def _snapshot(s: Session, value: Any) -> Any:
    masked: list[Any] = []
    data = hooks.encode(value, masked, "outputs")
    if masked:
        s._masked = [*(s._masked or ()), *masked]
    return orjson.loads(data)
