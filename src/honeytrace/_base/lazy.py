"""Modules that are imported by the first decorator: together they take the longest; and patterns
that are compiled when they are first needed.

orjson brings dataclasses, inspect, json, uuid and zoneinfo along, logging brings traceback, string
and tokenize.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["logger", "orjson", "pattern", "ready"]

if TYPE_CHECKING:
    import logging
    import re

    import orjson

    logger = logging.getLogger("honeytrace")

    def pattern(text: str, flags: int = 0) -> re.Pattern[str]: ...

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

    def pattern(text: str, flags: int = 0) -> _Later:
        """Return a pattern that is compiled on first use: one with ranges takes a millisecond."""

        def compiled() -> Any:
            import re

            return re.compile(text, flags)

        return _Later(compiled)


warned = False
"""True once a warning said that nothing is recorded in this interpreter."""


def ready() -> bool:
    """Import both now, and not in the middle of a call: a signal handler may come and trace, too.

    Returns False, with one warning, if orjson does not load: an isolated sub-interpreter refuses
    extensions that do not support it. Nothing can be recorded there.
    """
    global warned
    try:
        for found in (orjson.dumps, logger.warning):
            assert found
    except ImportError as error:
        if not warned:
            warned = True
            logger.warning("honeytrace records nothing in this interpreter: %s", error)
        return False
    return True
