"""The pytest plugin: the `honeytrace_sessions` fixture, and cassettes of tests."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .testing import CapturedSessions

MARKER = "honeytrace_cassette"
_MARKER_HELP = (
    f"{MARKER}(path=None, *, recorded=('model', 'tool'), ignore=None, allow_unused=False): "
    "answer the test's model calls and tools from a file beside the test"
)


@pytest.fixture
def honeytrace_sessions() -> Iterator[CapturedSessions]:
    """The sessions that the test's code records, in memory (`honeytrace.testing.capture`)."""
    from .testing import capture

    with capture() as sessions:
        yield sessions


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of cassettes."""
    group = parser.getgroup("honeytrace")
    group.addoption(
        "--honeytrace-record",
        action="store_true",
        help="run model calls and tools, and write the cassettes of tests that pass",
    )
    group.addoption(
        "--honeytrace-unused",
        action="store_true",
        help="list cassettes that no collected test names",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER_HELP)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note the files of the collected tests."""
    if any(item.get_closest_marker(MARKER) for item in items):
        from ._replay.pytest_cassettes import collect

        collect(config, items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Open a test's cassette before its fixtures are made."""
    if item.get_closest_marker(MARKER) is not None:
        from ._replay.pytest_cassettes import open_cassette

        open_cassette(item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test whose calls its cassette does not answer; write it when it is recorded."""
    if item.get_closest_marker(MARKER) is None:
        return (yield)
    from ._replay.pytest_cassettes import settled

    with settled(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Close a test's cassette after its fixtures have ended."""
    try:
        return (yield)
    finally:
        if item.get_closest_marker(MARKER) is not None:
            from ._replay.pytest_cassettes import close_cassette

            close_cassette(item)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over the files that a worker of pytest-xdist has collected."""
    output = getattr(node, "workeroutput", {})
    if "honeytrace_cassettes" in output:
        from ._replay.pytest_cassettes import add_collected

        add_collected(node.config, output["honeytrace_cassettes"])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the collected files to the controller of pytest-xdist."""
    if hasattr(session.config, "workeroutput"):
        from ._replay.pytest_cassettes import collected

        session.config.workeroutput["honeytrace_cassettes"] = sorted(collected(session.config))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List the cassettes that no test names."""
    if config.getoption("--honeytrace-unused"):
        from ._replay.pytest_cassettes import unnamed

        for path in unnamed(config):
            terminalreporter.write_line(f"honeytrace: no collected test names {path}")
