"""Conversion of names, mappings and lists of ids into the shape that the record needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._base.interrupts import interrupts


def as_text(value: Any) -> str:
    """Return a name or an id as text that UTF-8 can encode: lone surrogates are written out."""
    try:
        return str(value).encode("utf-8", "backslashreplace").decode()
    except BaseException as error:  # the value's own __str__ may do anything
        if interrupts(error):
            raise
        return f"<{type(value).__name__}: its __str__ raised>"


def as_mapping(value: Any) -> dict[Any, Any]:
    """Return a mapping as a dict; anything else is kept under `"value"`, as HoneyHive asks."""
    try:
        return dict(value) if isinstance(value, Mapping) else {"value": value}
    except BaseException as error:  # the mapping's own code may do anything
        if interrupts(error):
            raise
        return {"value": value}


def as_id(value: Any, redact: Callable[[str], str]) -> str:
    """Return a chosen id as text; a secret in it is masked, and a hash keeps it apart from others.

    The same secret always becomes the same id.
    """
    text = as_text(value)
    if not any(map(text.__contains__, "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ=:")):
        return text  # a UUID or a number
    masked = redact(text)
    if masked == text:
        return text
    import hashlib  # brings OpenSSL, 3 ms

    return f"{masked}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def as_ids(value: Any) -> list[str]:
    """Return ids as a list of texts; one id alone is a list of one."""
    try:
        return [as_text(value)] if isinstance(value, str) else [as_text(child) for child in value]
    except BaseException as error:  # not iterable, or its own code failed
        if interrupts(error):
            raise
        return [as_text(value)]
