"""Files of other programs that `import` reads, recognised by their content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .._config import Config
from .._record.record import Item
from .._record.surrogates import loads
from ..compat import claude_code, codex
from ..compat.transcript import Encode
from ..errors import HoneytraceError
from ..store import Store

__all__ = ["foreign", "recognised"]

_LOOKED_AT = 20
"""Lines at the beginning of a file that are looked at."""

Refuse = Callable[[str, str], None]

_READERS: Mapping[str, Callable[[Iterable[Any], Encode], Iterator[Item]]] = {
    "claude-code": claude_code.read,
    "codex": codex.read,
}


def recognised(head: Iterable[bytes]) -> str | None:
    """Return the kind of file that begins so: `claude-code`, `codex`, `otel`; None for ours."""
    for number, line in enumerate(head):
        if number == 0 and b"resourceSpans" in line[:200]:
            return "otel"
        found = _object(line)
        if found is None:
            # an OTLP document that is written over several lines
            if b'"resourceSpans"' in line:
                return "otel"
            if number >= _LOOKED_AT:
                return None
            continue
        if claude_code.is_claude_code(found):
            return "claude-code"
        if codex.is_codex(found):
            return "codex"
        return "otel" if "resourceSpans" in found else None
    return None


def foreign(
    kind: str, lines: Iterable[bytes], path: Path | None, store: Store, settings: Config, no: Refuse
) -> Iterator[Item]:
    """Yield the records of such a file.

    path: where the file is, since sub-agents of Claude Code have files beside it. no: called with a
    line's number and the reason why it is left out.
    """
    if kind == "otel":
        yield from _spans(lines, store, no)
        return
    found = _objects(lines, no)
    if kind == "claude-code" and path is not None:
        found = [*found, *_beside(path)]
    yield from _READERS[kind](found, _encoder(settings))


def _encoder(settings: Config) -> Encode:
    """Return the snapshot of the settings: imported values are masked like recorded ones."""
    from .._snapshot.limits import Limits
    from .._snapshot.redact import redactor
    from .._snapshot.rules import Rules
    from .._snapshot.snapshotter import Snapshotter

    limits = Limits(settings.max_bytes, settings.max_depth, settings.max_items)
    encode: Encode = Snapshotter(limits, redactor(settings.redact), Rules(settings.snapshot)).encode
    return encode


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = loads(line)
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _objects(lines: Iterable[bytes], no: Refuse) -> list[Any]:
    found = []
    for number, line in enumerate(lines, start=1):
        each = _object(line) if line.strip() else {}
        if each is None:
            no(str(number), "it is not a JSON object")
        elif each:
            found.append(each)
    return found


def _beside(path: Path) -> Iterator[Any]:
    """Yield the lines of the sub-agents of a transcript, from the files beside it."""
    for file in sorted((path.with_suffix("") / "subagents").glob("*.jsonl")):
        with file.open("rb") as lines:
            yield from (each for line in lines if (each := _object(line)))


def _spans(lines: Iterable[bytes], store: Store, no: Refuse) -> Iterator[Item]:
    try:
        from ..server._http import RefusedError
        from ..server._otlp import json_spans
        from ..server._otlp.counts import Counts
        from ..server._otlp.traces import Traces
    except ImportError as missing:
        raise HoneytraceError(
            f'OpenTelemetry files need {missing.name}: pip install "honeytrace[server]"'
        ) from None
    traces = Traces(store, Counts())
    for number, document in _documents(lines, no):
        try:
            items, reasons = traces.read(json_spans.spans(document))
        except RefusedError as refusal:
            no(number, str(refusal))
            continue
        for reason in reasons:
            no(number, reason)
        with traces.lock:
            yield from traces.place(items).items


def _documents(lines: Iterable[bytes], no: Refuse) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the documents of a file: one a line, or one over all lines."""
    every = list(lines)
    if every and _object(every[0]) is None:
        whole = _object(b"".join(every))
        if whole is None:
            no("1", "it is not a JSON object")
        else:
            yield "1", whole
        return
    for number, line in enumerate(every, start=1):
        found = _object(line) if line.strip() else {}
        if found is None:
            no(str(number), "it is not a JSON object")
        elif found:
            yield str(number), found
