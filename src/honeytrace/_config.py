"""Every setting: its name, its default, its environment variable, and its check.

An argument of `configure` wins over `HONEYTRACE_*`, that over the names HoneyHive's users already
export (`HH_*`), that over the default.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .errors import ConfigurationError

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")
_KINDS = {"str": str, "int": int, "float": float, "bool": bool}

Check = tuple[str, Callable[[Any], bool]]
"""A requirement of a value, in words and as a test."""

_POSITIVE: Check = ("a number above 0", lambda value: 0 < value < float("inf"))
_SHARE: Check = ("a number from 0 to 1", lambda value: 0 <= value <= 1)
_SECONDS: Check = ("a number of seconds", lambda value: 0 <= value < float("inf"))
_LAYOUT: Check = ("'sessions' or 'tree'", ("sessions", "tree").__contains__)
_OVERFLOW: Check = (
    "'drop_oldest', 'drop_newest' or 'block'",
    ("drop_oldest", "drop_newest", "block").__contains__,
)
NO_JOURNAL = ":none:"
_ENGINES = ("sqlite", "memory", "postgresql", "postgres", "clickhouse", "chdb")
_STORE: Check = (
    "a path, ':memory:', or a URL: sqlite:///, postgresql://, clickhouse://, chdb:/// or memory://",
    lambda store: not is_mistyped(store) and ("://" not in store or _scheme(store) in _ENGINES),
)
_RULES: Check = (
    "a dict {Type: function}",
    lambda rules: isinstance(rules, Mapping) and all(isinstance(kind, type) for kind in rules),
)
_SINK: Check = (
    "an object with a deliver() (honeytrace.sinks.Sink)",
    lambda sink: callable(getattr(sink, "deliver", None)),
)

_SINKS: Check = (
    "a list of objects with a deliver() (honeytrace.sinks.Sink)",
    lambda sinks: isinstance(sinks, (list, tuple)) and all(map(_SINK[1], sinks)),
)


class Setting:
    """One of `Config`'s: its default, the variables that give it beside `HONEYTRACE_*`, its check.

    `kind` is its type, by its annotation; None where it may be anything.
    """

    def __init__(self, default: Any, names: tuple[str, ...], check: Check | None) -> None:
        self.default, self.names, self.check = default, names, check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.kind: Any = _KINDS.get(owner.__annotations__[name].partition(" ")[0])
        SETTINGS[name] = self


SETTINGS: dict[str, Setting] = {}
"""All of them, by name."""


def _setting(default: Any, *names: str, check: Check | None = None) -> Any:
    return Setting(default, names, check)


class Config:  # no dataclass, whose making would be a tenth of the import
    """The settings of `configure`. Durations are seconds, sizes are bytes."""

    project: str = _setting("default", "HH_PROJECT")
    source: str = _setting("dev", "HH_SOURCE")
    session_name: str = _setting("session", "HH_SESSION_NAME")
    """The name of a `session()` block that gives none."""
    api_key: str | None = _setting(None, "HH_API_KEY", "HH_INGESTION_API_KEY")
    """With a key, sessions go to the HoneyHive API; without one, to the embedded store."""
    server_url: str = _setting(
        "https://api.honeyhive.ai", "HH_API_URL", "HONEYHIVE_SERVER_URL", "HH_SERVER_URL"
    )
    layout: str = _setting("sessions", check=_LAYOUT)
    """Layout at the API: every call as a session, or the outermost call with events inside."""
    concurrency: int = _setting(32, check=_POSITIVE)
    """Requests in flight at once; the API takes one session a request."""
    request_timeout: float = _setting(30.0, check=_POSITIVE)
    """Seconds that one request to the API may take."""
    max_retry_after: float = _setting(600.0, check=_POSITIVE)
    """Seconds that delivery waits at most when the API asks for a pause."""
    store: str = _setting(".honeytrace/sessions.db", check=_STORE)
    """The file of the embedded store, or the URL of an engine (docs/stores.md); `":memory:"` keeps
    everything in this process instead."""
    journal: str = _setting(".honeytrace/journal")
    """The directory of the journal; `":none:"` for none."""
    journal_bytes: int = _setting(32 * 1024 * 1024, check=_POSITIVE)
    """Bytes of undelivered records that the journal of a process holds."""
    journal_sync: bool = _setting(False)
    """Write the journal through to the disk every `flush_interval`: for the loss of power."""
    disk_bytes: int = _setting(1_000_000_000, check=_POSITIVE)
    """Bytes of records that wait on disk, beside the journal, while the destination is away."""
    overflow: str = _setting("drop_oldest", check=_OVERFLOW)
    """Policy when memory and disk are full: `"drop_oldest"`, `"drop_newest"` or `"block"`."""
    enabled: bool = _setting(True)
    sample_rate: float = _setting(1.0, check=_SHARE)
    """The share of trees to record, decided at the outermost call."""
    keep_errors: bool = _setting(False)
    """Record a tree that sampling left out when any call in it fails."""
    sampled_bytes: int = _setting(10_000_000, check=_POSITIVE)
    """Bytes of a sampled-out tree that are held until the tree fails or ends well."""
    redact: Any = _setting(True)
    """True, False, or more names, patterns and functions: see docs/snapshot.md."""
    snapshot: Any = _setting(None, check=_RULES)
    """Rules for values of your own types, `{Type: function}`; see docs/snapshot.md."""
    max_bytes: int = _setting(1_000_000, check=_POSITIVE)
    max_depth: int = _setting(64, check=_POSITIVE)
    max_items: int = _setting(100_000, check=_POSITIVE)
    """Bounds of one captured value."""
    propagate_threads: bool = _setting(True)
    """Carry the current session into `threading.Thread` and `ThreadPoolExecutor`."""
    flush_interval: float = _setting(0.5, check=_POSITIVE)
    """Seconds that a record may wait for others before it is sent."""
    batch_size: int = _setting(5000, check=_POSITIVE)
    batch_bytes: int | None = _setting(None, check=_POSITIVE)
    """Records in a batch; see also `most_bytes`."""
    queue_bytes: int = _setting(128_000_000, check=_POSITIVE)
    """Memory that pending records may take; beyond it the oldest go to disk."""
    exit_timeout: float = _setting(2.0, check=_SECONDS)
    """Seconds that the end of the process may wait for delivery."""
    also: Any = _setting(None, check=_SINKS)
    """Sinks that get a copy of everything the destination has taken."""
    prices: str | None = _setting(None)
    """A JSON file with prices of tokens; without one, the `genai-prices` package is used."""
    sink: Any = _setting(None, check=_SINK)
    """A destination of your own (`honeytrace.sinks.Sink`), in place of store and API."""

    def __init__(self, **settings: Any) -> None:
        unknown = sorted(settings.keys() - SETTINGS.keys())
        if unknown:
            raise TypeError(f"there is no setting {unknown}")
        defaults = {name: setting.default for name, setting in SETTINGS.items()}
        self.__dict__.update(defaults, **settings)

    @property
    def most_bytes(self) -> int:
        """`batch_bytes`; else 1 MB to the embedded store, since many small transactions disturb a
        busy service less than a few large ones, and 4 MB to others, since each request costs."""
        if self.batch_bytes is not None:
            return self.batch_bytes
        is_file = self.api_key is None and self.sink is None and "://" not in self.store
        return 1_000_000 if is_file else 4_000_000

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


def load(arguments: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration of these arguments over this environment. Raises ConfigurationError."""
    unknown = sorted(set(arguments) - set(SETTINGS))
    if unknown:
        raise ConfigurationError(f"configure() has no setting {unknown}; it has {sorted(SETTINGS)}")
    values = {
        name: _checked(SETTINGS[name], name, value)
        for name, value in arguments.items()
        if value is not None
    }
    for name, setting in SETTINGS.items():
        if name not in values:
            values.update(_from_environ(setting, environ))
    for name in ("store", "journal"):
        values[name] = _absolute(values.get(name, SETTINGS[name].default), name)
    if values.get("prices"):
        values["prices"] = _absolute(values["prices"], "prices")
    return Config(**values)


def variables(f: Setting) -> list[str]:
    """The environment variables of a setting, the first that is set counting."""
    return [f"HONEYTRACE_{f.name.upper()}", *f.names]


def origins(
    arguments: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the source of each setting: `"argument"`, a variable's name, or `"default"`."""
    given = {name for name, value in arguments.items() if value is not None}
    return {
        name: "argument" if name in given else _variable(setting, environ) or "default"
        for name, setting in SETTINGS.items()
    }


_ARGUMENTS = ("also", "sink", "snapshot")
"""Settings that no variable can give."""


_OFF = ("HONEYTRACE_DISABLED", "HH_DISABLE_TRACING")
"""Variables that turn recording off."""

_NO_NETWORK = "HH_TEST_MODE"
"""With this variable of HoneyHive's SDK its key is not used: sessions stay on the machine."""


def _is_on(name: str, environ: Mapping[str, str]) -> bool:
    return environ.get(name, "").strip().lower() not in _FALSE


def _variable(f: Setting, environ: Mapping[str, str]) -> str | None:
    """The environment variable that decides a setting."""
    if f.name == "enabled":
        off = next((name for name in _OFF if _is_on(name, environ)), None)
        if off is not None:
            return off
    if f.name == "api_key" and _is_on(_NO_NETWORK, environ):
        return f"HONEYTRACE_{f.name.upper()}" if environ.get("HONEYTRACE_API_KEY") else None
    readable = variables(f) if f.name not in _ARGUMENTS else []
    return next((name for name in readable if environ.get(name, "").strip()), None)


def _from_environ(f: Setting, environ: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    variable = _variable(f, environ)
    if variable in _OFF:
        yield f.name, False
    elif variable is not None:
        yield f.name, _checked(f, variable, _parse(f, variable, environ[variable].strip()))


def _parse(f: Setting, name: str, text: str) -> Any:
    kind = bool if f.name == "redact" else f.kind
    try:
        if kind is bool:
            return {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}[text.lower()]
        return kind(text)
    except (KeyError, ValueError):
        raise ConfigurationError(f"{name}={text!r}: it must be {_WORDS[kind]}") from None


_WORDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: f"one of {', '.join(_TRUE + _FALSE[:-1])}",
}


def _checked(f: Setting, name: str, value: Any) -> Any:
    kind, check = f.kind, f.check
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str) and f.name in ("project", "source", "session_name"):
        value = value.encode("utf-8", "backslashreplace").decode()  # lone surrogates, written out
    if kind is float and type(value) is int:
        value = float(value)
    if kind is not None and (not isinstance(value, kind) or (kind is int and value is True)):
        shown = "***" if f.name == "api_key" else repr(value)
        raise ConfigurationError(f"{name}={shown}: it must be {_WORDS[kind]}")
    if f.name in ("api_key", "server_url") and isinstance(value, str):
        return _reachable(f.name, name, value)
    if check is not None and not check[1](value):
        shown = without_password(value) if f.name == "store" else value
        raise ConfigurationError(f"{name}={shown!r}: it must be {check[0]}")
    return value


def _reachable(setting: str, name: str, value: str) -> str:
    """The key or the URL of a server in the form that requests use. The errors show no secret."""
    from ._network.server_url import checked_key, checked_url, without_user

    if setting == "api_key":
        try:
            return checked_key(value)
        except ValueError as error:
            raise ConfigurationError(f"{name}=***: {error}") from None
    try:
        return checked_url(value)
    except ValueError as error:
        raise ConfigurationError(f"{name}={without_user(value)!r}: {error}") from None


def without_password(url: str) -> str:
    """Return a URL for people to read, without its password and without its query, which may hold
    one too. A path is returned as it is.

    The password is left out of mistyped URLs, too: those with a slash missing, and those whose
    password has a `/`, `?`, `#` or `@` that is not percent-encoded.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, separator, rest = url.partition(":")
        # A path on Windows begins with one letter.
        if len(scheme) < 2 or not scheme.isalnum() or "@" not in rest:
            return url
    place, _, query = rest.partition("?")
    before, at, place = place.rpartition("@")
    if not at and "@" in query and ":" in place:
        before, at, place = place, "@", "…"
    host, slash, path = place.partition("/")
    name, colon, port = host.rpartition(":")
    if colon and not port.isdigit() and "]" not in port:  # something else was meant
        host = f"{name}:…"
    return f"{scheme}{separator}{before.partition(':')[0]}{at}{host}{slash}{path}"


def is_mistyped(store: str) -> bool:
    """Return whether this is the URL of a store with a slash missing, and not a path."""
    scheme, colon, rest = store.partition(":")
    return bool(colon) and not rest.startswith("//") and scheme.lower() in _ENGINES


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _absolute(path: str, name: str) -> str:
    """The same file even after the program has changed its directory; a URL is left as it is."""
    if "://" in path:
        if _scheme(path) == "memory":
            return ":memory:"
        if _scheme(path) != "sqlite":
            return path
        path = path.partition("://")[2]
        if os.name == "nt":  # sqlite:///C:/x.db
            path = path.lstrip("/")
    if path in (":memory:", NO_JOURNAL):
        return path
    found = os.path.expanduser(path)
    if path.startswith("~") and found.startswith("~"):  # else a directory called "~" would be made
        home = path.split("/", 1)[0]
        raise ConfigurationError(f"{name}={path!r}: {home} is unknown; set HOME, or name the path")
    try:
        return os.path.abspath(found)
    except OSError:  # the working directory is gone
        return found


def under_test() -> bool:
    """Return True if pytest runs this process, rather than a program that imports pytest."""
    return "_pytest" in sys.modules and (
        "PYTEST_VERSION" in os.environ or "PYTEST_CURRENT_TEST" in os.environ
    )
