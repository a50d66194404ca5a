"""Logfire's `@logfire.instrument`, with return values recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import logfire


def setup(url: str) -> tuple[Callable[..., Any], Callable[[], Any]]:
    logfire.configure(
        token="pylf_v1_local_0000000000000000000000000000000000000000000",
        send_to_logfire=True,
        console=False,
        inspect_arguments=False,
        advanced=logfire.AdvancedOptions(base_url=url),
    )
    return logfire.instrument(record_return=True, allow_generator=True), logfire.force_flush
