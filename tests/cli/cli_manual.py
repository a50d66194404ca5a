"""The manual's examples, from the commands themselves, over two runs of the demo's pipeline.

    python tests/cli/cli_manual.py      # writes them into docs/cli.md anew

Clock, ids and the corpus are fixed, and scores are taken by one thread, so every run prints the
same.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import os
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import orjson

from honeytrace import testing
from honeytrace.__main__ import main
from honeytrace.cli._jsonl import read_session
from honeytrace.cli._show import as_object
from honeytrace.store.sqlite import SQLiteStore

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "cli.md"
EXAMPLE = re.compile(r"(?<=^```console\n\$ )(honeytrace [^\n]*)\n(.*?)(?=^```$)", re.M | re.S)
NOON = 1_748_779_200.0
"""1 June 2025, 12:00 UTC: a past year, whose dates are always shown the same way."""

TOPICS = {
    "try": (
        "An except clause may name several exceptions as a parenthesized tuple. The clause then"
        " handles an exception of any class in that tuple, and of classes derived from them.\n\n"
        "When a return statement is executed in the finally clause, the value that was to be"
        " returned by the try suite is replaced, and any saved exception is discarded."
    ),
    "function": (
        "Default parameter values are evaluated from left to right when the function definition is"
        " executed, and the same value is used for each call that gives none for the parameter."
    ),
}
SETTINGS = {
    "COLUMNS": "96",
    "FORCE_COLOR": "1",
    "TZ": "UTC",
    "TERM": "xterm-256color",
}


def demo(path: Path) -> None:
    """Two runs of examples/rag_pipeline.py in the store at `path`; the second keeps one passage."""
    spec = importlib.util.spec_from_file_location("rag", ROOT / "examples" / "rag_pipeline.py")
    assert spec is not None
    assert spec.loader is not None
    rag = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rag)
    rag.topics = TOPICS
    rag.ThreadPoolExecutor = lambda max_workers: ThreadPoolExecutor(1)
    store = SQLiteStore(path)
    for later, keep in ((0, 3), (90, 1)):
        rerank = functools.partial(rag.rerank, keep=keep)
        with (
            mock.patch.object(rag, "rerank", rerank),
            testing.capture(start=NOON + later) as sessions,
            contextlib.redirect_stdout(io.StringIO()),
        ):
            rag.ask(rag.QUESTIONS[:2])
        here = f"{ROOT}/".encode()  # in tracebacks
        lines = (orjson.dumps(as_object(each)).replace(here, b"") for each in sessions)
        store.insert([read_session(line) for line in lines])
    store.close()


def shown(command: str, path: Path) -> str:
    """What a terminal shows of a command, without its colours."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    store = [] if "--help" in command else ["--store", str(path)]
    with contextlib.redirect_stdout(output):
        main([*command.split()[1:], *store])
    output.flush()
    text = output.buffer.getvalue().decode()  # type: ignore[attr-defined] # a BytesIO
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def rendered(page: str) -> str:
    """The page with every example as it comes out now."""
    with (
        mock.patch.dict(os.environ, SETTINGS),
        tempfile.TemporaryDirectory() as directory,
    ):
        os.environ.pop("NO_COLOR", None)
        time.tzset()
        path = Path(directory, "sessions.db")
        demo(path)
        page = EXAMPLE.sub(lambda found: f"{found[1]}\n{shown(found[1], path)}", page)
    time.tzset()
    return page


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
    sys.exit(0)
