"""Modules that are imported by the first decorator: together they take the longest.

orjson brings dataclasses, inspect, json, uuid and zoneinfo along, logging brings traceback, string
and tokenize.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["logger", "orjson", "ready"]

if TYPE_CHECKING:
    import logging

    import orjson

    logger = logging.getLogger("honeytrace")
else:

    class _Later:
        """An object that is there when something is asked of it."""

        def __init__(self, get: Any) -> None:
            self._get = get

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._get(), name)
            setattr(self, name, found)
            return found

    def _orjson() -> Any:
        import orjson

        return orjson

    def _logger() -> Any:
        import logging

        return logging.getLogger("honeytrace")

    orjson, logger = _Later(_orjson), _Later(_logger)


def ready() -> None:
    """Import it now, and not in the middle of a call: a signal handler may come and trace, too."""
    for found in (orjson.dumps, logger.warning):
        assert found
