"""A store is named by a URL, and no password is ever shown."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from store_records import record

import honeytrace
import surroundings
from engines import postgres_server
from honeytrace import _config
from honeytrace.errors import ConfigurationError, StoreError
from honeytrace.store import address, open_store
from honeytrace.store.memory import MemoryStore
from honeytrace.store.sqlite import SQLiteStore
from honeytrace.store.urls import exists, file_of, is_remote, open_or_replace


def test_a_path_and_its_url_are_one_store(tmp_path: Path) -> None:
    """`sqlite:///` and a bare path open the same file; `readonly` does not create it."""
    path = tmp_path / "a b" / "x.db"
    url = f"sqlite://{path.as_posix().replace(' ', '%20')}"
    with pytest.raises(honeytrace.errors.StoreError, match="no store at"):
        open_store(url, readonly=True)
    assert not exists(url)
    store = open_store(url)
    store.insert([record("a")])
    other = open_store(str(path))
    assert isinstance(other, SQLiteStore)
    assert other.get("a") == record("a")
    assert (other.where, file_of(url), is_remote(url)) == (str(path), str(path), False)
    store.close()
    other.close()


def test_memory_by_url() -> None:
    """`memory://` and `:memory:` are a store of this process."""
    for url in ("memory://", ":memory:"):
        assert isinstance(open_store(url), MemoryStore)
        assert file_of(url) is None


@pytest.mark.parametrize(
    "url", ["mysql://u:hunter2@h/db", "sqlite://host/x.db", "sqlite://", "x://"]
)
def test_a_url_of_no_engine_is_refused(url: str) -> None:
    """The error names what there is, and not the password."""
    with pytest.raises(ConfigurationError) as refusal:
        open_store(url)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:hunter2@db:5432/t?password=hunter2", "postgresql://ada@db:5432/t"),
        ("postgresql://ada:a@b:hunter2@db/t", "postgresql://ada@db/t"),
        ("clickhouse://:hunter2@db/t", "clickhouse://@db/t"),
        ("postgresql:///t?user=ada&password=hunter2", "postgresql:///t"),
        ("/var/lib/x.db", "/var/lib/x.db"),
        ("C:\\a@b\\x.db", "C:\\a@b\\x.db"),
        # mistyped
        ("postgresql://ada:hun/ter2@db/t", "postgresql://ada@db/t"),
        ("postgresql://ada:hun#ter2@db/t", "postgresql://ada@db/t"),
        ("postgresql://ada:hun?ter2@db/t", "postgresql://ada@…"),
        ("postgresql:/ada:hunter2@db/t", "postgresql:/ada@db/t"),
        ("postgresql:ada:hunter2@db/t", "postgresql:ada@db/t"),
    ],
)
def test_an_address_has_no_password(url: str, shown: str) -> None:
    """User, host and path stay; the password and the query go."""
    assert address(url) == shown


MISTYPED = (
    *("postgresql:/ada:hunter2@127.0.0.1/t", "postgres:ada:hunter2@127.0.0.1/t"),
    *(
        f"{scheme}://ada:hunter2{sign}hunter2@127.0.0.1:1/t"
        for sign in "/?#:@"
        for scheme in ("postgresql", "clickhouse")
    ),
    *("postgresql+psycopg://ada:hunter2@db/t", "postgresql://ada:hunter2@[::1:5432/t"),
    "clickhouse://ada:hunter2@127.0.0.1:hunter2/t",
)


@pytest.mark.parametrize("url", MISTYPED)
def test_no_part_of_a_password_is_shown(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A URL in which it is not percent-encoded, or a sign is missing, is refused or not reached,
    and makes no file; `doctor` and the error of a command name the store without it."""
    pytest.importorskip("psycopg")
    pytest.importorskip("clickhouse_connect")
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ConfigurationError, StoreError)) as refusal:
        open_store(url)
    said = "".join(traceback.format_exception(refusal.value)) + caplog.text
    for command in ("doctor", "list"):
        done = subprocess.run(
            [sys.executable, "-m", "honeytrace", command, "--store", url],
            capture_output=True,
            text=True,
            env=surroundings.environ(),
            cwd=tmp_path,
        )
        assert command == "doctor" or done.returncode
        said += done.stdout + done.stderr
    assert "hunter2" not in said
    assert not list(tmp_path.iterdir())


def test_configure_takes_a_url(tmp_path: Path) -> None:
    """The setting keeps URLs as they are, turns sqlite:/// into a path, and refuses others without
    saying the password."""
    load = _config.load
    url = "postgresql://ada:hunter2@db/t"
    assert load({"store": url}).store == url
    assert load({}, {"HONEYTRACE_STORE": url}).store == url
    assert load({"store": f"sqlite://{tmp_path}/x.db"}).store == str(tmp_path / "x.db")
    assert load({"store": "memory://"}).store == ":memory:"
    for arguments, environ in (
        ({"store": "mysql://ada:hunter2@db/t"}, {}),
        ({}, {"HONEYTRACE_STORE": "mysql://ada:hunter2@db/t"}),
    ):
        with pytest.raises(ConfigurationError, match="mysql://ada@db/t") as refusal:
            load(arguments, environ)
        assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "é", "a b", "x" * 65])
def test_tenants_have_plain_names(name: str) -> None:
    """A name that could leave its file or its column is refused."""
    with pytest.raises(ConfigurationError, match="tenant"):
        open_store("memory://", tenant=name)


def test_opening_to_write_names_the_cause(tmp_path: Path) -> None:
    """A path below a file is one clear error, by path and by URL."""
    (tmp_path / "file").write_text("")
    for url in (f"{tmp_path}/file/x.db", f"sqlite://{tmp_path}/file/x.db"):
        with pytest.raises(honeytrace.errors.StoreError, match="file is not a directory"):
            open_or_replace(url)


def test_the_store_of_a_tenant_closes_its_connections() -> None:
    """A store that was opened for a tenant by URL owns its pool, and makes no other store."""
    pytest.importorskip("psycopg")
    with postgres_server() as (url, _):
        store = open_store(f"{url}?tenant=acme")
        store.ready()
        store.close()
        with pytest.raises(StoreError, match="closed"):
            store.ready()


def test_the_file_of_a_tenant(tmp_path: Path) -> None:
    """A tenant's file is made without that of the default tenant."""
    store = open_store(str(tmp_path / "sessions.db"), tenant="acme")
    store.insert([record("a")])
    store.close()
    assert {path.stem for path in tmp_path.glob("*.db")} == {"sessions.tenant-acme"}
    other = open_store(str(tmp_path / "sessions.db"))
    assert other.size().sessions == 0
    other.close()
