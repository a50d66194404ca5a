"""Headers, query strings and other pairs as mappings that keep every value of a name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

from .introspect import mro_of

_SHOWN_TEXT: Final = (
    "accept accept-encoding accept-language cache-control connection content-encoding"
    " content-length content-type date etag host last-modified retry-after server"
    " transfer-encoding user-agent vary x-request-id traceparent"
)
_SHOWN: Final = frozenset(_SHOWN_TEXT.split())
_HIDDEN: Final = "<hidden>"
_MOST: Final = 100  # headers
_MOST_PAIRS: Final = 1_000
_LONGEST: Final = 8_000  # characters of a query string


def as_text(value: Any) -> str | None:
    if type(value) is bytes:
        return value[:_LONGEST].decode("latin-1")
    return str.__str__(value)[:_LONGEST] if str in mro_of(type(value)) else None


def headers(pairs: Iterable[Any]) -> dict[str, Any]:
    """Return headers by name in lower case; only the values of harmless ones are shown."""
    found: dict[str, Any] = {}
    for pair in list(pairs)[:_MOST]:
        name, value = as_text(pair[0]), as_text(pair[1])
        if name is None:
            continue
        name = name.lower()
        shown: Any = value if name in _SHOWN else _HIDDEN
        if name in found and name in _SHOWN:
            earlier = found[name]
            shown = [*(earlier if type(earlier) is list else [earlier]), shown]
        found[name] = shown
    return found


def query(text: Any) -> Any:
    """Return the parameters of a query string; one given more than once is a list."""
    given = as_text(text)
    if not given:
        return {}
    return multi(parse_qsl(given, keep_blank_values=True, max_num_fields=None))


def multi(pairs: Iterable[tuple[Any, Any]]) -> Any:
    """Return pairs as a mapping; a name with several values has a list of all of them."""
    found: dict[str, list[Any]] = {}
    for name, value in list(pairs)[:_MOST_PAIRS]:
        text = as_text(name)
        if text is not None:
            found.setdefault(text, []).append(value)
    return {name: held[0] if len(held) == 1 else held for name, held in found.items()}
