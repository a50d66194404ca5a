"""Other tracing libraries, each pinned, in a virtual environment of its own.

`python -m benchmarks.peers install [name ...]` makes the environments under `benchmarks/.peers`.
Each module beside this one sets one library up as its documentation says, pointed at a loopback
sink, and is imported only inside that library's environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PINS = {
    "opentelemetry": [
        "opentelemetry-sdk==1.45.2",
        "opentelemetry-exporter-otlp-proto-http==1.45.2",
    ],
    "langfuse": ["langfuse==5.0.4"],
    "langsmith": ["langsmith==0.15.0"],
    "logfire": ["logfire==5.2.0"],
    "honeyhive": ["honeyhive==1.7.0"],
    "opik": ["opik==2.2.122"],
    # its own siblings, or pip finds no versions that go together
    "lmnr": [
        "lmnr==0.8.1",
        "opentelemetry-sdk==1.41.1",
        "opentelemetry-instrumentation==0.62b1",
        "opentelemetry-instrumentation-threading==0.62b1",
    ],
}
IMPORTS = {
    "opentelemetry": "import opentelemetry.sdk.trace.export, "
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "langfuse": "import langfuse",
    "langsmith": "from langsmith import Client, traceable",
    "logfire": "import logfire",
    "honeyhive": "from honeyhive import HoneyHiveTracer, trace",
    "opik": "import opik",
    "lmnr": "from lmnr import Laminar, observe",
}
"""What a program imports to use it."""
HOME = Path(__file__).parent.parent / ".peers"


def python(peer: str) -> Path:
    """The interpreter of a peer's environment, whether or not it is there."""
    return HOME / peer / ("Scripts" if os.name == "nt" else "bin") / "python"


def installed(peer: str) -> bool:
    return (HOME / peer / ".ready").exists()


def install(peer: str) -> None:
    """Make the environment of a peer anew where it is not complete."""
    HOME.mkdir(exist_ok=True)
    (HOME / ".gitignore").write_text("*\n")
    if installed(peer):
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME / peer)], check=True)
    pip = [str(python(peer)), "-m", "pip", "install", "--quiet", *PINS[peer]]
    subprocess.run(pip, check=True)
    (HOME / peer / ".ready").touch()
