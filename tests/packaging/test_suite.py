"""The runner of the suite in parts: no test is forgotten and none runs twice."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def suite() -> ModuleType:
    spec = importlib.util.spec_from_file_location("suite", ROOT / ".ci" / "suite.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_test_file_is_in_exactly_one_part(suite: ModuleType) -> None:
    """The parts without an environment of their own hold each test file once, interop excepted."""
    files = Counter(
        file
        for part in suite.parts()
        if not part.environment
        for path in part.paths
        for file in ([Path(path)] if path.endswith(".py") else Path(path).rglob("test_*.py"))
    )
    interop = ROOT / "tests" / "interop"
    every = {file for file in (ROOT / "tests").rglob("test_*.py") if interop not in file.parents}
    assert set(files) == every
    assert set(files.values()) == {1}


@pytest.mark.parametrize("coverage", [True, False])
def test_coverage_is_measured_by_default_alone(suite: ModuleType, *, coverage: bool) -> None:
    """A part runs under coverage unless the caller asked for none."""
    for part in suite.parts():
        command = suite.command(part, coverage=coverage)
        assert ("coverage" in command) is coverage
        assert command[-len(part.paths) :] == part.paths


def test_the_fault_suite_runs_in_two_parts(suite: ModuleType) -> None:
    """`make chaos` runs each of its files once, with all faults."""
    paths = [path for part in suite.chaos() for path in part.paths if path != "--full"]
    assert sorted(paths) == sorted(map(str, (ROOT / "tests" / "chaos").glob("test_*.py")))
    assert all(part.paths[0] == "--full" for part in suite.chaos())
