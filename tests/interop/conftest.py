"""The official clients, installed for real, and a `honeytrace serve` for them to talk to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from interop_recorder import Client, Recorder

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "honeytrace-interop"

CLIENTS = {
    "python_0_2": "honeyhive==0.2.57",
    "python_1": "honeyhive==1.7.0",
    "python_logger": "honeyhive-logger==0.0.11",
    "node_1": "honeyhive@1.0.42",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """These need the package registries, and minutes: they run when they are asked for."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("interop")
            if "interop" not in config.option.markexpr:
                item.add_marker(pytest.mark.skip(reason="run by `make interop`"))


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Client:
    """Runs the client of this name: server URL and session in, what it printed out."""
    name: str = request.param
    script = HERE / "clients" / name
    if name == "node_1":
        environ = {"NODE_PATH": str(_install_node(CLIENTS[name]) / "node_modules")}
        command = ["node", f"{script}.js"]
    else:
        environ = {}
        command = [str(_install_python(name, CLIENTS[name])), f"{script}.py"]

    def run(url: str, session: dict[str, Any]) -> dict[str, Any]:
        ran = subprocess.run(
            [*command, url],
            input=json.dumps(session),
            env={**os.environ, "HONEYHIVE_TELEMETRY": "false", **environ},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        printed: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
        return printed

    return run


def _install_python(name: str, requirement: str) -> Path:
    if name == "python_1" and sys.version_info < (3, 11):
        pytest.skip(f"{requirement} needs Python 3.11")
    home = CACHE / f"{name}-{requirement}-{sys.version_info[0]}.{sys.version_info[1]}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (home / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", requirement], check=True)
        (home / "installed").touch()
    return python


def _install_node(requirement: str) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    home = CACHE / f"node-{requirement}"
    if not (home / "installed").exists():
        home.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(home), requirement]
        subprocess.run(command, check=True)
        (home / "installed").touch()
    return home


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The URL of a `honeytrace serve` over a store of its own."""
    command = [sys.executable, "-m", "honeytrace", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--store", str(tmp_path / "sessions.db")], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        yield process.stderr.readline().rpartition(" ")[2].strip()
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.fixture
def recorder(served: str) -> Iterator[Recorder]:
    """A recording proxy before the served URL."""
    with Recorder(served) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()
