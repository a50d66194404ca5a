"""Opik's `@track`, its error reports and usage statistics off."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


def setup(url: str) -> tuple[Callable[..., Any], Callable[[], Any]]:
    os.environ.update(
        OPIK_URL_OVERRIDE=f"{url}/",
        OPIK_SENTRY_ENABLE="false",
        OPIK_ANALYTICS_ENABLE="false",
        OPIK_CONSOLE_LOGGING_LEVEL="ERROR",
    )
    import opik

    return opik.track, lambda: opik.flush_tracker(60)
