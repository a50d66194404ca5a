"""Store URLs: opening the engine that a URL names, and showing a URL without its password."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from .._base.lazy import pattern
from .._config import is_mistyped, without_password
from ..errors import ConfigurationError
from ._protocol import Store
from ._tenant import tenant_name

__all__ = [
    "address",
    "exists",
    "file_of",
    "is_remote",
    "open_for_reading",
    "open_or_replace",
    "open_store",
]

PASSWORD_VARIABLE = "HONEYTRACE_STORE_PASSWORD"
"""The environment variable with the password for a store URL without one."""

_REMOTE = ("postgresql", "postgres", "clickhouse", "chdb")


def open_store(url: str, *, readonly: bool = False, tenant: str = "") -> Store:
    """Open the store that a URL names.

    `url` is a path or `sqlite:///path.db` (SQLite), `memory://` or `:memory:`,
    `postgresql://user@host/database?schema=…`, `clickhouse://user@host:8443/database?secure=1`, or
    `chdb:///directory` (ClickHouse inside this process). A password comes from the URL, from
    `HONEYTRACE_STORE_PASSWORD`, or from the files of the engine's own client.

    `tenant`, or `?tenant=` in an engine's URL, selects the tenant; `""` is the default tenant.
    `readonly` never creates or changes a store. Raises `ConfigurationError` for a URL that names no
    engine, for a missing extra and for an invalid tenant, and `StoreError` if the store cannot be
    used.
    """
    scheme = _scheme(url) or "sqlite"
    _check(url, scheme)
    tenant = tenant_name(tenant) or _tenant_in(url)
    if url == ":memory:" or scheme == "memory":
        from .memory import MemoryStore

        return MemoryStore().for_tenant(tenant)
    opener = _ENGINES.get(scheme)
    if opener is None:
        raise ConfigurationError(
            f"store={address(url)!r}: {scheme}:// names no engine; use a path, sqlite:///,"
            " postgresql://, clickhouse://, chdb:/// or memory://"
        )
    return opener(url, readonly, tenant)


def address(url: str) -> str:
    """Return a URL or path without its password, for messages."""
    return without_password(url)


def is_remote(url: str) -> bool:
    """Return whether the store is a database engine, not a file or this process's memory."""
    return _scheme(url) in _REMOTE


def file_of(url: str) -> str | None:
    """Return the path of an SQLite store; None for any other store."""
    scheme = _scheme(url)
    if not scheme:
        return None if url == ":memory:" else url
    if scheme != "sqlite":
        return None
    from urllib.parse import unquote, urlsplit  # 3 ms that a path does not need

    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc or not path.strip("/"):
        raise ConfigurationError(f"store={address(url)!r}: write sqlite:///path/to/sessions.db")
    # On Windows, sqlite:///C:/x.db means C:/x.db.
    return path.lstrip("/") if re.match(r"/+[A-Za-z]:", path) and os.name == "nt" else path


def exists(url: str) -> bool:
    """Return whether the file of a store exists; always True for an engine, which is not asked."""
    path = file_of(url)
    return is_remote(url) if path is None else os.path.exists(path)


def open_for_reading(url: str) -> Store:
    """Open an existing store to look up sessions; a file that cannot be written is only read.

    Raises `StoreError` as `open_store` does, and if there is no store.
    """
    path = file_of(url)
    return open_store(url, readonly=path is not None and not os.access(path, os.W_OK))


def open_or_replace(url: str) -> tuple[Store, str | None]:
    """Open a store for writing. A damaged file is moved aside first, and the returned text says
    so."""
    path = file_of(url)
    if path is None:
        return open_store(url), None
    from .sqlite import SQLiteStore  # sqlite3, 3 ms

    try:
        return SQLiteStore.open(path)
    except OSError as error:  # A part of the path to the file cannot be used.
        from ._causes import store_error

        raise store_error(error, path) from error


def _tenant_in(url: str) -> str:
    """Return the tenant that the query of a URL names; empty for a path."""
    if "?" not in url:
        return ""
    from urllib.parse import parse_qsl, urlsplit

    return dict(parse_qsl(urlsplit(url).query)).get("tenant", "")


def _scheme(url: str) -> str:
    """Return the scheme of a URL; empty for a path."""
    return url.partition("://")[0].lower() if "://" in url else ""


_HOSTS = pattern(r"((\[[^\]]*\]|[^\[\]:,@]*)(:\d*)?(,|$))*")
"""One or more hosts with their ports."""


def _check(url: str, scheme: str) -> None:
    """Raise ConfigurationError for a URL that would be taken for something else, before parts of
    its password are taken for a host, a port or a path and are shown."""
    if is_mistyped(url):
        raise ConfigurationError(f"store={address(url)!r}: write two slashes after the colon")
    if scheme not in _REMOTE:
        return
    rest = url.partition("://")[2]
    before, _, _ = rest.partition("?")
    netloc = re.split(r"[/#]", before)[0]
    # libpq takes all after the first @ for the host, and would quote it.
    misread = scheme != "clickhouse" and netloc.count("@") > 1
    if misread or "@" in before[len(netloc) :] or not _HOSTS.fullmatch(netloc.rpartition("@")[2]):
        raise ConfigurationError(
            f"store={address(url)!r}: this is not a valid URL; write @, :, /, ? and # in a name or"
            " password as %40, %3A, %2F, %3F and %23, or set HONEYTRACE_STORE_PASSWORD"
        )


def _sqlite(url: str, readonly: bool, tenant: str) -> Store:
    from .sqlite import SQLiteStore, tenant_file  # sqlite3, 3 ms

    path = file_of(url) or ""
    return SQLiteStore(tenant_file(path, tenant) if tenant else path, readonly=readonly)


def _postgres(url: str, readonly: bool, tenant: str) -> Store:
    from .postgres import PostgresStore  # psycopg, 50 ms

    return PostgresStore(url, readonly=readonly, tenant=tenant)


def _clickhouse(url: str, readonly: bool, tenant: str) -> Store:
    from .clickhouse import ClickHouseStore  # clickhouse-connect, 200 ms

    return ClickHouseStore(url, readonly=readonly, tenant=tenant)


_ENGINES: dict[str, Callable[[str, bool, str], Store]] = {
    "sqlite": _sqlite,
    "postgresql": _postgres,
    "postgres": _postgres,
    "clickhouse": _clickhouse,
    "chdb": _clickhouse,
}
