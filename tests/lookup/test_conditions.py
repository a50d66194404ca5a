"""Conditions of lists and searches: times and durations in the forms people and programs have."""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from answered import answered
from honeytrace import ConfigurationError
from honeytrace.lookup.conditions import query_of
from honeytrace.lookup.times import duration_ms, moment_ms
from honeytrace.store.sqlite import SQLiteStore

MOMENT = 1_790_000_000.0


@pytest.mark.parametrize(
    "value",
    [
        MOMENT,
        int(MOMENT),
        str(int(MOMENT)),
        datetime.fromtimestamp(MOMENT),
        datetime.fromtimestamp(MOMENT, timezone.utc),
        datetime.fromtimestamp(MOMENT, timezone.utc).isoformat(),
        datetime.fromtimestamp(MOMENT, timezone.utc).isoformat().replace("+00:00", "Z"),
        datetime.fromtimestamp(MOMENT, timezone.utc).isoformat().replace("+00:00", ".0Z"),
        datetime.fromtimestamp(MOMENT, timezone.utc).isoformat().replace("+00:00", ".000000000z"),
        datetime.fromtimestamp(MOMENT).isoformat(),
    ],
    ids=repr,
)
def test_a_moment_has_many_forms(value: Any) -> None:
    """Seconds, datetimes and ISO 8601 text state the same moment."""
    assert moment_ms(value) == MOMENT * 1000


@pytest.mark.parametrize("value", ["2h", "120m", timedelta(hours=2)], ids=repr)
def test_a_moment_may_be_so_long_ago(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A duration in place of a moment means that long before now."""
    monkeypatch.setattr("time.time", lambda: MOMENT)
    assert moment_ms(value) == (MOMENT - 7200) * 1000


@pytest.mark.parametrize("value", [1.5, "1.5", "1.5s", "1500ms", timedelta(seconds=1.5)], ids=repr)
def test_a_duration_has_many_forms(value: Any) -> None:
    """Seconds, timedeltas and text with a unit state the same duration."""
    assert duration_ms(value) == 1500


@pytest.mark.parametrize("value", ["soon", "", "2 fortnights", True, [], b"2h"], ids=repr)
def test_other_values_are_refused(value: Any) -> None:
    """A value that states no time raises an error that shows how to write one."""
    with pytest.raises(ConfigurationError, match="7d"):
        moment_ms(value)
    with pytest.raises(ConfigurationError, match="7d"):
        duration_ms(value)


def test_milliseconds_are_refused_where_seconds_are_meant(alone: None) -> None:
    """A record's `start_time` is in milliseconds; `since` says so and names the cure."""
    with honeytrace.session("s") as s:
        pass
    found = honeytrace.get_session(s.session_id)
    with pytest.raises(ConfigurationError, match="started_at"):
        honeytrace.list_sessions(since=found.start_time)


def test_what_a_record_says_can_be_asked_for(tmp_path: Path, alone: None) -> None:
    """`started_at` and `took` are accepted as conditions and find the record itself."""
    honeytrace.configure(store=tmp_path / "s.db")
    store = SQLiteStore(tmp_path / "s.db")
    store.insert([answered("one", start_time=MOMENT * 1000, duration=1500.0)])
    store.close()
    (found,) = honeytrace.list_sessions()
    assert found.started_at == datetime.fromtimestamp(MOMENT, timezone.utc)
    assert found.took == timedelta(seconds=1.5)
    assert honeytrace.list_sessions(since=found.started_at, min_duration=found.took)
    assert not honeytrace.list_sessions(until=found.started_at)


def test_name_is_short_for_session_name() -> None:
    """`name` and `session_name` are one condition."""
    assert query_of({"name": "ask"}) == query_of({"session_name": "ask"})
    with pytest.raises(ConfigurationError, match="one of them"):
        query_of({"name": "ask", "session_name": "answer"})


def test_an_unknown_condition_is_a_type_error() -> None:
    """The error lists the conditions there are."""
    with pytest.raises(TypeError, match="session_name"):
        honeytrace.list_sessions(nme="ask")  # type: ignore[call-arg]


@pytest.mark.parametrize("limit", [0, -1, "ten"])
def test_a_limit_is_a_positive_number(limit: Any) -> None:
    """A page has at least one place."""
    with pytest.raises(ConfigurationError, match="at least 1"):
        query_of({"limit": limit})


@pytest.mark.parametrize("function", [honeytrace.list_sessions, honeytrace.search_sessions])
def test_help_shows_every_condition(function: Any) -> None:
    """`help()` and editors see the conditions by name, with their defaults."""
    parameters = inspect.signature(function).parameters
    assert {"session_name", "since", "metric", "limit"} <= set(parameters)
    assert parameters["limit"].default == 100
