"""Spans of a process that is killed: its journal gives the records that it would have made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from honeytrace._durability.recovery import recover
from honeytrace._record.record import Item, Record
from honeytrace.sinks import Delivery

pytest.importorskip("opentelemetry.sdk")

KILLED = """
import os, signal
from opentelemetry.sdk.trace import TracerProvider
import honeytrace
from honeytrace.otel import SpanProcessor

provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SpanProcessor())
tracer = provider.get_tracer("app")
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "bee-1"}
with tracer.start_as_current_span("ended", attributes=CHAT):
    pass
with tracer.start_as_current_span("turns out to be a model's") as late:
    late.set_attribute("honeyhive_event_name", "renamed")
    late.set_attribute("llm.request.type", "chat")
with tracer.start_as_current_span("work"):
    pass
with honeytrace.session("plain"):
    pass
with tracer.start_as_current_span("open", attributes=CHAT):
    with tracer.start_as_current_span("inside", attributes=CHAT):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def recovered(directory: Path, program: str) -> dict[str, Record]:
    """The records, by name, that a program's journal has after the program was killed."""
    environ = {
        **os.environ,
        "HONEYTRACE_JOURNAL": str(directory / "journal"),
        "HONEYTRACE_STORE": str(directory / "sessions.db"),
        "HONEYTRACE_FLUSH_INTERVAL": "3600",
    }
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True)
    assert done.returncode == -9, done.stderr.decode()
    found: list[Item] = []

    def deliver(batch: list[Item]) -> Delivery | None:
        found.extend(batch)
        return None

    recover(str(directory / "journal"), deliver)
    return {each.event_name: each for each in found if isinstance(each, Record)}


def details(record: Record) -> dict[str, Any]:
    """What honeytrace's own key of the metadata says."""
    found: dict[str, Any] = orjson.loads(record.metadata or b"{}").get("honeytrace", {})
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that is killed leaves no journal")
def test_recovered_spans_are_what_they_were(tmp_path: Path) -> None:
    """A root span is named and typed by its end, or by its start where it was running."""
    found = recovered(tmp_path, KILLED)
    assert {name: (each.event_type, each.status) for name, each in found.items()} == {
        "ended": ("model", "ok"),
        "renamed": ("model", "ok"),
        "work": ("session", "ok"),
        "plain": ("session", "ok"),
        "open": ("model", "interrupted"),
        "inside": ("model", "interrupted"),
    }
    assert found["inside"].parent_id == found["open"].event_id
    assert details(found["open"])["event_type"] == details(found["ended"])["event_type"] == "model"
    assert orjson.loads(found["ended"].config or b"{}") == {"model": "bee-1"}
