"""HoneyHive's own SDK: `@trace`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from honeyhive import HoneyHiveTracer, trace


def setup(url: str) -> tuple[Callable[..., Any], Callable[[], Any]]:
    tracer = HoneyHiveTracer.init(api_key="local", session_name="bench", server_url=url)
    return trace(tracer=tracer), tracer.force_flush
