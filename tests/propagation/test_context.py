"""`inject` and `continue_from`: the caller's session becomes the callee's parent."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from destinations import isolated
from honeytrace._capture.hooks import hooks
from honeytrace.propagation._traceparent import parse
from honeytrace.testing import CapturedSessions, capture


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[CapturedSessions]:
    """What is recorded, in order of its end."""
    monkeypatch.setattr(hooks, "adopt", None)
    with capture() as sessions:
        yield sessions


def called(headers: Any, name: str = "callee", **options: Any) -> None:
    """A call as its server runs it."""
    with honeytrace.continue_from(headers, **options), honeytrace.session(name):
        pass


def test_a_callee_is_a_child_of_its_caller(recorded: CapturedSessions) -> None:
    """Parent and root are those of the calling process."""
    with honeytrace.session("root"), honeytrace.session("caller"):
        headers = honeytrace.inject()
    called(headers)
    caller, root, callee = recorded
    assert callee.parent_id == caller.session_id
    assert callee.root_id == root.session_id
    assert callee.event_type == "chain"
    trace = parse(headers["traceparent"])
    assert trace is not None
    assert trace.trace_id == root.session_id.replace("-", "")
    assert caller.session_id.replace("-", "").endswith(trace.span_id)


@pytest.mark.parametrize(
    "form",
    [
        dict,
        lambda h: list(h.items()),
        lambda h: [(k.encode(), v.encode()) for k, v in h.items()],
        lambda h: {k.title(): v for k, v in h.items()},
        lambda h: {k.upper(): v for k, v in h.items()},
        lambda h: {f"HTTP_{k.upper()}": v for k, v in h.items()} | {"wsgi.input": object()},
    ],
)
def test_headers_in_any_form(recorded: CapturedSessions, form: Any) -> None:
    """Mappings, pairs of text and of bytes, a WSGI environ, an environment."""
    with honeytrace.session("caller"):
        headers = honeytrace.inject()
    called(form(headers))
    assert recorded[1].parent_id == recorded[0].session_id


def test_outside_of_a_session_nothing_is_added(recorded: CapturedSessions) -> None:
    """A call outside of any session, or while recording is paused, gets no headers."""
    assert honeytrace.inject() == {}
    with honeytrace.session("s"), honeytrace.paused():
        assert honeytrace.inject({"a": "b"}) == {"a": "b"}


def test_inject_returns_the_mapping_it_was_given(recorded: CapturedSessions) -> None:
    """The headers are filled in place."""
    headers = {"accept": "*/*"}
    with honeytrace.session("s"):
        assert honeytrace.inject(headers) is headers
    assert set(headers) == {"accept", "traceparent", "tracestate"}


def test_headers_that_are_used_again_follow_the_session(recorded: CapturedSessions) -> None:
    """A dict that one call filled names the next call's session in the next."""
    headers: dict[str, str] = {}
    for name in ("first", "second"):
        with honeytrace.session(name):
            honeytrace.inject(headers)
    called(headers)
    assert recorded[2].parent_id == recorded[1].session_id


def test_another_tracers_header_stays(recorded: CapturedSessions) -> None:
    """Where OpenTelemetry wrote `traceparent`, only honeytrace's entry is added beside it."""
    foreign = f"00-{'a' * 32}-{'b' * 16}-01"
    headers = {"traceparent": foreign, "tracestate": "congo=1"}
    with honeytrace.session("caller"):
        honeytrace.inject(headers)
    assert headers["traceparent"] == foreign
    assert headers["tracestate"].startswith("ht=")
    assert headers["tracestate"].endswith(",congo=1")
    called(headers)
    assert recorded[1].parent_id == recorded[0].session_id
    assert recorded[1].root_id == recorded[0].session_id


def test_a_foreign_caller(recorded: CapturedSessions) -> None:
    """A caller traced by something else is named by the ids that its spans get by OTLP."""
    from honeytrace._record.span_ids import event_id, session_id

    called({"traceparent": f"00-{'a' * 32}-{'b' * 16}-00", "tracestate": "congo=1"})
    (callee,) = (each for each in recorded if each.parent_id is not None)
    assert callee.parent_id == event_id("a" * 32, "b" * 16)
    assert callee.root_id == session_id("a" * 32)


def test_a_run_whose_caller_another_tracer_has_is_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Calls inside `continue_from` with a foreign `traceparent` are one run, which has their name
    and lasts as long as they do."""
    monkeypatch.setattr(hooks, "adopt", None)
    with isolated(monkeypatch, tmp_path):
        headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
        with honeytrace.continue_from(headers):
            for name in ("first", "second"):
                with honeytrace.session(name):
                    pass
        with honeytrace.continue_from(headers):
            pass
        assert honeytrace.flush(30)
        (run,) = honeytrace.list_sessions(roots_only=True)
        inside = [each for each in honeytrace.list_sessions() if each.parent_id is not None]
        assert run.session_name == "first"
        assert sorted(each.session_name for each in inside) == ["first", "second"]
        assert {each.root_id for each in inside} == {run.session_id}
        starts, ends = zip(*((each.start_time, each.end_time) for each in inside), strict=True)
        assert run.start_time <= min(starts)
        assert run.end_time >= max(ends)


def test_entries_of_other_vendors_travel_on(recorded: CapturedSessions) -> None:
    """What came in `tracestate` goes out again with the next call."""
    with honeytrace.session("caller"):
        headers = honeytrace.inject({"tracestate": "congo=1"})
    assert headers["tracestate"].endswith(",congo=1")
    with honeytrace.continue_from(headers), honeytrace.session("middle"):
        onward = honeytrace.inject()
    assert onward["tracestate"].endswith(",congo=1")
    called(onward)
    assert recorded[2].parent_id == recorded[1].session_id
    assert recorded[2].root_id == recorded[0].session_id


def test_a_caller_without_a_session_in_between(recorded: CapturedSessions) -> None:
    """A process that only passes on what it got names the caller before it."""
    with honeytrace.session("caller"):
        headers = honeytrace.inject()
    with honeytrace.continue_from(headers):
        onward = honeytrace.inject()
    called(onward)
    assert recorded[1].parent_id == recorded[0].session_id


def test_strangers_start_a_tree_of_their_own(recorded: CapturedSessions) -> None:
    """Without trust the callee is a root, and the link to the caller is kept."""
    with honeytrace.session("caller"):
        headers = honeytrace.inject()
    called(headers, trust=False)
    callee = recorded[1]
    assert callee.parent_id is None
    (link,) = callee.metadata["links"]
    assert link["session_id"] == recorded[0].session_id
    assert headers["traceparent"].split("-")[1] == link["trace_id"]


def test_a_stranger_cannot_have_a_callee_left_out(recorded: CapturedSessions) -> None:
    """Only a trusted caller's sampling decision counts, and only honeytrace's own."""
    with capture(sample_rate=0.0), honeytrace.session("caller"):
        headers = honeytrace.inject()
    assert headers["traceparent"].endswith("-00")
    called(headers)
    assert recorded == []
    called(headers, trust=False)
    assert len(recorded) == 1


def test_a_caller_that_is_sampled_out_is_followed_all_the_way(recorded: CapturedSessions) -> None:
    """A callee that is left out tells its own callees so."""
    with capture(sample_rate=0.0), honeytrace.session("caller"):
        headers = honeytrace.inject()
    with honeytrace.continue_from(headers):
        onward = honeytrace.inject()
    called(onward)
    assert recorded == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"traceparent": "nonsense"},
        [
            ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"),
            ("traceparent", f"00-{'c' * 32}-{'b' * 16}-01"),
        ],
        [(b"traceparent", b"\xff")],
        {"traceparent": None},
        None,
        7,
    ],
)
def test_headers_that_say_nothing(recorded: CapturedSessions, headers: Any) -> None:
    """Absent, invalid, doubled headers, and what is none at all, change nothing."""
    called(headers)
    assert recorded[0].parent_id is None


def test_what_ran_before_is_current_again(recorded: CapturedSessions) -> None:
    """The block ends where it began, also when it raises."""
    with honeytrace.session("outer"):
        with pytest.raises(ValueError), honeytrace.continue_from({}):
            raise ValueError
        called({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
        with honeytrace.session("inner"):
            pass
    named = {each.session_name: each for each in recorded}
    assert named["inner"].parent_id == named["outer"].session_id


def test_inject_never_raises(recorded: CapturedSessions) -> None:
    """Headers that cannot be written are given back as they are."""

    class Frozen(dict[str, str]):
        def __setitem__(self, key: str, value: str) -> None:
            raise TypeError("frozen")

    headers: MutableMapping[str, str] = Frozen()
    with honeytrace.session("s"):
        assert honeytrace.inject(headers) is headers
