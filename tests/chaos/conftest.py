"""The fault suite: a few faults in every run of the tests, hundreds with `--full`."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="hundreds of kills, a million journals")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`seed` runs over as many numbers as the module's `SEEDS` says: a few, or all."""
    if "seed" in metafunc.fixturenames:
        few, all_ = metafunc.module.SEEDS[metafunc.function.__name__]
        full = metafunc.config.getoption("--full", default=False)
        metafunc.parametrize("seed", range(all_ if full else few))
