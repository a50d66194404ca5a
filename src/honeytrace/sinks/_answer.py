"""A reply in the form that the driver and httpx share."""

from __future__ import annotations

from http.client import HTTPException
from typing import NamedTuple

LONGEST = 8_000_000
"""Bytes of a reply at most. The batch route gives a reason for each refused record, and memory must
hold one reply for each connection."""


class Answer(NamedTuple):
    """A complete reply."""

    status_code: int
    headers: dict[str, str]
    """Values by name in lower case. Of several headers with the same name, the last one counts."""
    body: bytes


class UnusualReplyError(HTTPException):
    """A reply that is not HTTP/1.1. The request is left to httpx."""
