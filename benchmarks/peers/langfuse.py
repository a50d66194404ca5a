"""Langfuse's `@observe`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langfuse import Langfuse, observe


def setup(url: str) -> tuple[Callable[..., Any], Callable[[], Any]]:
    client = Langfuse(public_key="pk-lf-local", secret_key="sk-lf-local", base_url=url)
    return observe(), client.flush
