"""Dask and joblib, really installed, send traced functions of a script to other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import CACHE

pytestmark = pytest.mark.timeout(600)
"""Installing takes minutes on a busy machine."""

SOURCE = Path(__file__).parents[2] / "src"
PACKAGES = ("dask", "distributed", "joblib", "wrapt", "orjson", "httptools")
PROGRAM = """
import dask, joblib
from dask.distributed import Client, LocalCluster
{trace}
@trace
def work(n):
    return n * 2

class Box:
    @trace
    def run(self, n):
        return work(n) + 1

if __name__ == "__main__":
    print(dask.compute(*[dask.delayed(work)(i) for i in range(4)], scheduler="processes"))
    print(dask.compute(*[dask.delayed(Box().run)(i) for i in range(4)], scheduler="threads"))
    print(joblib.Parallel(2)(joblib.delayed(Box().run)(i) for i in range(4)))
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            print(client.gather(client.map(work, range(3))))
            print(client.submit(lambda x: work(x) + Box().run(x), 5).result())
"""


def _python() -> Path:
    """Return an interpreter that has the libraries."""
    home = CACHE / f"pools-{sys.version_info[0]}.{sys.version_info[1]}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (home / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES], check=True)
        (home / "installed").touch()
    return python


def test_traced_functions_run_in_other_processes(tmp_path: Path) -> None:
    """A script's traced functions, methods and their callers give there what they gave before."""
    printed = {}
    for name, trace in (
        ("plain", "trace = lambda f: f"),
        ("traced", "from honeytrace import trace_session as trace"),
    ):
        script = tmp_path / f"{name}.py"
        script.write_text(PROGRAM.format(trace=trace))
        done = subprocess.run(
            [str(_python()), str(script)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        printed[name] = done.stdout
    assert printed["traced"] == printed["plain"]
    assert "21" in printed["traced"].splitlines()
