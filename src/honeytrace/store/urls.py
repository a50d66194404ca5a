"""Stores by URL: which engine a URL names, and how to show it without its password."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from ..errors import ConfigurationError
from ._protocol import Store
from ._tenant import tenant_name

__all__ = ["address", "file_of", "is_remote", "open_store"]

PASSWORD_VARIABLE = "HONEYTRACE_STORE_PASSWORD"
"""The environment variable with the password of a store whose URL has none."""

_URL = re.compile(r"([a-z][a-z0-9+]+)://(.*)", re.IGNORECASE | re.DOTALL)
_REMOTE = ("postgresql", "postgres", "clickhouse", "chdb")


def open_store(url: str, *, readonly: bool = False, tenant: str = "") -> Store:
    """Open the store that a URL names.

    `url` is a path or `sqlite:///path.db` (SQLite), `memory://` or `:memory:`,
    `postgresql://user@host/database?schema=…`, `clickhouse://user@host:8443/database?secure=1`, or
    `chdb:///directory` (ClickHouse inside this process). A password comes from the URL, from
    `HONEYTRACE_STORE_PASSWORD`, or from the files of the engine's own client.

    `readonly` never creates or changes a store. Raises `ConfigurationError` for a URL that names no
    engine, for a missing extra and for an invalid tenant, and `StoreError` when the store cannot be
    used.
    """
    tenant_name(tenant)
    found = _URL.fullmatch(url)
    scheme = found[1].lower() if found else "sqlite"
    if url == ":memory:" or scheme == "memory":
        from .memory import MemoryStore

        return MemoryStore().for_tenant(tenant)
    opener = _ENGINES.get(scheme)
    if opener is None:
        raise ConfigurationError(
            f"store={address(url)!r}: {scheme}:// names no engine; there are a path, sqlite:///,"
            " postgresql://, clickhouse://, chdb:/// and memory://"
        )
    store = opener(url, readonly)
    return store.for_tenant(tenant) if tenant else store


def address(url: str) -> str:
    """Return a URL or path for people to read: without password and without query parameters that
    may hold one."""
    found = _URL.fullmatch(url)
    if found is None:
        return url
    rest = found[2].partition("?")[0]
    host, slash, path = rest.partition("/")
    user, at, place = host.rpartition("@")
    return f"{found[1]}://{user.partition(':')[0]}{at}{place}{slash}{path}"


def is_remote(url: str) -> bool:
    """Return whether the store is an engine rather than a file or this process's memory."""
    found = _URL.fullmatch(url)
    return found is not None and found[1].lower() in _REMOTE


def file_of(url: str) -> str | None:
    """Return the path of an SQLite store; None for any other."""
    found = _URL.fullmatch(url)
    if found is None:
        return None if url == ":memory:" else url
    if found[1].lower() != "sqlite":
        return None
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc or not path.strip("/"):
        raise ConfigurationError(f"store={url!r}: write sqlite:///path/to/sessions.db")
    # file:///C:/x.db is C:/x.db on Windows
    return path.lstrip("/") if re.match(r"/+[A-Za-z]:", path) and os.name == "nt" else path


def _sqlite(url: str, readonly: bool) -> Store:
    from .sqlite import SQLiteStore  # sqlite3, 3 ms

    return SQLiteStore(file_of(url) or "", readonly=readonly)


_ENGINES: dict[str, Callable[[str, bool], Store]] = {"sqlite": _sqlite}
