"""The choice of functions whose calls are answered: by name, by `module:qualname`, by kind."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ReplayError
from .code import Code

KINDS = ("model", "tool", "chain")


class Selector:
    """What `recorded=` and `live=` say; `live` wins."""

    def __init__(self, recorded: str | Iterable[str], live: str | Iterable[str] = ()) -> None:
        self.recorded = _names("recorded", recorded)
        self.live = _names("live", live)

    def matches(self, name: str, code: Code | None, event_type: str) -> bool:
        """Return whether calls of a function are answered."""
        known = {name, event_type} | ({code.function} if code else set())
        return bool(known & self.recorded) and not known & self.live

    @property
    def named(self) -> set[str]:
        """The selectors that name one function."""
        return self.recorded - set(KINDS)


def _names(option: str, given: str | Iterable[str]) -> set[str]:
    names = {given} if isinstance(given, str) else set(given)
    for name in names:
        if not isinstance(name, str) or not name:
            raise ReplayError(
                f"{option} is a name, 'module:qualname', 'model', 'tool' or 'chain', or several "
                f"of these, not {name!r}"
            )
    return names
