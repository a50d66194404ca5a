"""Parents that are not here, and sessions that another tracer times."""

from __future__ import annotations

import pytest

import honeytrace
from honeytrace._capture.context import current, innermost
from honeytrace._capture.external import abandon, begin_external, end_external
from honeytrace._capture.hooks import hooks
from honeytrace._capture.remote import Remote, Stranger, adopt, expect_callers
from honeytrace._capture.session import Session
from honeytrace._capture.spec import Spec
from honeytrace.testing import capture


@pytest.fixture(autouse=True)
def no_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook of adoption as it was before."""
    monkeypatch.setattr(hooks, "adopt", None)


def test_a_session_inside_a_remote_one_names_it() -> None:
    """Parent and root are the stand-in's, which is itself not recorded."""
    with capture() as recorded:
        root = Remote("root")
        current.set(Remote("caller", root))
        with honeytrace.session("callee"):
            assert honeytrace.current_session()
        assert not honeytrace.current_session()
        honeytrace.current_session().update(metadata={"lost": True})
        current.set(None)
    (callee,) = recorded
    assert (callee.parent_id, callee.root_id, callee.event_type) == ("caller", "root", "chain")


def test_a_session_called_by_a_stranger_is_a_root_with_a_link() -> None:
    """A caller that is not trusted does not become the parent; the link to it is kept."""
    expect_callers()
    with capture() as recorded:
        current.set(Stranger([{"trace_id": "a" * 32}]))
        with honeytrace.session("callee", metadata={"own": 1}), honeytrace.session("inside"):
            pass
        current.set(None)
    inside, callee = recorded
    assert callee.parent_id is None
    assert callee.metadata == {"links": [{"trace_id": "a" * 32}], "own": 1}
    assert inside.parent_id == callee.session_id
    assert "links" not in inside.metadata


def test_the_hook_chooses_the_parent() -> None:
    """A hook may put a session between the one that is current and the one that begins."""
    with capture() as recorded:
        with honeytrace.session("outer") as outer:
            between = begin_external(
                Spec("between"), outer, "between", hooks.clock_ns() + hooks.offset_ns
            )
            hooks.adopt = lambda s, parent: between if parent is outer else parent
            assert innermost() is between
            assert honeytrace.current_session() is between
            with honeytrace.session("inner"):
                pass
            hooks.adopt = None
            end_external(between, 0, inputs={}, outputs={}, failure=None, extras={})
        names = {each.session_name: each for each in recorded}
    assert names["inner"].parent_id == "between"
    assert names["between"].children_ids == [names["inner"].session_id]
    assert names["outer"].children_ids == ["between"]
    assert names["inner"].root_id == names["outer"].session_id


def test_an_external_session_has_its_own_times_and_fields() -> None:
    """Times come from outside; what the program added wins over what the tracer says."""
    start = 1_790_000_000_000_000_000
    with capture() as recorded:
        s = begin_external(Spec("chat", event_type="model"), Remote("parent"), "id", start)
        s.update(metadata={"a": 2}, inputs={"more": 1})
        end_external(
            s,
            start + 5_000_000,
            inputs={"q": "hi", "password": "secret"},
            outputs={"result": 1},
            failure=("error", "ValueError: no", {"traceback": "…"}),
            extras={"metadata": {"a": 1, "b": 1}, "project": "p"},
        )
    (found,) = recorded
    assert (found.session_id, found.parent_id, found.event_type) == ("id", "parent", "model")
    assert found.start_time == 1_790_000_000_000.0
    assert found.duration == pytest.approx(5.0)
    assert found.inputs == {"q": "hi", "password": "[redacted]", "more": 1}
    assert (found.outputs, found.metadata, found.project) == ({"result": 1}, {"a": 2, "b": 1}, "p")
    assert (found.status, found.error, found.traceback) == ("error", "ValueError: no", "…")


def test_an_abandoned_session_is_not_its_parents_child() -> None:
    """A session that is not recorded after all leaves nothing behind."""
    with capture() as recorded, honeytrace.session("outer") as outer:
        abandon(begin_external(Spec("dropped"), outer, "dropped", 1))
    assert [each.session_name for each in recorded] == ["outer"]
    assert recorded[0].children_ids == []


def test_a_stranger_is_nobodys_parent_in_threads() -> None:
    """Asked without a session, the hook leaves the stranger where it is."""
    stranger = Stranger([])
    assert adopt(None, stranger) is stranger
    assert isinstance(adopt(Session(), None), type(None))
