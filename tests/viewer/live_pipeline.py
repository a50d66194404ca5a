"""A traced program that does one more step for each line it is given."""

from __future__ import annotations

import sys

import honeytrace
from honeytrace import trace_session


@trace_session
def step(line: str) -> str:
    return f"done: {line}"


for each in sys.stdin:
    step(each.strip())
    honeytrace.flush()
