"""A runtime for tests: everything recorded goes to a function, at once and in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .. import _config
from .._capture.session import Session
from .._record.record import Update
from .names import with_masked_names
from .runtime import Runtime, replaced, runtime


@contextmanager
def captured(
    settings: Mapping[str, Any], capture: Callable[[Runtime, Session | Update], None]
) -> Iterator[None]:
    """Call `capture` with everything recorded in the block, then restore the previous state.

    The environment is not read, and a `configure` inside the block ends with it.
    """
    inside = Runtime(with_masked_names(_config.load(settings, {})), memory=True)
    inside.capture = lambda item: capture(runtime(), item)
    with replaced(inside, {"store": ":memory:", **settings}):
        yield
