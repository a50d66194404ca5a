from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_running import CHILD, OTHER, ROOT, Api, Cli, Ran, record, serving, stored

from answered import START
from honeytrace.__main__ import main
from surroundings import clear


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the person's own: no keys, no journals, an empty working directory."""
    clear(monkeypatch)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line in this process."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        status = main([*arguments])
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """An API on loopback, which the environment names with a key."""
    with serving(Api()) as api:
        monkeypatch.setenv("HH_API_URL", api.url)
        monkeypatch.setenv("HH_API_KEY", "hh_0123456789abcdef")
        yield api


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A run with a child that failed, and a newer run."""
    details = {"traceback": "Traceback (most recent call last):\n  boom\nValueError: no"}
    path = stored(
        tmp_path / "sessions.db",
        record(ROOT, session_name="ask", children_ids=[CHILD], user_properties={"id": "ada"}),
        record(
            CHILD,
            session_name="retrieve",
            start_time=START + 0.5,
            duration=0.75,
            error="ValueError: no",
            parent_id=ROOT,
            root_id=ROOT,
            metadata={"honeytrace": details},
        ),
        record(
            OTHER,
            session_name="ask",
            start_time=START + 60_000,
            duration=3.5,
            inputs={"question": "how?"},
            metrics={"score": 0.25},
        ),
    )
    return str(path)
