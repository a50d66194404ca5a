"""Libraries whose every function is decorated pass their own tests, as with any other decorator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conftest import CACHE

SUITES = Path(__file__).parent / "suites"
SOURCE = Path(__file__).parents[2] / "src"
NEEDS = [
    *("pytest==9.1.1", "pytest-benchmark", "freezegun"),
    *("wrapt", "orjson", "httptools", "httpx"),  # what honeytrace itself needs
]


class Suite(NamedTuple):
    """A release with its tests: the package that is decorated, and the directory of the tests."""

    release: str
    package: str
    tests: str


LIBRARIES = [
    Suite("pluggy==1.7.0", "pluggy", "testing"),
    Suite("toolz==1.2.0", "toolz", "toolz"),
    Suite("itsdangerous==2.2.0", "itsdangerous", "tests"),
]
"""Libraries whose tests end soon; those of attrs and Jinja take minutes when they are traced."""


def _python() -> Path:
    """Return an interpreter that has the libraries and the needs of their tests."""
    home = CACHE / f"suites-{sys.version_info[0]}.{sys.version_info[1]}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (home / "installed").exists():
        releases = [suite.release for suite in LIBRARIES]
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", *releases, *NEEDS]
        subprocess.run(install, check=True)
        (home / "installed").touch()
    return python


def _unpacked(release: str) -> Path:
    """Return the directory of a source distribution, which has the tests."""
    home = CACHE / "sources" / release
    if not (home / "unpacked").exists():
        home.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
        ]
        subprocess.run([*command, "-d", str(home), release], check=True)
        (archive,) = home.glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(home)
        (home / "unpacked").touch()
    (found,) = (path for path in home.iterdir() if path.is_dir())
    return found


def _run(suite: Suite, how: str, directory: Path) -> tuple[dict[str, Any], float]:
    """Return what the plugin reports, and the seconds of CPU that the tests took."""
    report = directory / f"{how}.json"
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))},
        "DECORATE": suite.package,
        "DECORATE_WITH": how,
        "DECORATE_REPORT": str(report),
        "HONEYTRACE_STORE": str(directory / f"{how}.db"),
        "HONEYTRACE_JOURNAL": str(directory / f"{how}-journal"),
        "PYTHONPATH": os.pathsep.join((str(SUITES), str(SOURCE))),
    }
    options = ["-p", "decorating_plugin", "-p", "no:cacheprovider", "-q"]
    before = os.times()
    done = subprocess.run(
        [str(_python()), "-m", "pytest", *options, suite.tests],
        cwd=_unpacked(suite.release),
        env=environ,
        capture_output=True,
        text=True,
        timeout=200,
    )
    after = os.times()
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    took = after.children_user - before.children_user
    return json.loads(report.read_text()), took


@pytest.mark.parametrize("suite", LIBRARIES, ids=lambda suite: suite.package)
def test_decorated_library_passes_its_own_tests(suite: Suite, tmp_path: Path) -> None:
    """No test fails that passes under `functools.wraps`, and the CPU is at most five times that."""
    ordinary, took_before = _run(suite, "wraps", tmp_path)
    traced, took = _run(suite, "traced", tmp_path)
    assert traced["recorded"] > 100
    assert len(traced["outcomes"]) >= len(ordinary["outcomes"])
    worse = [
        test
        for test, outcome in traced["outcomes"].items()
        if outcome == "failed" and ordinary["outcomes"].get(test) != "failed"
    ]
    assert not worse
    assert took < 5 * took_before
