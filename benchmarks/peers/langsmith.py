"""LangSmith's `@traceable`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


def setup(url: str) -> tuple[Callable[..., Any], Callable[[], Any]]:
    os.environ.update(LANGSMITH_TRACING="true", LANGSMITH_ENDPOINT=url, LANGSMITH_API_KEY="local")
    from langsmith import Client, traceable

    client = Client(api_url=url, api_key="local")
    return traceable(client=client), client.flush
