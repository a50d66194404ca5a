"""`store copy` between all pairs of engines: killed in the middle, it resumes and ends complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from store_records import numbered

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
