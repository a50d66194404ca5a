"""Connections to PostgreSQL: a pool with deadlines, errors in plain words, and forks.

A hanging server must not block a thread, so every wait has a deadline. While the server is
unreachable, one call a second tries it and the others fail at once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from ..errors import ConfigurationError, StoreError
from .errors import RecordRefusedError, StoreBusyError, StoreFullError, StoreUnavailableError

__all__ = ["Pool", "store_error"]

T = TypeVar("T")

_CONNECTIONS = 10
"""Largest number of connections of one process; further threads wait for a free one."""

_CONNECT = 5
"""Seconds to wait for a connection."""

_ANSWER = 30.0
"""Seconds to wait for an answer."""

_AWAY = 1.0
"""Seconds for which an unreachable server is not tried again."""

_OPTIONS = {
    "connect_timeout": _CONNECT,
    "keepalives_idle": 10,
    "tcp_user_timeout": 10_000,
    "application_name": "honeytrace",
}

_inherited: list[ConnectionPool[Any]] = []
"""Pools of the parent process; garbage collection of one would end the parent's sessions."""


class _Connection(psycopg.Connection[Any]):
    """A connection whose waits all have a deadline.

    The pool keeps to itself why it cannot connect, so `tell` is called with it, or with None.
    """

    @classmethod
    def connect(cls, conninfo: str = "", *, tell: Any = None, **options: Any) -> Any:
        try:
            made = super().connect(conninfo, **options)
        except psycopg.Error as error:
            tell(error)
            raise
        tell(None)
        return made

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        return super().wait(_bounded(gen, time.monotonic() + _ANSWER), *arguments, **options)


def _bounded(gen: Generator[Any, Any, T], deadline: float) -> Generator[Any, Any, T]:
    """Drive psycopg's generator, waking it every tenth of a second, until a deadline."""
    value = None
    try:
        value = next(gen)
        while True:
            ready = yield value
            if time.monotonic() > deadline:
                raise errors.OperationalError(f"no answer within {_ANSWER:.0f} s")
            value = gen.send(ready)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        gen.close()


class Pool:
    """Connections to the database that `conninfo` names, with `schema` first in the search path."""

    def __init__(self, conninfo: str, schema: str | None, where: str) -> None:
        self._conninfo = conninfo
        self._schema = schema
        self._where = where
        self._pool: ConnectionPool[Any] | None = None
        self._pid = os.getpid()
        self._closed = False
        self._away_until = 0.0
        self._failure: psycopg.Error | None = None
        """Why the latest attempt to connect failed; None if it succeeded."""
        # The pool's own logger would log each attempt; the caller logs one line.
        log = logging.getLogger("psycopg.pool")
        if log.level == logging.NOTSET:
            log.setLevel(logging.ERROR)

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """Run a transaction: commit at the end, roll back on an error. Raises StoreError."""
        with self.connection() as conn, conn.transaction():
            yield conn

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """Yield a connection in autocommit mode. Errors of psycopg become StoreError."""
        if self._closed:
            raise StoreError(f"the store {self._where} is closed")
        if time.monotonic() < self._away_until:
            raise StoreUnavailableError(f"the store {self._where} does not answer")
        try:
            with self._open().connection() as conn:
                yield conn
        except (psycopg.Error, PoolTimeout, UnicodeError, OverflowError) as error:
            cause = self._failure if isinstance(error, PoolTimeout) else None
            found = store_error(cause or error, self._where)
            if isinstance(error, PoolTimeout) and self._is_exhausted():
                busy = f"{_CONNECTIONS} connections of this process are all in use: try again"
                raise StoreBusyError(f"the store {self._where} is busy: {busy}") from error
            if cause is not None or isinstance(found, StoreUnavailableError):
                self._away_until = time.monotonic() + _AWAY
            raise found from error

    def close(self) -> None:
        """Close the connections; later calls raise StoreError."""
        self._closed = True
        if self._pool is not None and self._pid == os.getpid():
            self._pool.close(timeout=1.0)

    def _is_exhausted(self) -> bool:
        """Return whether the pool waits for its own users, and not for the server."""
        return self._pool is not None and self._pool.get_stats()["pool_size"] >= _CONNECTIONS

    def _open(self) -> ConnectionPool[Any]:
        if self._pool is not None and self._pid != os.getpid():
            _inherited.append(self._pool)
            self._pool = None
        if self._pool is None:
            self._pid = os.getpid()
            options = self._options()
            # The pool would try until its deadline, even if the server refuses the password.
            _Connection.connect(self._conninfo, **options).close()
            self._pool = ConnectionPool(
                self._conninfo,
                connection_class=_Connection,
                kwargs=options,
                configure=self._configure,
                min_size=0,
                max_size=_CONNECTIONS,
                timeout=_CONNECT,
                reconnect_timeout=_CONNECT,
                check=ConnectionPool.check_connection,
                open=True,
            )
        return self._pool

    def _options(self) -> dict[str, Any]:
        """Return the options of a connection. Raises ConfigurationError for an invalid URL, whose
        error of libpq may quote a password."""
        try:
            given = conninfo_to_dict(self._conninfo)
        except psycopg.ProgrammingError:
            raise ConfigurationError(
                f"store={self._where!r}: libpq does not take this URL; write % in a name or"
                " password as %25, and check the parameters after the question mark"
            ) from None
        options = {name: value for name, value in _OPTIONS.items() if name not in given}
        own = {"autocommit": True, "prepare_threshold": None, "tell": self._tell}
        return {**own, **options}

    def _tell(self, failure: psycopg.Error | None) -> None:
        self._failure = failure

    def _configure(self, conn: psycopg.Connection[Any]) -> None:
        if self._schema is not None:
            path = sql.SQL("SET search_path TO {}").format(sql.Identifier(self._schema))
            conn.execute(path)
        # Compiling a statement takes longer than running any of ours.
        conn.execute("SET jit TO off")
        conn.execute("SET work_mem TO '32MB'")
        # Sessions are stored nearly in the order of their index, so that reading along it is nearly
        # sequential; the planner would read the whole table and sort it.
        conn.execute("SET random_page_cost TO 1.1")
        # The server stops a statement that nobody waits for any more.
        conn.execute(sql.SQL("SET statement_timeout TO {}").format(int(_ANSWER * 1000)))
        conn.execute("SET client_encoding TO 'UTF8'")


_WRONG = (
    "password authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "invalid sslmode",
    "server does not support SSL",
)
"""Signs of a URL that is wrong, in errors of connecting, which have no code. Where the server
speaks another language, the store counts as one that does not answer, and its text is shown."""

_REFUSED = (
    errors.DataError,
    errors.ProgramLimitExceeded,
    errors.UntranslatableCharacter,
    UnicodeError,
    OverflowError,
)
"""Errors of values that can never be stored."""


def store_error(error: Exception, where: str) -> StoreError:
    """Return the `StoreError` for an error of psycopg, with the cure."""
    cannot = f"the store {where} cannot be used: "
    # Only the first line is used, because the others quote values.
    said = str(error).strip().partition("\n")[0]
    if isinstance(error, errors.DiskFull):
        return StoreFullError(f"{cannot}its disk is full ({said})")
    if isinstance(error, _REFUSED):
        return RecordRefusedError(f"the store cannot take this value: {said}")
    if isinstance(error, (errors.LockNotAvailable, errors.TransactionRollback)):
        return StoreBusyError(f"{cannot}other writers hold it: try again ({said})")
    if isinstance(error, errors.InsufficientPrivilege):
        return StoreError(f"{cannot}grant this user the rights to its schema ({said})")
    if isinstance(error, (errors.InvalidPassword, errors.InvalidAuthorizationSpecification)):
        return StoreError(f"{cannot}check user and password, HONEYTRACE_STORE_PASSWORD ({said})")
    if isinstance(error, errors.UndefinedTable):
        return StoreError(f"{cannot}run `honeytrace store migrate` first ({said})")
    if type(error) is psycopg.OperationalError and any(sign in said for sign in _WRONG):
        cure = "check user, password, host and database, and HONEYTRACE_STORE_PASSWORD"
        return StoreError(f"{cannot}{cure} ({said})")
    if isinstance(error, (psycopg.OperationalError, PoolTimeout, errors.ReadOnlySqlTransaction)):
        return StoreUnavailableError(f"the store {where} does not answer ({said})")
    return StoreError(f"{cannot}{said}")
