"""The store as evidence for a coding agent: opened for reading, and for writing by `note` alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .._record.record import Update
from ..errors import StoreError
from ..lookup.evidence import Evidence
from ..lookup.running import with_running
from ..store import Reader, Store
from ..store.memory import MemoryStore
from ._target import config, open_store

__all__ = ["Desk"]


class Desk:
    """Evidence about the store of `--store`, the environment or the default.

    The store is opened when it is first read, and again until there is one: a server may start
    before the program has recorded anything. Calls under way are laid over it each time.
    """

    def __init__(self, store: str | None, budget: int) -> None:
        self._name, self._budget = store, budget
        self._store: Store | None = None

    @contextmanager
    def evidence(self) -> Iterator[Evidence]:
        """Yield the evidence as it is now. Raises StoreError without a store and without a call
        under way."""
        settings = config(self._name)
        try:
            reader: Reader = self._opened()
        except StoreError:
            reader = with_running(MemoryStore(), settings.journal)
            if isinstance(reader, MemoryStore):  # nothing runs either
                raise
        else:
            reader = with_running(reader, settings.journal)
        yield Evidence(reader, budget=self._budget, write=self._write, mask=self._mask)

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _opened(self) -> Store:
        if self._store is None:
            self._store = open_store(self._name)
        return self._store

    def _write(self, update: Update) -> None:
        store = open_store(self._name, create=True)
        try:
            store.update([update])
        finally:
            store.close()

    def _mask(self, text: str) -> str:
        from .._snapshot.redact import redactor

        found = redactor(config(self._name).redact)
        return text if found is None else found.text(text)
