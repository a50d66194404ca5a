"""The page of a set of replays: every run before and after, from the store alone."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from viewer_site import START, call

from honeytrace._record.record import Record
from honeytrace.lookup.replays import Figures, ReplayRow, Score
from honeytrace.store.sqlite import SQLiteStore


def a_set() -> list[Record]:
    """A set of three calls: one changed, one failed, one was refused."""
    rows = [
        ReplayRow(
            *("answer", "b1", "changed", "", "<why>"),
            after_id="a1",
            calls_changed=2,
            before=Figures(1200.0, 300, 0.25),
            after=Figures(900.0, None, None),
            scores={"faithful": Score(0.5, 0.75)},
        ),
        ReplayRow("answer", "b2", "failed", "ValueError: <no>", "who", after_id="a2"),
        ReplayRow("answer", "b/3", "refused", "client was not recorded", notes=["n is new"]),
    ]
    members = [
        call(f"m{n}", "set", session_name="replay", source="replay", start_time=START + n,
             own={"replay": row.to_dict()})
        for n, row in enumerate(rows)
    ]  # fmt: skip
    top = call("set", session_name="replays", source="replay", children_ids=["m0", "m1", "m2"])
    return [top, *members, call("a1", "m0", "set"), call("b1")]


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_set_has_a_page(http: httpx.Client, store: SQLiteStore) -> None:
    """Scores, verdicts, figures, reasons, and the addresses of both runs and their comparison."""
    store.insert(a_set())
    page = http.get("/replays/set")
    assert page.status_code == 200
    seen = text(page.text)
    assert "0 match 1 changed 1 failed 1 refused" in seen
    assert "faithful 0.5 → 0.75 1 better 0 worse 0 the same" in seen
    assert "1.20 s → 900.0 ms" in seen
    assert "300 → \u2013" in seen
    assert "$0.25 → \u2013" in seen
    assert "ValueError: &lt;no&gt;" in page.text
    assert "client was not recorded" in seen
    assert "n is new" in seen
    assert 'href="/compare?a=b1&amp;b=a1">2 calls<' in page.text
    assert 'href="/sessions/b%2F3"' in page.text
    assert page.text.index("b1") < page.text.index("b%2F3")


def test_the_run_leads_to_the_page(http: httpx.Client, store: SQLiteStore) -> None:
    """The timeline of a set has a tab for it; other sessions have none, and no page."""
    store.insert(a_set())
    assert 'href="/replays/set"' in http.get("/sessions/set").text
    assert "/replays/" not in http.get("/sessions/b1").text
    assert http.get("/replays/b1").status_code == 404
    assert http.get("/replays/nothing").status_code == 404


def test_a_large_set_is_cut(
    http: httpx.Client, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest runs are shown, and the page says that there are more."""
    from honeytrace.server.viewer import _replays

    monkeypatch.setattr(_replays, "_ROWS", 2)
    store.insert(a_set())
    page = http.get("/replays/set").text
    assert "Older runs of this set are not shown" in page
    assert page.count('class="replayed') == 2


@pytest.mark.browser
def test_from_the_set_to_the_comparison(page: Any, store: SQLiteStore) -> None:
    """A click on the difference opens the comparison of both runs."""
    store.insert(a_set())
    page.goto("/sessions/set")
    page.get_by_role("link", name="Replays").click()
    page.get_by_role("link", name="2 calls").click()
    page.wait_for_url("**/compare?a=b1&b=a1")
    assert page.get_by_text("Before", exact=True).first.is_visible()
