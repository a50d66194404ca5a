"""The cassette: recorded calls as JSON Lines, in which nothing changes when nothing changed.

The first line is the header; every other line is a call, in order of start. Ids, times, durations
and addresses are left out. `ended` is the rank of the call among the ends, and `path` its callers,
only where equal calls need it. The file is UTF-8; keys stand in a fixed order.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .._base.lazy import orjson
from ..errors import ReplayError
from .calls import WHOLE, Call
from .code import code_of
from .damage import ADDRESS

VERSION = 1
_DETAILS = ("masked", "cut", "set", "bare", "chunks", "raised", WHOLE)
_REQUIRED = ("name", "inputs", "ended")


class Cassette(NamedTuple):
    """A cassette that was read. `of` is the name of what was recorded."""

    name: str
    of: str
    recorded: tuple[str, ...]
    calls: list[Call]


def read_cassette(path: str) -> Cassette:
    """Read a cassette. Raises ReplayError, which names the line of a fault."""
    name = os.path.basename(path)
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        raise ReplayError(f"there is no cassette {path}: record it first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ReplayError(f"the cassette {path} cannot be read: {error}") from error
    header = _line(path, 1, lines[0] if lines else "")
    version = header.get("honeytrace_cassette")
    if version != VERSION:
        raise ReplayError(
            f"{path} has format {version!r}, and this honeytrace reads {VERSION}: record it again"
            if version is not None
            else f"{path} line 1: this is no cassette"
        )
    if header.get("calls") != len(lines) - 1:
        raise ReplayError(
            f"{path} has {len(lines) - 1} calls, and its header says {header.get('calls')}: it was "
            "cut, or edited by hand"
        )
    calls = [_call(path, n, _line(path, n, text)) for n, text in enumerate(lines[1:], start=2)]
    recorded = header.get("recorded")
    names = recorded if isinstance(recorded, list) else []
    return Cassette(name, str(header.get("of", "")), tuple(map(str, names)), calls)


def _line(path: str, number: int, text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except ValueError as error:
        raise ReplayError(f"{path} line {number}: {error}") from error
    if not isinstance(found, dict):
        raise ReplayError(f"{path} line {number}: not an object")
    return found


def _call(path: str, number: int, fields: dict[str, Any]) -> Call:
    missing = [name for name in _REQUIRED if name not in fields]
    objects = ("inputs", "outputs", "metrics", "config", "details")
    wrong = [name for name in objects if not isinstance(fields.get(name, {}), dict)]
    ended = fields.get("ended")
    if missing or wrong or type(ended) is not int or not isinstance(fields["name"], str):
        faults = ", ".join(dict.fromkeys([*missing, *wrong])) or "name or ended"
        raise ReplayError(f"{path} line {number}: {faults} is missing or of a wrong kind")
    callers = [
        (str(step[0]), orjson.dumps(step[1], option=orjson.OPT_SORT_KEYS).decode())
        for step in fields.get("path", ())
        if isinstance(step, list) and len(step) == 2
    ]
    status = fields.get("status") or ("error" if "error" in fields else "ok")
    call = Call({**fields, "status": status}, f"{os.path.basename(path)}:{number}", callers)
    call.rank = ended
    return call


def cassette_text(of: str, recorded: Iterable[str], calls: Sequence[Call]) -> str:
    """Return the text of a cassette with these calls."""
    ordered = _in_order(calls)
    ranks = {id(call): rank for rank, call in enumerate(sorted(ordered, key=lambda c: c.rank))}
    names = sorted(recorded)
    header = {"honeytrace_cassette": VERSION, "of": of, "recorded": names, "calls": len(ordered)}
    keys = Counter((call.name, call.key()) for call in ordered)
    lines: list[dict[str, Any]] = [header]
    for call in ordered:
        alike = keys[call.name, call.key()] > 1
        lines.append(_fields(call, ranks[id(call)], with_path=alike))
    texts = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines)
    return "".join(f"{_without_addresses(text)}\n" for text in texts)


def write_text(path: str, text: str) -> None:
    """Replace a file as a whole: readers see the old text or the new one."""
    directory = os.path.dirname(os.path.abspath(path))
    os.makedirs(directory, exist_ok=True)
    fd, temporary = tempfile.mkstemp(dir=directory, prefix=".", suffix=".tmp")
    try:
        with open(fd, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _in_order(calls: Sequence[Call]) -> list[Call]:
    """Return calls in order of start; those that ran at the same time by callers and inputs, since
    which of them starts first is chance."""
    groups: list[list[Call]] = []
    end = 0.0
    for call in calls:
        start, lasts = _times(call)
        if not groups or start >= end:
            groups.append([])
            end = start + lasts
        groups[-1].append(call)
        end = max(end, start + lasts)
    return [call for group in groups for call in sorted(group, key=_identity)]


def _times(call: Call) -> tuple[float, float]:
    if call.session is None:
        return float("inf"), 0.0
    return call.session.start_time, call.session.duration or 0.0


def _identity(call: Call) -> tuple[str, str, str]:
    return repr(call.path), call.name, call.key() or ""


def _fields(call: Call, rank: int, *, with_path: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": call.name}
    code = code_of(call.stamp)
    if code is not None:
        fields["code"] = code.function
    fields["inputs"] = call.inputs
    if with_path and call.path:
        fields["path"] = [[name, orjson.loads(key or "null")] for name, key in call.path]
    fields["ended"] = rank
    if call.status not in ("ok", "error"):
        fields["status"] = call.status
    if call.error is not None:
        fields["error"] = call.error
    if call.outputs or call.status != "error":
        fields["outputs"] = call.outputs
    if call.metrics:
        fields["metrics"] = call.metrics
    if call.config:
        fields["config"] = call.config
    details = {name: call.details[name] for name in _DETAILS if name in call.details}
    if details:
        fields["details"] = details
    return fields


def _without_addresses(text: str) -> str:
    return ADDRESS.sub(" at 0x", text)
