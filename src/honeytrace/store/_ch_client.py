"""The connection to ClickHouse, over HTTP or to the engine inside this process (`chdb`)."""

from __future__ import annotations

import logging
import os
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .._base.native_locks import RLock
from .._config import without_password
from ..errors import ConfigurationError, StoreError
from ._ch_schema import Layout
from .errors import RecordRefusedError, StoreBusyError, StoreFullError, StoreUnavailableError

try:
    import clickhouse_connect
    from clickhouse_connect.driver import exceptions
except ImportError as missing:
    raise ConfigurationError(
        f"a store in ClickHouse needs an extra: pip install 'honeytrace[clickhouse]' ({missing})"
    ) from missing

__all__ = ["Client"]

_LAG = 2.0
"""Seconds after which a row counts as visible on all nodes; followers lag by as much."""

_CONNECT, _ANSWER = 5, 30
"""Seconds to wait for a connection and for an answer."""

_AWAY = 1.0
"""Seconds for which an unreachable server is not tried again."""

_SETTINGS = {
    # An insert is acknowledged only when it is stored, since honeytrace buffers by itself.
    "async_insert": 0,
    "distributed_foreground_insert": 1,
    # A batch may name some thousands of ids.
    "max_query_size": 100_000_000,
    # Clocks of clients may be wrong by any amount, and each week is a partition.
    "max_partitions_per_insert_block": 0,
    # A row and the row that supersedes it have one key, hence one partition.
    "do_not_merge_across_partitions_select_final": 1,
    # If an index matches an older row, the newer row of that key must be read, too.
    "use_skip_indexes_if_final": 1,
    "use_skip_indexes_if_final_exact_mode": 1,
}

_BUSY = ("TOO_MANY_PARTS", "TOO_MANY_SIMULTANEOUS", "MEMORY_LIMIT", "TIMEOUT", "TABLE_IS_READ_ONLY")
_FULL = ("NOT_ENOUGH_SPACE", "No space left")

_embedded: dict[str, Any] = {}
"""Engines inside this process, by directory. The process can have only one engine for a
directory."""
_embedded_lock = RLock()


class Client:
    """Statements to the engine that a `clickhouse://` or `chdb://` URL names.

    `?secure=1` enables TLS, `?cluster=` names a cluster, `?keep_days=` limits how long sessions are
    kept, and `?lag=` sets the seconds that followers stay behind.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._given = dict(parse_qsl(self._parts.query))
        self.where = without_password(url)
        self.embedded = self._parts.scheme.lower() == "chdb"
        keep = self._given.get("keep_days")
        if keep is not None and not (keep.isdecimal() and int(keep)):
            raise ConfigurationError(f"keep_days={keep!r}: it must be a number of days")
        self.layout = Layout(self._given.get("cluster", ""), int(keep) if keep else None)
        self.lag = float(self._given.get("lag", 0.0 if self.embedded else _LAG))
        self._lock = RLock()
        self._tick = 0
        self._connection: Any = None
        self._pid = os.getpid()
        self._closed = False
        self._away_until = 0.0
        # The driver's own logger would log each failed attempt with a traceback; the caller logs
        # one line.
        log = logging.getLogger("clickhouse_connect")
        if log.level == logging.NOTSET:
            log.setLevel(logging.ERROR)

    def rows(self, sql: str, **values: Any) -> Sequence[Sequence[Any]]:
        """Return the rows of a query; `{name:Type}` marks its parameters. Raises StoreError."""
        try:
            return self._do(lambda raw: raw.query(sql, parameters=values).result_rows)  # type: ignore[no-any-return]
        except StoreError:
            _check_text(values)
            raise

    def command(self, sql: str, **values: Any) -> None:
        """Run a statement without rows. Raises StoreError."""
        self._do(lambda raw: raw.command(sql, parameters=values))

    def insert(self, table: str, rows: Sequence[Sequence[Any]], names: Sequence[str]) -> None:
        """Insert rows; they are stored when this returns. Raises StoreError."""
        if rows:
            columns = list(zip(*rows, strict=True))
            self._do(
                lambda raw: raw.insert(table, columns, column_names=names, column_oriented=True)
            )

    def run(self, act: Any) -> Any:
        """Call `act` with clickhouse-connect's own client. Raises StoreError."""
        return self._do(act)

    def places(self, count: int) -> int:
        """Return the first of `count` places: microseconds, strictly increasing in this process."""
        with self._lock:
            first = max(self._tick + 1, time.time_ns() // 1000)
            self._tick = first + count - 1
            return first

    def present(self) -> int:
        """Return the place up to which all rows are visible."""
        with self._lock:
            now = time.time_ns() // 1000
            if self.lag:
                return now - int(self.lag * 1e6)
            # Places may be ahead of the clock by a batch. Later rows get later places than the
            # answer, even within this microsecond and if the clock is set back.
            self._tick = max(now, self._tick)
            return self._tick

    @contextmanager
    def in_order(self) -> Iterator[None]:
        """Keep other threads from writing between `places` and the insert of the rows.

        Followers of the engine in this process have no lag, and would miss a row that becomes
        visible after a row with a later place.
        """
        if self.embedded:
            with _embedded_lock:
                yield
        else:
            yield

    def close(self) -> None:
        """Close the connection; later calls raise StoreError."""
        self._closed = True
        if self._connection is not None and not self.embedded and self._pid == os.getpid():
            self._connection.close()

    def _do(self, act: Any) -> Any:
        if self._closed:
            raise StoreError(f"the store {self.where} is closed")
        if time.monotonic() < self._away_until:
            raise StoreUnavailableError(f"the store {self.where} does not answer")
        try:
            if self.embedded:
                with _embedded_lock:
                    return act(self._raw())
            return act(self._raw())
        except (exceptions.Error, OSError, ValueError, TypeError, OverflowError) as error:
            found = self._error(error)
            if isinstance(found, StoreUnavailableError):
                self._away_until = time.monotonic() + _AWAY
            raise found from error
        except struct.error as error:
            raise self._error(error) from error

    def _raw(self) -> Any:
        if self._pid != os.getpid():  # A forked child: another thread may have held the lock.
            self._lock, self._connection, self._pid = RLock(), None, os.getpid()
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> Any:
        if self.embedded:
            directory = unquote(self._parts.path)
            key = f"{os.getpid()}:{directory}"
            if key not in _embedded:
                if _embedded:
                    raise StoreError(f"this process has another chdb open: {self.where} cannot be")
                options: dict[str, Any] = {"path": directory} if directory.strip("/") else {}
                _embedded[key] = clickhouse_connect.get_client(
                    interface="chdb", settings=_SETTINGS, **options
                )
            return _embedded[key]
        secure = self._given.get("secure", "") in ("1", "true")
        password = unquote(self._parts.password or "") or self._given.get("password")
        password = password or os.environ.get("HONEYTRACE_STORE_PASSWORD", "")
        client: Any = clickhouse_connect.get_client(
            host=self._parts.hostname or "localhost",
            port=self._parts.port or (8443 if secure else 8123),
            username=unquote(self._parts.username or "default"),
            password=password,
            database=unquote(self._parts.path.strip("/")) or "default",
            secure=secure,
            connect_timeout=_CONNECT,
            send_receive_timeout=_ANSWER,
            # Threads share the client; a ClickHouse session would forbid concurrent queries.
            autogenerate_session_id=False,
            settings=_SETTINGS,
            # Long names and searches do not fit into a URL.
            form_encode_query_params=True,
        )
        # urllib3 would try each connection twice, and log a line for each.
        client.http_retries = 0
        return client

    def _error(self, error: Exception) -> StoreError:
        """Return the `StoreError` for an error of the client, with the cure."""
        said = str(error).strip().partition("\n")[0][:300]
        cannot = f"the store {self.where} cannot be used: "
        if any(sign in str(error) for sign in _FULL):
            return StoreFullError(f"{cannot}its disk is full ({said})")
        if any(sign in str(error) for sign in _BUSY):
            return StoreBusyError(f"{cannot}it has too much to do: try again ({said})")
        if isinstance(error, exceptions.DatabaseError) and not isinstance(
            error, exceptions.OperationalError
        ):
            if isinstance(error, exceptions.DataError):
                return RecordRefusedError(f"the store cannot take this value: {said}")
            return StoreError(f"{cannot}{said}")
        if isinstance(error, (exceptions.OperationalError, OSError)):
            return StoreUnavailableError(f"the store {self.where} does not answer ({said})")
        if isinstance(error, exceptions.Error):
            return StoreError(f"{cannot}{said}")
        return RecordRefusedError(f"the store cannot take this value: {said}")


def _check_text(values: dict[str, Any]) -> None:
    """Raise RecordRefusedError if a parameter has half a surrogate pair, which each driver reports
    in its own way."""
    try:
        for value in values.values():
            str(value).encode()
    except UnicodeEncodeError as error:
        raise RecordRefusedError(f"the store cannot take this value: {error}") from error
