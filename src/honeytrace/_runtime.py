"""The one mutable global: what is configured, the flusher, and the ends of the process.

Nothing runs until the first session is recorded; then the environment is read, unless `configure`
was called before. Capture knows this module only through the functions it leaves in `hot`.
"""

from __future__ import annotations

import atexit
import inspect
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from . import _config
from ._config import Config
from ._context import current, discard, hot
from ._flush import Flusher, FlushResult, Stats
from ._record import MERGED, Item, Update
from ._redact import redactor
from ._sampling import Sampler
from ._session import Session, as_mapping
from ._snapshot import Limits, Snapshotter
from .errors import ConfigurationError
from .sinks import Sink
from .store import Store
from .store.memory import MemoryStore

if TYPE_CHECKING:
    from ._remote import Remote

logger = logging.getLogger("honeytrace")


class Runtime:
    """A configuration at work."""

    def __init__(self, config: Config, *, memory: bool = False) -> None:
        self.config = config
        self.memory = MemoryStore() if memory or config.store == ":memory:" else None
        self.redactor = redactor(config.redact)
        limits = Limits(config.max_bytes, config.max_depth, config.max_items)
        self.snapshotter = Snapshotter(limits, self.redactor)
        self.sampler = Sampler(config)
        self.flusher = Flusher(config, self._make_sink)
        self._reader: Store | None = self.memory
        self._reader_lock = threading.Lock()

    def _make_sink(self) -> Sink:
        from .sinks.store import StoreSink

        if self.config.sink is not None:
            return self.config.sink  # type: ignore[no-any-return]
        if self.memory is not None:
            return StoreSink(self.memory)
        if self.config.api_key:
            from .sinks.api import ApiSink

            return ApiSink(self.config)
        from .store.sqlite import SQLiteStore

        store, warning = SQLiteStore.open(self.config.store)
        if warning:
            logger.warning("honeytrace: %s", warning)
        return StoreSink(store)

    def reader(self) -> Store | None:
        """The store to look sessions up in; None while there is none."""
        with self._reader_lock:
            if self._reader is None and os.path.exists(self.config.store):
                from .store.sqlite import SQLiteStore

                self._reader = SQLiteStore(self.config.store)
            return self._reader

    def remote(self) -> Remote | None:
        """The API to look sessions up in; None while sessions do not go there."""
        if self.memory is not None or not self.config.api_key:
            return None
        from ._remote import Remote

        return Remote(self.config)

    def where(self) -> str:
        """Where sessions are stored, for a message."""
        if self.memory is not None:
            return "memory"
        api = f" or at {self.config.server_url}" if self.config.api_key else ""
        return self.config.store + api

    def wire(self) -> None:
        """Let capture record through this runtime."""
        hot.sample = self.sampler
        hot.submit, hot.keep = self.flusher.queue.put, self.flusher.queue.keep
        hot.encode = self.snapshotter.encode
        hot.redact = str if self.redactor is None else self.redactor.text
        hot.session_name = self.config.session_name
        hot.rate = 1.0 if self.config.sample_rate == 1.0 else self.config.sample_rate - 1e-9
        hot.on = self.config.enabled
        from . import _threads  # 4 ms of concurrent.futures

        if self.config.propagate_threads:
            _threads.install()
        else:
            _threads.uninstall()


_lock = threading.RLock()
_runtime: Runtime | None = None
_arguments: dict[str, Any] = {}


def configure(**settings: Any) -> None:
    """Set how sessions are recorded; see `honeytrace._config.Config` for every setting.

    Settings given before stay as they were. What is pending is delivered first, under the old
    configuration, for at most `exit_timeout` seconds. Raises ConfigurationError.
    """
    global _runtime
    with _lock:
        arguments = {**_arguments, **settings}
        config = _config.load(arguments)
        runtime = Runtime(config, memory=_in_memory(arguments))
        if _runtime is not None:
            _runtime.flusher.stop(_runtime.config.exit_timeout)
        _arguments.update(settings)
        _runtime = runtime
        runtime.wire()


def _in_memory(arguments: Mapping[str, Any]) -> bool:
    """Under pytest nothing is written and nobody is called unless it was asked for."""
    asked = ("store", "sink", "api_key", "server_url")
    return "_pytest" in sys.modules and not any(
        arguments.get(name) or os.environ.get(f"HONEYTRACE_{name.upper()}") for name in asked
    )


def runtime() -> Runtime:
    """The runtime, configured from the environment if nobody did."""
    if _runtime is None:
        with _lock:
            if _runtime is None:
                try:
                    configure()
                except ConfigurationError as error:
                    logger.warning("honeytrace records nothing: %s", error)
                    configure_off()
    assert _runtime is not None
    return _runtime


def configure_off() -> None:
    """What a broken environment leads to: a runtime that is off."""
    global _runtime
    _runtime = Runtime(Config(enabled=False, store=":memory:"))
    _runtime.wire()


def _first_sample(rate: float | None) -> Callable[[Session], None] | None:
    sampler = runtime().sampler
    return sampler(rate) if hot.on else discard


def _update(session_id: str, fields: Mapping[str, Any]) -> None:
    encoded: dict[str, bytes] = {}
    masked: list[str] = []
    for name, value in fields.items():
        if name in MERGED:
            value = as_mapping(value)
        elif name == "error":
            value = hot.redact(str(value))
        elif name == "children_ids":
            value = list(value)
        encoded[name] = hot.encode(value, masked, name)
    runtime().flusher.queue.put(Update(session_id, encoded))


def unconfigured() -> None:
    """The state at import: the first session configures."""
    global _runtime
    _runtime = None
    _arguments.clear()
    hot.on, hot.rate = True, -1.0
    hot.sample, hot.update = _first_sample, _update
    hot.submit = lambda session: runtime().flusher.queue.put(session)
    hot.keep = hot.submit
    hot.encode = lambda value, masked, name: runtime().snapshotter.encode(value, masked, name)
    hot.redact = lambda text: text


def flush(timeout: float | None = None) -> FlushResult:
    """Deliver everything recorded so far, for at most `timeout` seconds (default: 10).

    The result is true when everything accepted so far was delivered, and carries the counts.
    """
    if _runtime is None:
        return FlushResult(True, 0, 0, 0, 0)
    return _runtime.flusher.flush(10.0 if timeout is None else timeout)


async def aflush(timeout: float | None = None) -> FlushResult:
    """`flush` for asyncio: the event loop goes on meanwhile."""
    import asyncio

    return await asyncio.to_thread(flush, timeout)


def shutdown(timeout: float | None = None) -> FlushResult:
    """Flush and end the flush thread; the exit hook calls it with `exit_timeout`.

    What is recorded afterwards is delivered by the next `flush`, or at exit.
    """
    if _runtime is None:
        return FlushResult(True, 0, 0, 0, 0)
    return _runtime.flusher.stop(_runtime.config.exit_timeout if timeout is None else timeout)


def stats() -> Stats:
    """The books: recorded = delivered + pending + refused + dropped, at any moment."""
    if _runtime is None:
        return Stats()
    counted = _runtime.flusher.stats()
    counted.sampled_out = _runtime.sampler.left_out
    return counted


def pending() -> list[Item]:
    """What this process has recorded and not delivered: what runs around here, then what waits."""
    rt = runtime()
    found: list[Item] = []
    running: Any = current.get()
    while isinstance(running, Session):
        if not running._end:
            found.insert(0, running._so_far(rt.config.project, rt.config.source))
        running = running._parent
    return found + rt.flusher.pending()


@contextmanager
def swapped(
    settings: Mapping[str, Any], submitter: Callable[[Runtime], Callable[[Session], None]]
) -> Iterator[None]:
    """Record in memory, each session through what `submitter` gives; then all is as before."""
    global _runtime
    before, values = _runtime, {name: getattr(hot, name) for name in hot.__slots__}
    _runtime = Runtime(_config.load({"store": ":memory:", **settings}), memory=True)
    _runtime.wire()
    hot.submit = hot.keep = submitter(_runtime)
    try:
        yield
    finally:
        _runtime = before
        for name, value in values.items():
            setattr(hot, name, value)


def _after_fork_in_child() -> None:
    """The parent delivers what it has; the child starts empty, with locks and ids of its own."""
    global _lock, _runtime
    _lock = threading.RLock()
    hot.reseed()
    if _runtime is not None:
        _runtime = Runtime(_runtime.config, memory=_runtime.memory is not None)
        _runtime.wire()


def update_session(session_id: str, **fields: Any) -> None:
    """Add to a session that has ended, wherever it was recorded.

    Takes the fields `Session.update` takes. Mapping fields merge, the rest replaces; the update is
    delivered after its session. Raises TypeError for a field there is not.
    """
    unknown = sorted(set(fields) - set(_UPDATABLE))
    if unknown:
        raise TypeError(f"update_session() has no field {unknown}; it has {_UPDATABLE}")
    given = {name: value for name, value in fields.items() if value is not None}
    if given and runtime().config.enabled:
        _update(session_id, given)


_UPDATABLE = tuple(inspect.signature(Session.update).parameters)[1:]

atexit.register(shutdown)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
unconfigured()
