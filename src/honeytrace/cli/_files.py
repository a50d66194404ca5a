"""`export` and `import`: sessions to files and back."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Literal, cast

import click

from .._record.record import Item, Record, size_of
from ..errors import HoneytraceError, StoreError
from ..sinks.store import StoreSink
from ..store import Query, Store
from . import _options
from ._foreign import foreign, recognised
from ._formats import FORMATS
from ._jsonl import read_session
from ._target import config, find, known, offered, opened, pages, told
from ._terminal import binary_output, counted, emit, progress, say

_SAID = 10
"""So many lines that were refused are told of one by one."""

_STANDARD = Path("-")
"""In place of a file: standard output or input."""

_HEAD = 24
"""Lines at the beginning of a file by which its kind is told."""

_BATCH, _BATCH_BYTES = 1000, 4_000_000


Form = Literal["jsonl", "csv", "parquet"]


@click.command()
@click.argument("wanted", metavar="[ID]", default="", shell_complete=offered)
@click.option("--cassette", metavar="FILE", help="Write the calls inside ID as a cassette.")
@click.option(
    "--recorded",
    multiple=True,
    metavar="NAME",
    default=("model", "tool"),
    help="With --cassette: the calls to write.",
)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to FILE, by default -, standard output.",
)
@click.option(
    "--format",
    "-f",
    "form",
    type=click.Choice(("jsonl", "csv", "parquet")),
    help="Default: as FILE's name ends, otherwise jsonl.",
)
@_options.store
@_options.as_json
@_options.filtered
def export(
    query: Query,
    wanted: str,
    cassette: str | None,
    recorded: tuple[str, ...],
    output: Path | None,
    form: Form | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Write sessions, nested calls too, as JSON Lines, CSV or Parquet, newest first.

    With ID and --cassette, the model calls and tools inside a run become a file that answers them
    in a test.
    """
    if bool(wanted) != bool(cassette):
        raise click.BadParameter("ID and --cassette FILE go together; `show ID --json` is one run")
    if cassette:
        _export_cassette(wanted, cassette, recorded, store)
        return
    output = None if output == _STANDARD else output
    form = form or _form_of(output)
    if form == "parquet" and output is not None and output.suffix.lower() == ".gz":
        raise click.BadParameter("Parquet is compressed already: leave .gz out")
    if output is None and as_json:
        raise click.BadParameter("--json is about the file: it goes with --output FILE")
    if output is None and form == "parquet" and sys.stdout.isatty():
        raise click.BadParameter("Parquet is nothing for a terminal: add --output FILE")
    # a bar on the same terminal would mix with the sessions
    shown = output is not None or not sys.stdout.isatty()
    with told(store) as reader:
        total = reader.size().sessions if query == Query() else None
        with progress("export", total, shown=shown) as done, _destination(output) as file:
            written = Counted(pages(reader, query), done)
            FORMATS[form](written, file)
    if as_json:
        emit({"sessions": written.number, "output": str(output), "format": form})
    elif output is not None:
        say(f"{counted(written.number)} written to {output}")


def _export_cassette(wanted: str, path: str, recorded: tuple[str, ...], store: str | None) -> None:
    from .._replay.cassette import export_cassette

    with known(store, wanted) as reader:
        count = export_cassette(path, find(reader, wanted, config(store)), recorded)
    say(f"{count} {'call' if count == 1 else 'calls'} written to {path}")


class Counted:
    """An iterable that counts its items and reports them to a progress bar."""

    def __init__(self, records: Iterable[Record], done: Callable[[float], None]) -> None:
        self.number = 0
        self._records, self._done = records, done

    def __iter__(self) -> Iterator[Record]:
        for record in self._records:
            self.number += 1
            self._done(1)
            yield record


_ENDINGS: dict[str, Form] = {
    **dict.fromkeys(("", ".jsonl", ".ndjson", ".json", ".txt"), "jsonl"),
    ".csv": "csv",
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
}


def _form_of(output: Path | None) -> Form:
    """Return the format that a file's name asks for; raises BadParameter for an unknown ending."""
    if output is None or (output.exists() and not output.is_file()):  # such as /dev/stdout
        return "jsonl"
    name = output.with_suffix("") if output.suffix.lower() == ".gz" else output
    ending = name.suffix.lower()
    if ending not in _ENDINGS:
        raise click.BadParameter(
            f"{output} ends in {ending}: .jsonl, .csv and .parquet are written, also .jsonl.gz and"
            " .csv.gz; --format jsonl|csv|parquet writes any name"
        )
    return _ENDINGS[ending]


@contextmanager
def _destination(output: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that has its name only once it is whole."""
    if output is None:
        sys.stdout.flush()
        yield binary_output()
        sys.stdout.buffer.flush()
        return
    if not output.parent.is_dir():
        raise HoneytraceError(f"cannot write {output}: there is no directory {output.parent}")
    if output.exists() and not output.is_file():  # such as /dev/stdout
        with output.open("wb") as file:
            yield file
        return
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with unfinished.open("xb") as raw:
            if output.suffix.lower() == ".gz":
                with gzip.GzipFile(output.name, "wb", fileobj=raw, mtime=0) as file:
                    yield cast("IO[bytes]", file)
            else:
                yield raw
        os.replace(unfinished, output)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@click.command("import")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@_options.store
@_options.as_json
def import_(files: tuple[Path, ...], store: str | None, as_json: bool) -> None:
    """Add sessions from JSON Lines, also gzipped: an export, or startSession payloads.

    Also transcripts of Claude Code and Codex, and OpenTelemetry's JSON, as sessions with tools,
    tokens and sub-agents; the content tells which it is.

    Importing a file again changes nothing. Lines that are no session are reported and left out;
    the exit status is then 1.
    """
    for path in files:
        if path != _STANDARD and (path.is_dir() or not path.exists()):
            raise HoneytraceError(f"there is no file {path}")
    # of a pipe nobody knows how much comes
    total = sum(p.stat().st_size for p in files) if all(p.is_file() for p in files) else None
    with opened(store, create=True) as target, progress("import", total, in_bytes=True) as done:
        sink, refused = StoreSink(target), Refusals()
        sessions = 0
        for path in files:
            for batch in _batches(_items(path, refused, done, target, store)):
                delivery = sink.deliver([record for _, record in batch], timeout=60)
                if delivery.retry:
                    raise StoreError(f"the store {target.where} stays busy: import again later")
                lines = {id(record): line for line, record in batch}
                for record, reason in delivery.refused:
                    refused.add(lines[id(record)], reason)
                sessions += sum(isinstance(item, Record) for _, item in batch)
                sessions -= len(delivery.refused)
    refused.tell()
    if as_json:
        emit({"sessions": sessions, "refused": refused.number})
    else:
        say(f"{counted(sessions)} imported")
    if refused.number:
        raise click.exceptions.Exit(1)


class Refusals:
    """Lines that were no sessions."""

    def __init__(self) -> None:
        self.number = 0
        self._said: list[str] = []

    def add(self, line: str, reason: str) -> None:
        self.number += 1
        if self.number <= _SAID:
            self._said.append(f"{line}: {reason}")

    def tell(self) -> None:
        for each in self._said:
            say(each)
        if self.number > _SAID:
            say(f"… and {self.number - _SAID:,} more lines like these")


def _items(
    path: Path, refused: Refusals, done: Callable[[float], None], target: Store, store: str | None
) -> Iterator[tuple[str, Item, int]]:
    """The sessions of a file, each with where it stands and its size."""
    name = "standard input" if path == _STANDARD else str(path)
    with contextlib.ExitStack() as stack:
        raw = sys.stdin.buffer if path == _STANDARD else stack.enter_context(path.open("rb"))
        lines = _unzipped(raw)
        head = list(islice(lines, _HEAD))
        if head and head[0].startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise HoneytraceError(f"{name} is UTF-16: write it in UTF-8")
        head[:1] = [line.removeprefix(codecs.BOM_UTF8) for line in head[:1]]
        kind = recognised(head)
        if kind is None:
            yield from _records(name, path, raw, chain(head, lines), refused, done)
            return

        def no(line: str, reason: str) -> None:
            refused.add(f"{name}:{line}", reason)

        own = None if path == _STANDARD else path
        for item in foreign(kind, chain(head, lines), own, target, config(store), no):
            yield f"{name}: {item.event_id}", item, size_of(item)


def _records(
    name: str,
    path: Path,
    raw: Any,
    lines: Iterable[bytes],
    refused: Refusals,
    done: Callable[[float], None],
) -> Iterator[tuple[str, Item, int]]:
    """The sessions of JSON Lines that honeytrace knows."""
    before = 0
    for number, line in enumerate(lines, start=1):
        # of a file the bytes on disk count, and of standard input those of its lines
        read = raw.tell() if path != _STANDARD and raw.seekable() else before + len(line)
        done(read - before)
        before = read
        if not line.strip():
            continue
        try:
            yield f"{name}:{number}", read_session(line), len(line)
        except (ValueError, TypeError) as error:  # the latter where it is nested too deeply
            refused.add(f"{name}:{number}", str(error))


def _unzipped(raw: Any) -> Iterator[bytes]:
    """Yield the lines of a file; one that begins as gzip does is decompressed."""
    if raw.peek(2)[:2] != b"\x1f\x8b":
        yield from raw
        return
    try:
        yield from gzip.GzipFile(fileobj=raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise HoneytraceError(f"the gzip data are damaged: {error}") from None


def _batches(records: Iterable[tuple[str, Item, int]]) -> Iterator[list[tuple[str, Item]]]:
    batch: list[tuple[str, Item]] = []
    size = 0
    for line, record, length in records:
        batch.append((line, record))
        size += length
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
