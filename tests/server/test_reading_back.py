"""`get_session` against a server: what it knows, with what this process has not sent yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from server_running import running

import honeytrace
from destinations import Gate, call
from honeytrace import session
from honeytrace.api import Event
from honeytrace.lookup.remote import as_record
from honeytrace.server import create_app
from honeytrace.store.sqlite import SQLiteStore

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def url(store: SQLiteStore) -> Iterator[str]:
    """A server that the configuration names, with a key; so delivery and lookup go there."""
    with running(create_app(store)) as url:
        honeytrace.configure(api_key="key", server_url=url)
        yield url


@pytest.mark.parametrize("layout", ["sessions", "tree"])
def test_the_way_up_from_a_child(url: str, layout: str) -> None:
    """A session at the server leads to its parent, and a root to none."""
    honeytrace.configure(layout=layout)
    with session("outer") as outer:
        call(7)
    assert honeytrace.flush()
    (child,) = honeytrace.get_session(outer.session_id).children
    assert child.inputs == {"x": 7}
    assert child.parent is not None
    assert child.parent.session_id == outer.session_id
    assert child.parent.parent is None


def test_an_update_that_waits_here_is_part_of_what_is_found(url: str) -> None:
    """The server has the session, this process its feedback."""
    with session("call") as s:
        pass
    assert honeytrace.flush()
    gate = Gate()
    honeytrace.configure(sink=gate)
    honeytrace.update_session(s.session_id, feedback={"rating": 5})
    honeytrace.update_session("another", feedback={"rating": 1})
    assert honeytrace.get_session(s.session_id, timeout=0).feedback == {"rating": 5}
    gate.open.set()
    assert honeytrace.flush()


def test_what_the_hosted_api_has_no_field_for_is_back_in_its_place() -> None:
    """It travels in the metadata, which a reader never sees."""
    late = {"inputs": {"late": 1}, "project": "other"}
    event = Event(
        event_id="e",
        session_id="e",
        inputs={"early": 0},
        metadata={"release": "7", "honeytrace_update": late},
    )
    record = as_record(event)
    assert record.inputs == b'{"early":0,"late":1}'
    assert record.project == "other"
    assert record.metadata == b'{"release":"7"}'
