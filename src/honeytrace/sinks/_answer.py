"""A reply, as the driver and httpx give it alike."""

from __future__ import annotations

from http.client import HTTPException
from typing import NamedTuple

LONGEST = 8_000_000
"""Bytes of a reply: a batch route gives a reason for each record, and memory must hold as many
replies as there are connections."""


class Answer(NamedTuple):
    """A reply, read whole."""

    status_code: int
    headers: dict[str, str]
    """By name in lower case; of several with one name, the last."""
    body: bytes


class UnusualReplyError(HTTPException):
    """A reply that is left to httpx: it is no HTTP/1.1, is compressed, or redirects the request."""
