"""Processes of one machine: subprocesses, and pools whose workers were not forked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

from .._capture.context import innermost
from ._context import continue_from, inject

P = ParamSpec("P")
R = TypeVar("R")


def environ(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment for a subprocess: `base`, by default this process's, and the current session.

    The subprocess enters it with `continue_from(os.environ)`. The names are those that
    OpenTelemetry's tools read: TRACEPARENT and TRACESTATE.
    """
    made = dict(os.environ if base is None else base)
    headers = inject()
    for name in ("traceparent", "tracestate"):
        made.pop(name.upper(), None)
        if name in headers:
            made[name.upper()] = headers[name]
    return made


class Carried:
    """A callable and the session it is called in, which may be pickled. See `carried`."""

    __slots__ = ("fn", "headers")

    def __init__(self, fn: Callable[..., Any], headers: dict[str, str]) -> None:
        self.fn = fn
        self.headers = headers

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with continue_from(self.headers):
            return self.fn(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return Carried, (self.fn, self.headers)


def carried(fn: Callable[P, R]) -> Callable[P, R]:
    """`fn` for another process, called inside the session that is current now.

    It pickles if `fn` does: `pool.submit(carried(work), item)`, `Parallel(4)(delayed(carried(work))
    (item) for item in items)`, and the like for Dask and Ray. For threads there is `propagate`.
    """
    return Carried(fn, inject())


def process_pools() -> None:
    """Have every process pool call its functions inside the session that submitted them.

    Patches `concurrent.futures.ProcessPoolExecutor`, `multiprocessing.Pool`, and joblib's pool
    where it is installed. Call it once, in the process that submits.
    """
    for module, owner, method in _POOLS:
        try:
            cls = getattr(import_module(module), owner)
        except (ImportError, AttributeError):
            continue
        _patch(cls, method)


_POOLS = (
    ("concurrent.futures.process", "ProcessPoolExecutor", "submit"),
    ("multiprocessing.pool", "Pool", "apply_async"),
    ("multiprocessing.pool", "Pool", "_map_async"),
    ("multiprocessing.pool", "Pool", "imap"),
    ("multiprocessing.pool", "Pool", "imap_unordered"),
    ("joblib.externals.loky.process_executor", "ProcessPoolExecutor", "submit"),
    ("loky.process_executor", "ProcessPoolExecutor", "submit"),
)


def _patch(cls: type, name: str) -> None:
    before = cls.__dict__.get(name)
    if before is None or getattr(before, "__honeytrace__", False):
        return

    @wraps(before)
    def inside(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        running = innermost()
        if running is not None and not isinstance(fn, Carried):
            fn = carried(fn)
        return before(self, fn, *args, **kwargs)

    inside.__honeytrace__ = True  # type: ignore[attr-defined]
    setattr(cls, name, inside)
