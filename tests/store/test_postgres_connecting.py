"""PostgreSQL: why a store cannot be opened is said at once, and no password is."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import free_port, postgres_server
from honeytrace.errors import ConfigurationError, StoreError
from honeytrace.store import open_store
from honeytrace.store.errors import StoreUnavailableError

psycopg = pytest.importorskip("psycopg")

from honeytrace.store import _pg_pool  # noqa: E402 - needs the extra

SECRET = "hunter2"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that asks all but its owner for a password, as the user `ada`."""
    with postgres_server() as (owner, _):
        with psycopg.connect(owner, autocommit=True) as conn:
            conn.execute(f"CREATE ROLE ada LOGIN PASSWORD '{SECRET}'")
            conn.execute("CREATE SCHEMA ada AUTHORIZATION ada")
            (rules,) = conn.execute("SHOW hba_file").fetchone()  # type: ignore[misc]
            here = "127.0.0.1/32"
            Path(rules).write_text(f"host all honey {here} trust\nhost all all {here} md5\n")
            conn.execute("SELECT pg_reload_conf()")
        yield owner


def ada(url: str, password: str = SECRET, place: str = "") -> str:
    return f"postgresql://ada:{password}@{place or url.partition('@')[2]}?schema=ada"


def refusal(url: str) -> BaseException:
    with pytest.raises((StoreError, ConfigurationError)) as refused:
        open_store(url)
    return refused.value


def said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_the_cause_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password, no password, an unknown user, database or host, a closed port: the first
    attempt tells, without a pool that would go on trying."""
    monkeypatch.setattr(_pg_pool, "ConnectionPool", None)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    server = url.partition("@")[2].partition("/")[0]
    causes = {
        ada(url, f"{SECRET}x"): "password authentication failed",
        ada(url).replace(f":{SECRET}@", "@"): "no password supplied",
        ada(url).replace("ada:", "eve:"): "password authentication failed",
        ada(url, place=f"{server}/nowhere").replace("ada:", "honey:"): "nowhere",
        ada(url, place="host.invalid/x"): "resolve host 'host.invalid'",
        ada(url, place=f"127.0.0.1:{free_port()}/x"): "refused",
    }
    for wrong, cause in causes.items():
        error = refusal(wrong)
        assert cause in str(error), wrong
        assert SECRET not in said(error), wrong
        away = cause.startswith(("resolve", "refused"))
        assert isinstance(error, StoreUnavailableError) is away, wrong


@pytest.mark.parametrize("odd", ["hunter2%zz", "hunter2%", "%hunter2"])
def test_a_password_that_is_no_url_is_not_shown(url: str, odd: str) -> None:
    """libpq quotes a text that it cannot decode; this error does not, nor does its traceback."""
    for wrong in (
        ada(url, odd),
        ada(url).replace(f":{SECRET}@", "@") + f"&password={odd}&{SECRET}",
    ):
        error = refusal(wrong)
        assert SECRET not in said(error)
        assert "ada@127.0.0.1" in str(error)


@pytest.mark.parametrize("odd", ["p@ss:/?#[]", "100% 'quoted' \\ \"", "pä ss+word", "&x=1;--"])
def test_any_password_opens(url: str, monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    """In the URL, percent-encoded, and as it is in the environment."""
    from urllib.parse import quote

    with psycopg.connect(url, autocommit=True) as conn:
        literal = psycopg.sql.Literal(odd)
        conn.execute(psycopg.sql.SQL("ALTER ROLE ada PASSWORD {}").format(literal))
    open_store(ada(url, quote(odd, safe=""))).close()
    monkeypatch.setenv("HONEYTRACE_STORE_PASSWORD", odd)
    open_store(ada(url).replace(f":{SECRET}@", "@")).close()


def test_a_later_cause_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that is changed while the store is open is named, once its connections ended."""
    monkeypatch.setattr(_pg_pool, "_CONNECT", 1)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"ALTER ROLE ada PASSWORD '{SECRET}'")
        store = open_store(ada(url))
        conn.execute("ALTER ROLE ada PASSWORD 'other'")
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ada'")
    with pytest.raises(StoreError, match="password authentication failed") as refused:
        store.ready()
    assert SECRET not in said(refused.value)
    store.close()
