"""The arguments of `configure`, for type checkers; nothing imports this when a program runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from ..sinks import Sink

__all__ = ["Settings"]


class Settings(TypedDict, total=False):
    """The keyword arguments of `configure`, which are those of `Config`; None means not given."""

    project: str | None
    source: str | None
    session_name: str | None
    api_key: str | None
    server_url: str | None
    layout: Literal["sessions", "tree"] | None
    concurrency: int | None
    request_timeout: float | None
    max_retry_after: float | None
    store: str | os.PathLike[str] | None
    journal: str | os.PathLike[str] | None
    journal_bytes: int | None
    journal_sync: bool | None
    disk_bytes: int | None
    overflow: str | None
    enabled: bool | None
    sample_rate: float | None
    keep_errors: bool | None
    sampled_bytes: int | None
    redact: Any
    snapshot: Mapping[type, Callable[[Any], Any]] | None
    max_bytes: int | None
    max_depth: int | None
    max_items: int | None
    propagate_threads: bool | None
    flush_interval: float | None
    batch_size: int | None
    batch_bytes: int | None
    queue_bytes: int | None
    exit_timeout: float | None
    also: Sequence[Sink] | None
    prices: str | os.PathLike[str] | None
    sink: Sink | None
