"""Whole packages of the standard library, decorated function by function, pass CPython's own
tests."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: What is decorated, and CPython's tests of it: parsers, abstract, slotted and generic classes,
#: context managers, named tuples, operators, properties, generators, pickling, doctests.
PACKAGES = {
    "contextlib": "test.test_contextlib",
    "csv": "test.test_csv",
    "difflib": "test.test_difflib",
    "fractions": "test.test_fractions",
    "graphlib": "test.test_graphlib",
    "ipaddress": "test.test_ipaddress",
    "shlex": "test.test_shlex",
    "textwrap": "test.test_textwrap",
}

#: Tests that compare a whole traceback, which may have one frame more.
COUNTS_FRAMES = "test_exit_exception_traceback"


def outcomes(target: str, how: str, directory: Path) -> Any:
    """What `decorated_stdlib.py` prints, run on its own in `directory`."""
    script = Path(__file__).parents[1] / "decorated_stdlib.py"
    kept = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    done = subprocess.run(
        [sys.executable, str(script), target, PACKAGES[target], how],
        cwd=directory,
        env=kept | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    kept_ids = [test for test in found["outcomes"] if not test.endswith(COUNTS_FRAMES)]
    return found | {"outcomes": {test: found["outcomes"][test] for test in kept_ids}}


@pytest.mark.parametrize("target", PACKAGES)
def test_package_passes_its_own_tests_decorated(target: str, tmp_path: Path) -> None:
    """Every test of the package has the same outcome with all of the package's functions
    recorded."""
    if importlib.util.find_spec(PACKAGES[target]) is None:
        pytest.skip("this Python comes without CPython's tests")
    plain = outcomes(target, "plain", tmp_path)
    traced = outcomes(target, "traced", tmp_path)
    assert "passed" in plain["outcomes"].values()
    assert traced["outcomes"] == plain["outcomes"]
    assert (plain["recorded"], traced["recorded"] > 0) == (0, True)
