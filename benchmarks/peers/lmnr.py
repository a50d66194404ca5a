"""Laminar's `@observe`, over OTLP/HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lmnr import Laminar, observe


def setup(url: str) -> tuple[Callable[..., Any], Callable[[], Any]]:
    host, _, port = url.rpartition(":")
    Laminar.initialize(project_api_key="local", base_url=host, http_port=int(port), force_http=True)
    return observe(), Laminar.flush
