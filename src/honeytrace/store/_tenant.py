"""Names of tenants."""

from __future__ import annotations

from .._base.lazy import pattern
from ..errors import ConfigurationError

__all__ = ["tenant_name"]

_TENANT = pattern(r"[A-Za-z0-9_.-]{0,64}")


def tenant_name(name: str) -> str:
    """Return the name of a tenant if it is safe in a file name. Raises ConfigurationError
    otherwise."""
    if (name and not _TENANT.fullmatch(name)) or name.startswith("."):
        raise ConfigurationError(
            f"tenant {name!r}: a name has letters, digits, '_', '-' and '.', at most 64 of them,"
            " and does not begin with a dot"
        )
    return name
