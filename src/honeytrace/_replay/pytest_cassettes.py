"""The cassettes of tests, for the pytest plugin."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from .._capture.block import session
from ..errors import NotRecorded, ReplayError
from ..testing import capture, listeners
from .block import Replaying
from .cassette import cassette_block, record_cassette, unused
from .select import Selector
from .whole_streams import whole_streams

MARKER = "honeytrace_cassette"
_DIRECTORY = "cassettes"
_UNSAFE = re.compile(r"[^\w.\-\[\]=,+ ]")
_collected = pytest.StashKey[set[str]]()
_writers = pytest.StashKey[dict[str, str]]()
"""The file that a test writes → the first test that does."""
_opened = pytest.StashKey["_Opened"]()


class _Options:
    """The arguments of the marker."""

    def __init__(self, item: pytest.Item) -> None:
        marker = item.get_closest_marker(MARKER)
        assert marker is not None
        given = dict(marker.kwargs)
        path = given.pop("path", marker.args[0] if marker.args else None)
        self.recorded = given.pop("recorded", ("model", "tool"))
        self.ignore = given.pop("ignore", None)
        self.allow_unused = given.pop("allow_unused", False)
        if given or len(marker.args) > 1:
            raise ReplayError(
                f"{item.nodeid}: @pytest.mark.{MARKER} takes path, recorded, ignore and "
                f"allow_unused, not {', '.join(given) or marker.args[1:]}"
            )
        name = path or f"{_UNSAFE.sub('-', item.name)}.jsonl"
        self.path = os.path.join(os.path.dirname(str(item.path)), _DIRECTORY, str(name))


class _Opened:
    """An open cassette: a block that answers, or the sessions that are recorded."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.block: Replaying | None = None
        self.sessions: list[Any] = []
        self.around = ""
        self.passed = False


def collect(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Note the file of every test. A mistake fails its test: an error of a collection that a worker
    of pytest-xdist raises ends the whole run without its text."""
    named = config.stash.setdefault(_writers, {})
    for item in items:
        if item.get_closest_marker(MARKER) is not None:
            with suppress(ReplayError):
                named.setdefault(_Options(item).path, item.nodeid)
    add_collected(config, named)


def add_collected(config: pytest.Config, paths: Iterable[str]) -> None:
    config.stash.setdefault(_collected, set()).update(paths)


def collected(config: pytest.Config) -> set[str]:
    return config.stash.get(_collected, set())


def unnamed(config: pytest.Config) -> list[str]:
    """Return the cassettes beside the collected ones that no test names."""
    known = collected(config)
    found = [
        os.path.join(directory, name)
        for directory in sorted({os.path.dirname(path) for path in known})
        if os.path.isdir(directory)
        for name in sorted(os.listdir(directory))
        if name.endswith(".jsonl")
    ]
    return [_shown(path) for path in found if path not in known]


def open_cassette(item: pytest.Item) -> None:
    """Open the block of a test; fails the test if its file is missing or damaged."""
    opened = _Opened()
    try:
        options = _Options(item)
    except ReplayError as error:
        pytest.fail(str(error), pytrace=False)
    command = f"pytest --honeytrace-record {item.nodeid}"
    recording = item.config.getoption("--honeytrace-record")
    if not recording and not os.path.exists(options.path):
        pytest.fail(f"{_shown(options.path)} is not recorded yet: {command}", pytrace=False)
    other = item.config.stash[_writers].get(options.path, item.nodeid)
    if recording and other != item.nodeid:
        text = f"{other} and {item.nodeid} would both write {_shown(options.path)}"
        pytest.fail(text, pytrace=False)
    stack = opened.stack
    try:
        stack.enter_context(capture())
        if recording:
            hear = opened.sessions.append
            listeners.append(hear)
            stack.callback(listeners.remove, hear)
            stack.enter_context(whole_streams(Selector(options.recorded)))
            opened.around = stack.enter_context(session("test")).session_id
        else:
            hint = f"If that is meant: {command}"
            opened.block = cassette_block(
                options.path, options.recorded, ignore=options.ignore, hint=hint
            )
            stack.push(_without_miss)
            stack.enter_context(opened.block)
    except ReplayError as error:
        stack.close()
        pytest.fail(str(error), pytrace=False)
    except BaseException:
        stack.close()
        raise
    item.stash[_opened] = opened


def _without_miss(kind: Any, exc: BaseException | None, tb: Any) -> bool:
    """Take the exception with which a strict block ends: the test has failed by then."""
    return isinstance(exc, NotRecorded)


@contextmanager
def settled(item: pytest.Item) -> Iterator[None]:
    """Run a test; then fail it if its cassette did not answer, or write the cassette."""
    opened, options = item.stash[_opened], _Options(item)
    block = opened.block
    try:
        yield
    except BaseException as error:
        if block is None or not block.tape.missed or isinstance(error, KeyboardInterrupt):
            raise
    else:
        opened.passed = True
    if block is None:
        return
    if block.tape.missed:  # without the exception of the miss, which says the same
        raise pytest.fail.Exception(block.told(), pytrace=False) from None
    left = unused(block)
    if left and not options.allow_unused:
        cure = f"pytest --honeytrace-record {item.nodeid}"
        pytest.fail(f"{left}. Record it again: {cure}, or allow_unused=True", pytrace=False)


def close_cassette(item: pytest.Item) -> None:
    """Close the block of a test, and write what was recorded if the test passed."""
    opened = item.stash.get(_opened, None)
    if opened is None:
        return
    del item.stash[_opened]
    opened.stack.close()
    if opened.block is not None or not opened.passed:
        return
    options = _Options(item)
    try:
        record_cassette(options.path, opened.sessions, opened.around, options.recorded)
    except ReplayError as error:
        pytest.fail(str(error), pytrace=False)


def _shown(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
