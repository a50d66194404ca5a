"""`store copy` between all pairs of engines: killed in the middle, it resumes and ends complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from store_records import numbered, record

from engines import ENGINES, postgres_server
from honeytrace._record.record import Record, Update
from honeytrace.cli import _store
from honeytrace.store import Store, open_store

PASSWORD = "hunter2"
COUNT = 23


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_server() as (url, _):
        yield url.replace("honey@", f"honey:{PASSWORD}@")


@pytest.fixture
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Two stores of the engines that the test names; chdb has one engine, hence two tenants."""

    def url(engine: str, end: str) -> str:
        tenant = f"{end}-{''.join(request.param)}"
        if engine == "sqlite":
            return str(tmp_path / f"{end}.db")
        if engine == "postgres":
            pytest.importorskip("psycopg")
            return f"{request.getfixturevalue('postgres')}?tenant={tenant}"
        pytest.importorskip("chdb", reason="no chdb: pip install chdb")
        return f"chdb:///?tenant={tenant}"

    source, target = request.param
    return url(source, "from"), url(target, "to")


class Killed(BaseException):
    """Ends a copy as a kill would: nothing after it is run."""


class Dying:
    """A store that dies after some inserts."""

    def __init__(self, store: Store, inserts: int) -> None:
        self._store = store
        self._left = inserts

    def insert(self, records: Sequence[Record]) -> None:
        if not self._left:
            raise Killed
        self._left -= 1
        self._store.insert(records)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


@pytest.mark.parametrize("urls", list(product(ENGINES, repeat=2)), indirect=True, ids="-".join)
def test_a_copy_that_is_killed_is_resumed(
    urls: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run takes what is missing and what was changed meanwhile; each session is there
    once, as it is in the source, and no password is printed or written."""
    source, target = urls
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_store, "_BATCH", 5)
    given = [each._replace(metrics=b'{"n":%d}' % n) for n, each in enumerate(numbered(COUNT))]
    with closing(open_store(source)) as old:
        # one by one, so that each has a place of its own, also in PostgreSQL
        for number in range(0, COUNT, 5):
            old.insert(given[number : number + 5])
        real = _store.open_store
        monkeypatch.setattr(_store, "open_store", lambda url: Dying(real(url), 2))
        arguments = ["copy", source, target, "--json"]
        with pytest.raises(Killed):
            CliRunner().invoke(_store.store, arguments, catch_exceptions=False)
        monkeypatch.setattr(_store, "open_store", real)
        old.update([Update(given[1].event_id, {"feedback": b'{"rating":5}'})])
        done = CliRunner().invoke(_store.store, arguments)
        assert done.exit_code == 0, done.output
        told = orjson.loads(done.stdout.splitlines()[-1])
        assert told["copied"] < COUNT
        expected = old.get_many([each.event_id for each in given])
    with closing(open_store(target)) as new:
        assert new.get_many([each.event_id for each in given]) == expected
        assert new.size().sessions == COUNT
    written = [path.read_text() for path in tmp_path.rglob("*.json")]
    assert written
    for text in (*written, done.output):
        assert PASSWORD not in text


def test_schemas_of_one_database_are_copied_apart(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy into a second schema, or out of one, does not go on where the first one stopped."""
    pytest.importorskip("psycopg")
    monkeypatch.chdir(tmp_path)
    given = numbered(3)
    with closing(open_store(str(tmp_path / "from.db"))) as source:
        source.insert(given)
    schemas = [f"{postgres}?schema={name}" for name in ("one", "two", "three")]
    for source_url, target in (
        (str(tmp_path / "from.db"), schemas[0]),
        (str(tmp_path / "from.db"), schemas[1]),
        (schemas[0], schemas[2]),
        (schemas[0], str(tmp_path / "last.db")),
        (schemas[1], str(tmp_path / "last.db")),
    ):
        _copied(source_url, target)
        with closing(open_store(target)) as found:
            assert found.get_many([each.event_id for each in given]) == given
    # a session that only the second schema has, before the place that the copy of the first reached
    with closing(open_store(schemas[1])) as second:
        second.insert([record("more")])
    assert _copied(schemas[1], str(tmp_path / "last.db"))["copied"] == 1


def test_a_target_that_was_made_anew_is_filled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note of an earlier copy is about the store that is gone."""
    monkeypatch.chdir(tmp_path)
    source, target = tmp_path / "from.db", tmp_path / "to.db"
    with closing(open_store(str(source))) as old:
        old.insert(numbered(7))
    assert _copied(str(source), str(target))["copied"] == 7
    assert _copied(str(source), str(target))["copied"] == 0
    for file in tmp_path.glob("to.db*"):
        if not file.name.endswith(".json"):
            file.unlink()
    assert _copied(str(source), str(target))["copied"] == 7
    with closing(open_store(str(target))) as new:
        assert new.size().sessions == 7


def _copied(source: str, target: str) -> dict[str, int]:
    """What the command reports."""
    done = CliRunner().invoke(_store.store, ["copy", source, target, "--json"])
    assert done.exit_code == 0, done.output
    told: dict[str, int] = orjson.loads(done.stdout.splitlines()[-1])
    return told
