from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_running import Api, Cli, Ran, serving

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
