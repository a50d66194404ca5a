"""Every setting: its name, its default, its environment variable, and its check.

An argument of `configure` wins over `HONEYTRACE_*`, that over the names HoneyHive's users already
export (`HH_*`), that over the default.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .errors import ConfigurationError

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")


def _setting(default: Any, *names: str, check: Callable[[Any], bool] | None = None) -> Any:
    return field(default=default, metadata={"names": names, "check": check})


def _positive(value: float) -> bool:
    return value > 0


@dataclass(frozen=True)
class Config:
    """What `configure` can set. Durations are seconds, sizes are bytes."""

    project: str = _setting("default", "HH_PROJECT")
    source: str = _setting("dev", "HH_SOURCE")
    session_name: str = _setting("session", "HH_SESSION_NAME")
    """The name of a `session()` block that gives none."""
    api_key: str | None = _setting(None, "HH_API_KEY")
    """With a key, sessions go to the HoneyHive API; without one, to the embedded store."""
    server_url: str = _setting("https://api.honeyhive.ai", "HH_API_URL")
    layout: str = _setting("sessions", check=("sessions", "tree").__contains__)
    """What the API is sent: every call as a session, or the outermost, with events inside."""
    concurrency: int = _setting(32, check=_positive)
    """Requests in flight at once; the API takes one session a request."""
    request_timeout: float = _setting(30.0, check=_positive)
    """How long one request to the API may take."""
    store: str = _setting(".honeytrace/sessions.db")
    """The file of the embedded store; `":none:"` records to no file."""
    enabled: bool = _setting(True)
    sample_rate: float = _setting(1.0, check=lambda rate: 0 <= rate <= 1)
    """The share of trees to record, decided at the outermost call."""
    keep_errors: bool = _setting(False)
    """Record a tree that sampling left out when any call in it fails."""
    sampled_bytes: int = _setting(10_000_000, check=_positive)
    """How much of one sampled-out tree is held until it is known whether it fails."""
    redact: Any = _setting(True)
    """True, False, or more names, patterns and functions: see docs/snapshot.md."""
    max_bytes: int = _setting(1_000_000, check=_positive)
    max_depth: int = _setting(64, check=_positive)
    max_items: int = _setting(100_000, check=_positive)
    """Bounds of one captured value."""
    propagate_threads: bool = _setting(True)
    """Carry the current session into `threading.Thread` and `ThreadPoolExecutor`."""
    flush_interval: float = _setting(0.5, check=_positive)
    """How long a record may wait for others before it is sent."""
    batch_size: int = _setting(500, check=_positive)
    batch_bytes: int = _setting(4_000_000, check=_positive)
    queue_bytes: int = _setting(128_000_000, check=_positive)
    """Memory that pending records may take; beyond it the oldest are dropped, and counted."""
    exit_timeout: float = _setting(2.0, check=lambda seconds: seconds >= 0)
    """How long the end of the process may wait for delivery."""
    sink: Any = _setting(None)
    """A destination of your own (`honeytrace.sinks.Sink`), in place of store and API."""


def load(arguments: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration of these arguments over this environment. Raises ConfigurationError."""
    known = {f.name: f for f in fields(Config)}
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise ConfigurationError(f"configure() has no setting {unknown}; it has {sorted(known)}")
    values = dict(_from_environ(known.values(), environ))
    values.update({name: value for name, value in arguments.items() if value is not None})
    for name, value in values.items():
        values[name] = _checked(known[name], value)
    return Config(**values)


def _from_environ(known: Any, environ: Mapping[str, str]) -> Any:
    for f in known:
        for name in (f"HONEYTRACE_{f.name.upper()}", *f.metadata["names"]):
            text = environ.get(name)
            if text:
                yield f.name, _parse(f, name, text)
                break
    disabled = environ.get("HONEYTRACE_DISABLED", "")
    if disabled.lower() not in _FALSE:
        yield "enabled", False


def _parse(f: Any, name: str, text: str) -> Any:
    kind = type(f.default)
    try:
        if kind is bool:
            return {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}[text.lower()]
        return kind(text) if kind in (int, float) else text
    except (KeyError, ValueError):
        raise ConfigurationError(f"{name}={text!r} is not a {kind.__name__}") from None


def _checked(f: Any, value: Any) -> Any:
    kind, check = type(f.default), f.metadata["check"]
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if kind is float and type(value) is int:
        value = float(value)
    if kind in (int, float, bool, str) and f.name != "redact" and type(value) is not kind:
        raise ConfigurationError(f"{f.name} is a {kind.__name__}, not {value!r}")
    if check is not None and not check(value):
        raise ConfigurationError(f"{f.name}={value!r} is out of its range")
    return value


def under_test() -> bool:
    """Whether pytest runs us: then nothing is written anywhere unless it was asked for."""
    return "PYTEST_CURRENT_TEST" in os.environ or "_pytest" in sys.modules
