"""Names and ids that a program chooses, without the secrets that they quote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from .coerce import as_id, as_ids, as_text
from .hooks import hooks, switch
from .spec import Spec

_LONGEST_BARE = 20
"""Characters of a name that is not searched; known credentials are longer."""

_fixed: WeakSet[Spec] = WeakSet()


def masked_name(name: str | None) -> str | None:
    """Return a name without the secrets that it quotes, such as a URL's."""
    if name is None or not switch.on:
        return name
    text = as_text(name)
    return text if _is_bare(text) else hooks.redact(text)


def _is_bare(text: str) -> bool:
    return len(text) <= _LONGEST_BARE and "=" not in text and ":" not in text


def masked_id(session_id: Any) -> str:
    """Return a chosen id without the secrets that it quotes."""
    return as_id(session_id, hooks.redact) if switch.on else as_text(session_id)


def masked_ids(ids: Any) -> list[str]:
    """Return chosen ids without the secrets that they quote."""
    return [masked_id(each) for each in as_ids(ids)]


def fix(spec: Spec) -> None:
    """Mask the names that a decorator gave, now or as soon as a redactor is configured."""
    names = (spec.session_name, spec.project, spec.source)
    if not all(name is None or _is_bare(name) for name in names):
        _fixed.add(spec)
        if hooks.configured:
            _mask(spec, hooks.redact)


def mask_fixed(redact: Callable[[str], str]) -> None:
    """Mask the names that decorators gave before this redactor was configured."""
    for spec in list(_fixed):
        _mask(spec, redact)


def _mask(spec: Spec, redact: Callable[[str], str]) -> None:
    spec.session_name = redact(spec.session_name)
    spec.project = spec.project and redact(spec.project)
    spec.source = spec.source and redact(spec.source)
