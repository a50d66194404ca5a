"""The code of sessions: commit and versions, told from the runs of the same process."""

from __future__ import annotations

from typing import Any

import pytest

from answered import answered
from honeytrace._capture.ids import format_id
from honeytrace._record.record import Record
from honeytrace.errors import ConfigurationError
from honeytrace.lookup.stamps import Version, codes
from honeytrace.store.memory import MemoryStore

START = 1_700_000_000_000


def run(process: int, number: int, **own: Any) -> Record:
    """A run of a process, the `number`th in order of start."""
    session_id = format_id((START + number) * 1_000_000, (process << 40) + number)
    return answered(session_id, start_time=START + number, metadata={"honeytrace": own})


def test_the_runs_of_a_process_share_its_versions() -> None:
    """A run has the versions that another run of its process names, earlier or later."""
    one, two = {"openai": "2.1.0"}, {"openai": "3.0.0"}
    records = [
        run(1, 1, versions=one),
        run(1, 2, commit="abc"),
        run(2, 3),
        run(2, 4, versions=two),
        run(3, 5),
    ]
    store = MemoryStore()
    store.insert(records)
    found = codes(store, records)
    told = [found.get(each.event_id) for each in records]
    assert [each and dict(each.versions) for each in told] == [one, one, two, two, None]
    assert told[1] is not None
    assert told[1].commit == "abc"
    alone = codes(store, records[1:2])  # the run that names them is not among these
    assert [dict(each.versions) for each in alone.values()] == [one]


def test_calls_inside_have_the_code_of_their_run() -> None:
    """Commit and versions stand on the root, and count for everything inside."""
    root = run(1, 1, commit="abc", versions={"openai": "2.1.0"})
    own = {"honeytrace": {"parent_id": root.event_id, "root_id": root.event_id}}
    inner = answered(format_id(START * 1_000_000, 7), start_time=START + 2, metadata=own)
    store = MemoryStore()
    store.insert([root, inner])
    code = codes(store, [inner])[inner.event_id]
    assert (code.commit, dict(code.versions)) == ("abc", {"openai": "2.1.0"})


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("openai=2.1", True),
        ("versions.openai=2.1.0", True),
        ("openai=2", True),
        ("openai=2.10", False),
        ("openai=2.1.0.1", False),
        ("anthropic=2", False),
        ("commit=ab", True),
        ("commit=b", False),
    ],
)
def test_the_beginning_of_a_version_counts(text: str, met: bool) -> None:
    """Up to a dot: 2.1 is met by 2.1.0, and 2.1 not by 2.10."""
    store = MemoryStore()
    record = run(1, 1, commit="abc", versions={"openai": "2.1.0"})
    store.insert([record])
    code = codes(store, [record])[record.event_id]
    assert Version.parse(text).met(code) is met
    other = code._replace(versions={"openai": "2.10.0"})
    assert not Version.parse("openai=2.1").met(other)


@pytest.mark.parametrize("text", ["", "openai", "=2", "openai="])
def test_a_version_without_a_name_or_text_is_refused(text: str) -> None:
    """With the form that is understood."""
    with pytest.raises(ConfigurationError, match="reads like openai"):
        Version.parse(text)
