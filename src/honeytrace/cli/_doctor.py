"""`doctor` checks the settings, their sources, and everything that they need."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from .. import _config
from .._base.cython import COMPILED, interpreted
from .._base.version import __version__
from .._config import Config, without_password
from ..errors import ConfigurationError, HoneytraceError
from ..store import Query
from . import _options
from ._line import Line
from ._target import address, config
from ._terminal import clock, counted, emit, one_line, out, write

_ALWAYS = ("project", "source", "api_key", "server_url", "store", "journal")
"""Settings that are shown even where they are the default; of the others, those that are not."""

_EXTRAS = {
    "cli": ("click", "rich"),
    "server": ("starlette", "uvicorn", "jinja2", "protobuf"),
    "parquet": ("pyarrow",),
    "otel": ("opentelemetry-sdk", "opentelemetry-proto"),
    "prices": ("genai-prices",),
}
_TWO_HOSTS = (
    "no HH_API_URL is set, so sessions go to https://api.honeyhive.ai; HoneyHive's Python SDK from "
    "1.0 on sends to https://api.dp1.us.honeyhive.ai by default: set HH_API_URL to the host that "
    "your key is from"
)
_VALUE = 40
"""Columns of values, which a longer one may exceed."""

_REQUIRED = ("httptools", "httpx", "orjson", "wrapt")


@dataclass
class Finding:
    """Something that was looked at: `ok` is None where there was nothing to judge."""

    about: str
    ok: bool | None
    said: str


@click.command()
@_options.store
@_options.as_json
def doctor(store: str | None, as_json: bool) -> None:
    """Check configuration, API, store and journal; show versions.

    The exit status is 1 when something is wrong. Keys are masked.
    """
    try:
        settings = config(store)
        shown = _settings(settings, store)
        findings = [*_destination(settings), _store(settings), *_journal(settings)]
        findings += [_search(), _speed()]
    except ConfigurationError as error:
        shown, findings = [], [Finding("settings", False, str(error))]
    wrong = [each for each in findings if each.ok is False]
    if as_json:
        emit(
            {
                "ok": not wrong,
                "settings": shown,
                "findings": [asdict(each) for each in findings],
                "versions": _versions(),
            }
        )
    else:
        _print(shown, findings)
    if wrong:
        raise click.exceptions.Exit(1)


def _settings(settings: Config, store: str | None) -> list[dict[str, Any]]:
    """Every setting with its value, as JSON has it, and where that comes from."""
    origins = _config.origins({"store": store})
    return [
        {"name": name, "value": _shown(settings, name), "from": where}
        for name, given in origins.items()
        for where in [given.replace("argument", "--store")]
    ]


def _shown(settings: Config, name: str) -> Any:
    """Return the value without its secrets."""
    value = getattr(settings, name)
    if name == "api_key" and value:
        return f"{value[:3]}…{value[-4:]}" if len(value) >= 16 else "…"
    if name == "server_url":
        return address(settings)
    if name == "store":
        return without_password(value)
    return value if isinstance(value, (str, int, float, type(None))) else repr(value)


def _destination(settings: Config) -> Iterator[Finding]:
    if not settings.enabled:
        yield Finding("recording", None, "is turned off: unset HONEYTRACE_DISABLED to record")
    if not settings.api_key:
        yield Finding("api", None, "not asked: without an API key sessions go to the store")
        return
    if _config.origins({})["server_url"] == "default":
        yield Finding("host", None, _TWO_HOSTS)
    from ._check_api import trouble  # httpx

    found = trouble(settings)
    answers = f"{address(settings)} answers, and takes the key"
    yield Finding("api", found is None, found or answers)


def _store(settings: Config) -> Finding:
    from ..store import urls
    from ..store._causes import unwritable

    url = settings.store
    if url == ":memory:":
        return Finding("store", None, "in memory, for each process its own")
    path = urls.file_of(url)
    if path is not None and not os.path.exists(path):
        if reason := unwritable(path):
            return Finding("store", False, f"{path} cannot be created: {reason}")
        return Finding("store", None, "nothing is recorded yet")
    try:
        with closing(urls.open_store(url, readonly=True)) as store:
            store.ready()
            size, newest = store.size(), store.list(Query(limit=1))
    except HoneytraceError as error:
        return Finding("store", False, str(error))
    if path is not None and (reason := unwritable(path)):
        return Finding("store", False, f"{path} can only be read: {reason}")
    last = f", the newest from {clock(newest[0].start_time)}" if newest else ""
    return Finding("store", True, f"{counted(size.sessions)}, {_bytes(size.bytes)}{last}")


def _journal(settings: Config) -> Iterator[Finding]:
    from .._durability.directories import candidates, owned
    from .._durability.quarantine import DAMAGED, DIRECTORY

    if settings.journal == ":none:":
        yield Finding("journal", None, "is turned off: what is pending does not survive a kill")
        return
    if sys.platform == "win32":
        yield Finding("journal", None, "there is none on Windows")
        return
    for directory in candidates(settings.journal):
        try:
            owned(directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield Finding("journal", False, f"{error}: remove it, or set HONEYTRACE_JOURNAL")
            continue
        files = list(Path(directory).glob("*.journal"))
        left = sum(map(_is_left, files))
        refused, damaged = (len(list(Path(directory, n).glob("*"))) for n in (DIRECTORY, DAMAGED))
        counts = {
            "of running processes": len(files) - left,
            "of processes that died: honeytrace recover delivers them": left,
            f"damaged, kept in {directory}/{DAMAGED}: delete them when read": damaged,
        }
        said = [f"{counted(number, 'journal')} {of}" for of, number in counts.items() if number]
        if refused:
            said.append(f"{counted(refused, 'record')} refused: honeytrace refused tells why")
        where = "" if directory == candidates(settings.journal)[0] else f"{directory}: "
        yield Finding("journal", not (refused or damaged), where + (", ".join(said) or "empty"))
    # none at all is as it should be: nothing has been recorded, or all of it was delivered


def _is_left(file: Path) -> bool:
    """Return True if the journal's process is gone."""
    from .._durability.directories import lock

    try:
        fd = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return lock(fd)
    finally:
        os.close(fd)


def _search() -> Finding:
    from ..store._fulltext import has_fts5

    with closing(sqlite3.connect(":memory:")) as conn:
        if has_fts5(conn):
            return Finding("search", True, "SQLite has FTS5")
    return Finding("search", None, "SQLite was built without FTS5, so searching reads every row")


def _speed() -> Finding:
    slow = interpreted()
    if not slow:
        return Finding("hot path", True, "compiled")
    if os.environ.get("HONEYTRACE_PURE_PYTHON"):
        return Finding("hot path", None, "interpreted, as HONEYTRACE_PURE_PYTHON asks")
    cure = "install a C compiler, then honeytrace again"
    if len(slow) < len(COMPILED):
        return Finding("hot path", None, f"compiled but for {', '.join(slow)}: {cure}")
    return Finding("hot path", None, f"interpreted, at three times the cost: {cure}")


def _versions() -> dict[str, str | None]:
    """Return the versions here; None stands for a package of an extra that is not installed."""
    names = (*_REQUIRED, *(name for extra in _EXTRAS.values() for name in extra))
    found: dict[str, str | None] = {
        "honeytrace": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "platform": platform.platform(),
    }
    return found | {name: _version(name) for name in names}


def _version(package: str) -> str | None:
    from importlib import metadata  # 12 ms

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _bytes(number: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def _print(settings: list[dict[str, Any]], findings: list[Finding]) -> None:
    shown = [
        (
            each["name"],
            "none" if each["value"] is None else one_line(str(each["value"])),
            each["from"],
        )
        for each in settings
        if each["name"] in _ALWAYS or each["from"] != "default"
    ]
    width = min(max((len(value) for _, value, _ in shown), default=0), _VALUE)
    for name, value, where in shown:
        line = Line.assemble(f"{name:12}  {value:{width}}", (f"  {where}", "dim"))
        if line.width > out().width:
            line = Line.assemble(name, (f"  {where}", "dim"), f"\n  {value}")
        write(line)
    if shown:
        write()
    marks = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}
    for finding in findings:
        write(Line.assemble(marks[finding.ok], f" {finding.about:9} {one_line(finding.said, 500)}"))
    write()
    versions = _versions()
    ours = ("honeytrace", "python", "sqlite", "platform")
    write(Line(", ".join(f"{name} {versions[name]}" for name in ours[:-1]), "dim"))
    write(Line(f"{versions['platform']}", "dim"))
    others = (f"{name} {found}" for name, found in versions.items() if found and name not in ours)
    write(Line(", ".join(others), "dim"))
    for extra, names in _EXTRAS.items():
        missing = [name for name in names if versions[name] is None]
        if missing:
            write(f'without {", ".join(missing)}: pip install "honeytrace[{extra}]"')
