"""Masking of names that are fixed before anything is recorded, such as a configured project."""

from __future__ import annotations

from .._config import Config


def with_masked_names(config: Config) -> Config:
    """Return a configuration whose project, source and session name hold no secret."""
    from .._snapshot.redact import redactor  # compiles patterns, 10 ms

    rules = redactor(config.redact)
    if rules is None:
        return config
    names = ("project", "source", "session_name")
    return Config(**{**vars(config), **{name: rules.text(vars(config)[name]) for name in names}})
