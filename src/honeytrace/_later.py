"""orjson, imported when something is to be traced: that takes as long as all else of our import.

It brings dataclasses, inspect, json, uuid and zoneinfo along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["orjson", "ready"]

if TYPE_CHECKING:
    import orjson
else:

    class _Orjson:
        def __getattr__(self, name: str) -> Any:
            import orjson as module

            vars(self).update(vars(module))
            return getattr(module, name)

    orjson = _Orjson()


def ready() -> None:
    """Import it now, and not in the middle of a call: a signal handler may come and trace, too."""
    orjson.dumps  # noqa: B018 - the first look imports
