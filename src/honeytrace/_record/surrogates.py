"""Read JSON with half a surrogate pair, as JavaScript sends a string cut inside an emoji.

`JSON.stringify("😀".slice(0, 1))` is `"\\ud83d"`, and Python's `json.dumps` writes such texts, too.
They name no character, so orjson refuses the whole body; here they become U+FFFD.
"""

from __future__ import annotations

import re
from typing import Any

from .._base.lazy import orjson

__all__ = ["loads"]

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})"  # half of one
    rb"|.)",  # any other escape, an escaped backslash among them
    re.DOTALL,
)
_ENCODED = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
"""Half a pair in the bytes themselves, as Python's `surrogatepass` writes it."""


def loads(data: bytes) -> Any:
    """Parse JSON; half a surrogate pair is read as U+FFFD. Raises `orjson.JSONDecodeError`."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        repaired = _ENCODED.sub(b"\xef\xbf\xbd", _ESCAPE.sub(_repaired, data))
        if repaired == data:
            raise
        return orjson.loads(repaired)


def _repaired(found: re.Match[bytes]) -> bytes:
    return found[0] if found[1] is None else b"\\ufffd"
