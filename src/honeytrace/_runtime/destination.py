"""The destination of sessions under a configuration, and the stores that find them again."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._base.lazy import logger
from .._base.native_locks import RLock
from .._config import Config, without_password
from .._delivery.also import Also, Both

if TYPE_CHECKING:
    from ..sinks import Sink
    from ..store import Store


class Destination:
    """A destination: a store, the API, or a sink of the program.

    `memory` keeps everything if nothing is to be written. It and the readers are taken over from
    `before`.
    """

    def __init__(self, config: Config, memory: bool, before: Destination | None) -> None:
        self._config = config
        self.memory = None
        if memory or config.store == ":memory:":
            from ..store.memory import MemoryStore

            self.memory = (before and before.memory) or MemoryStore()
        # shared, because sessions found earlier continue to read from these stores
        self._readers: dict[str, Store] = before._readers if before else {}
        self._reader_lock: Any = before._reader_lock if before else RLock()
        self._file: tuple[int, int] | None = None
        self._told_unknown = False
        known = {id(each.sink): each for each in before.also} if before else {}
        self.also: list[Also] = [known.get(id(sink)) or Also(sink) for sink in config.also or ()]
        """Second destinations, each with the items that wait for it."""

    def sink(self, damage: Exception | None = None) -> Sink:
        """Return a sink; `damage` is the exception that made the last sink unusable."""
        first = self._first(damage)
        return Both(first, self.also) if self.also else first

    def _first(self, damage: Exception | None) -> Sink:
        from ..sinks.store import StoreSink

        if self._config.sink is not None:
            return self._config.sink  # type: ignore[no-any-return]
        if self.memory is not None:
            return StoreSink(self.memory, self._unknown)
        if self._config.api_key:
            from ..sinks.api import ApiSink

            return ApiSink(self._config)
        return StoreSink(self._open_store(damage), self._unknown)

    def _unknown(self, ids: Sequence[str]) -> None:
        """Report, once per destination, that `update_session` was given an unknown id."""
        if not self._told_unknown:
            self._told_unknown = True
            logger.warning(
                "honeytrace: update_session(%r): there is no such session in %s; the update is kept"
                " until it arrives. Is the id that of session.session_id?",
                ids[0],
                self.where(),
            )

    def _open_store(self, damage: Exception | None) -> Store:
        from ..store._connection import identity, set_aside
        from ..store.urls import is_remote, open_or_replace, open_store

        if is_remote(self._config.store):
            return open_store(self._config.store)
        path = self._config.store
        if damage is not None and identity(path) == self._file:  # otherwise another process did it
            kept = set_aside(path)
            logger.warning("honeytrace: %s; it was kept as %s, a new one is used", damage, kept)
        is_first = not os.path.exists(path)
        store, warning = open_or_replace(self._config.store)
        self._file = identity(path)
        if is_first:
            _welcome(self._config.store)
        if warning:
            logger.warning("honeytrace: %s", warning)
        return store

    def wait_for_others(self, timeout: float) -> bool:
        """Return whether all second destinations have everything within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        waited = [each.wait(max(deadline - time.monotonic(), 0)) for each in self.also]
        return all(waited)

    def reader(self) -> Store | None:
        """Return the store to look sessions up in; None while there is none."""
        url = self._config.store
        if self.memory is not None:
            return self.memory
        with self._reader_lock:
            if url not in self._readers and ("://" in url or os.path.exists(url)):
                from ..store.urls import open_for_reading  # imports sqlite3, 3 ms

                self._readers[url] = open_for_reading(url)
            return self._readers.get(url)

    def close(self) -> None:
        """Close the stores that lookup has opened; the next lookup opens its own again."""
        with self._reader_lock:
            for path in list(self._readers):
                self._readers.pop(path).close()

    @property
    def is_api(self) -> bool:
        """True if sessions go to the API, so that lookup has to ask the API."""
        return self.memory is None and bool(self._config.api_key)

    def where(self) -> str:
        """Return the name of the destination, for a message."""
        if self.memory is not None:
            return "memory"
        api = f" or at {self._config.server_url}" if self._config.api_key else ""
        return without_password(self._config.store) + api


def _welcome(store: str) -> None:
    """Tell a person at a terminal, once per store, where sessions go and how to look at them."""
    try:
        if sys.stderr is None or not sys.stderr.isatty():
            return
        where = os.path.relpath(store)
        where = store if where.startswith("..") else where
        sys.stderr.write(f"honeytrace: recording to {where} (`honeytrace ui` shows it)\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # a stream that is closed or gone
        pass
