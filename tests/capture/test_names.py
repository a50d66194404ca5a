"""Names and ids that hold a secret are masked, wherever they were given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import honeytrace
from honeytrace import current_session, session, trace_session
from honeytrace.testing import capture

KEY = "sk-proj-Zk93hUnTeR2secretXYZ987abc"
FIELDS = ("project", "source", "session_name")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("way", ["configured", "decorator", "before", "block", "set", "update"])
def test_name_is_masked(field: str, way: str) -> None:
    """No name carries a key into a record, whether it was configured, decorated, set or updated."""
    early = trace_session(**{"session_name": "early", field: f"for {KEY}"})(lambda: None)
    configured: dict[str, Any] = {field: f"for {KEY}"} if way == "configured" else {}
    with capture(**configured) as sessions:
        if way == "before":
            early()
        elif way == "decorator":
            trace_session(**{"session_name": "late", field: f"for {KEY}"})(lambda: None)()
        elif way == "block":
            with session(**{field: f"for {KEY}"}):
                pass
        else:
            with session() as running:
                if way == "set":
                    setattr(running, field, f"for {KEY}")
                elif way == "update":
                    running.update(**{field: f"for {KEY}"})  # type: ignore[arg-type]
    assert getattr(sessions[0], field) == "for [redacted]"


def test_chosen_id_is_masked_and_stays_apart(tmp_path: Path) -> None:
    """Ids with keys in them differ, name the same session each time, and never show the key."""
    honeytrace.configure(store=tmp_path / "store.db")
    try:
        for key in (KEY, f"{KEY}d", KEY):
            with session("a", session_id=f"user {key}", children_ids=[f"user {KEY}d"]):
                pass
            honeytrace.update_session(f"user {key}", feedback={key: 1})
        found = [honeytrace.get_session(f"user {key}") for key in (KEY, f"{KEY}d")]
        shown = json.dumps([(s.session_id, s.children_ids, s.feedback) for s in found])
        assert KEY not in shown
        assert len({s.session_id for s in found}) == 2
        assert found[0].children_ids == [found[1].session_id]
        assert found[0].feedback
        honeytrace.flush()
        assert not [f for f in tmp_path.iterdir() if KEY.encode() in f.read_bytes()]
    finally:
        honeytrace.configure(store=None)


def test_harmless_names_and_ids_stay() -> None:
    """UUIDs, numbers, paths and the names of functions are kept as they are."""

    def pk_lookup_by_customer_identifier() -> None:
        assert current_session()

    with capture(project="team/search: nightly", source="ci:main") as sessions:
        trace_session(pk_lookup_by_customer_identifier)()
        for chosen in ("0190-ab", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "order:77", 12):
            with session("POST https://host/items?page=2", session_id=chosen):  # type: ignore[arg-type]
                pass
    assert sessions[0].session_name.endswith("pk_lookup_by_customer_identifier")
    assert (sessions[0].project, sessions[0].source) == ("team/search: nightly", "ci:main")
    assert sessions[1].session_name == "POST https://host/items?page=2"
    assert [s.session_id for s in sessions[1:]] == [
        *("0190-ab", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "order:77", "12")
    ]
