"""The cost of OpenTelemetry in and out does not grow: counted, beside the SDK's own span."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def counted() -> dict[str, Any]:
    """The bytecode instructions of each call, in a process that nothing else traces."""
    kept = ("PATH", "SYSTEMROOT", "HONEYTRACE_PURE_PYTHON")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.telemetry", "--count"],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k.startswith(kept)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.skipif("HONEYTRACE_PURE_PYTHON" in os.environ, reason="interpreted, it costs more")
@pytest.mark.parametrize(
    ("span", "bound"),
    [
        ("20 plain attributes", 0.5),
        ("GenAI", 0.5),
        ("OpenInference", 0.5),
        ("20 plain attributes, journal", 0.6),
        ("GenAI, journal", 0.6),
        ("OpenInference, journal", 0.8),
    ],
)
def test_a_bridged_span_stays_near_what_the_sdk_takes_for_it(
    counted: dict[str, Any], span: str, bound: float
) -> None:
    """The bridge adds at most this share of the instructions of the SDK's own span."""
    alone, bridged = counted[f"a span, {span}"]
    assert bridged - alone <= bound * alone


@pytest.mark.parametrize(("call", "bound"), [("inject", 0.2), ("OtlpSink", 0.8)])
def test_what_leaves_the_process_stays_cheap(
    counted: dict[str, Any], call: str, bound: float
) -> None:
    """Headers and exported records take at most this share of the SDK's own span."""
    alone, _ = counted["a span, 20 plain attributes"]
    assert counted[call] <= bound * alone
