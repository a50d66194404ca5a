"""The fault suite: a few faults in every run of the tests, hundreds with `--full`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "ends")]  # their helpers serve here, too

pytest.register_assert_rewrite("aftermath")
from ending import Place  # noqa: E402 - found by the line above


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="hundreds of kills, a million journals")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`seed` runs over as many numbers as the module's `SEEDS` says: a few, or all."""
    if "seed" in metafunc.fixturenames:
        few, all_ = metafunc.module.SEEDS[metafunc.function.__name__]
        full = metafunc.config.getoption("--full", default=False)
        metafunc.parametrize("seed", range(all_ if full else few))
