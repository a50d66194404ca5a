"""Model, tokens, cost and time to first token where people look: list, tree, and head."""

from __future__ import annotations

import re

import httpx
import pytest
from viewer_site import START, agent, call

from honeytrace.server.viewer import _usage
from honeytrace.store.sqlite import SQLiteStore


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_run_in_the_list_has_the_sum_of_its_calls(http: httpx.Client, store: SQLiteStore) -> None:
    """Model and tokens of what ran inside."""
    store.insert(agent())
    assert "gpt-4o 200 tok" in text(http.get("/").text)


def test_rows_of_the_tree_have_figures_and_kinds(http: httpx.Client, store: SQLiteStore) -> None:
    """Each model call its own; what a call is does not depend on a colour."""
    store.insert(agent())
    html = http.get("/sessions/agent").text
    assert html.count("90→10") == 2
    kinds = re.findall(r'<b class="kind is-([a-z]+)">', html)
    assert kinds == ["run", "model", "tool", "model"]


def test_the_head_has_the_figures_of_the_whole_run(http: httpx.Client, store: SQLiteStore) -> None:
    """Tokens of prompt and completion, added up the tree."""
    store.insert(agent())
    assert "180 → 20 tokens" in text(http.get("/detail/agent").text)
    assert "90 → 10 tokens" in text(http.get("/detail/m1").text)


def test_recorded_cost_and_first_token(http: httpx.Client, store: SQLiteStore) -> None:
    """What a call recorded of itself is shown as it is."""
    metrics = {"cost": 0.25, "total_tokens": 1200, "time_to_first_token": 312.0}
    store.insert([call("streamed", metrics=metrics, config={"model": "m"})])
    head = text(http.get("/detail/streamed").text)
    assert "$0.25" in head
    assert "1.2k tok" in head
    assert "first token 312.0 ms" in head


def test_a_run_that_is_too_large_has_no_figures(
    http: httpx.Client, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather none than those of a part."""
    store.insert(agent())
    monkeypatch.setattr(_usage, "_RUN", 2)
    monkeypatch.setattr(_usage, "_LIST", 2)
    assert "tokens</span>" not in http.get("/detail/agent").text
    assert "200 tok" not in text(http.get("/").text)


def test_a_wrapper_that_repeats_the_sum_is_not_counted_twice(
    http: httpx.Client, store: SQLiteStore
) -> None:
    """The larger of its own figures and of those inside counts."""
    usage = {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100}
    store.insert([
        call("outer", children_ids=["inner"], metadata=usage),
        call("inner", "outer", start_time=START + 1, metadata=usage, config={"model": "m"}),
    ])  # fmt: skip
    assert "90 → 10 tokens" in text(http.get("/detail/outer").text)


def test_a_call_that_a_replay_answered_is_marked(http: httpx.Client, store: SQLiteStore) -> None:
    """The tree calls it recorded, and its tokens are in no sum."""
    usage = {"prompt_tokens": 90, "completion_tokens": 10}
    real = {"metadata": usage, "config": {"model": "m"}, "start_time": START + 1}
    store.insert([
        call("outer", children_ids=["a", "b"]),
        call("a", "outer", **real, own={"answered_from": "earlier"}),
        call("b", "outer", **real),
    ])  # fmt: skip
    html = http.get("/sessions/outer").text
    assert html.count('<small class="figure">recorded</small>') == 1
    assert html.count("90→10") == 1
    assert "90 → 10 tokens" in text(http.get("/detail/outer").text)
    assert "tokens</span>" not in http.get("/detail/a").text
