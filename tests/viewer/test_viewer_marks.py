"""Marks of what is unusual, and the code of runs: in the list, in the tree, and as conditions."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from viewer_site import START, call, ids

from honeytrace._record.record import Record
from honeytrace.store.sqlite import SQLiteStore


def run(name: str, at: float, *, loops: bool = False, own: dict[str, Any] | None = None,
        model: str = "") -> list[Record]:  # fmt: skip
    """A run with three calls inside, which are equal in a loop."""
    inside = [f"{name}-{n}" for n in range(3)]
    used: dict[str, Any] = {"config": {"model": model}, "metrics": {"total_tokens": 9}}
    return [
        call(name, start_time=START + at, children_ids=inside, own=own or {}, duration=10.0),
        *(
            call(each, name, session_name="step", start_time=START + at + 1 + n,
                 inputs={"n": 0 if loops else n}, **(used if model and not n else {}))
            for n, each in enumerate(inside)
        ),
    ]  # fmt: skip


@pytest.fixture
def filled(store: SQLiteStore) -> SQLiteStore:
    store.insert(run("plain", 0, own={"commit": "aaa111", "versions": {"openai": "2.1.0"}}))
    store.insert(run("looping", 1000, loops=True, own={"commit": "bbb222"}, model="gpt-4o"))
    return store


def test_rows_of_list_and_tree_name_what_is_unusual(
    filled: SQLiteStore, http: httpx.Client
) -> None:
    """The run in the list, and the call in the tree and beside it, in words."""
    rows = http.get("/").text.split('<tr class="row"')[1:]
    assert ["is-loop" in row for row in rows] == [True, False]
    assert "the same call 3 times in a row" in rows[0]
    page = http.get("/sessions/looping").text
    marked = [row for row in re.findall(r'<a class="call.*?</a>', page) if "is-loop" in row]
    assert len(marked) == 1
    assert 'href="/sessions/looping-0"' in marked[0]
    detail = http.get("/detail/looping-0").text
    assert re.search(r"Unusual</h2>.*loop</span> the same call 3 times", detail, re.DOTALL)
    assert "Unusual" not in http.get("/detail/looping-1").text


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("mark=any", ["looping"]),
        ("mark=loop", ["looping"]),
        ("mark=slow", []),
        ("mark=loop&scope=calls", ["looping-0", "looping"]),
        ("version=commit=aaa", ["plain"]),
        ("version=commit=bbb&scope=calls", ["looping-2", "looping-1", "looping-0", "looping"]),
        ("version=openai=2.1", ["plain"]),
        ("version=openai=2.2", []),
        ("model=gpt-4o", ["looping"]),
        ("model=other", []),
        ("mark=any&sort=-name", ["looping"]),
    ],
)
def test_conditions_on_marks_code_and_model(
    condition: str, found: list[str], filled: SQLiteStore, http: httpx.Client
) -> None:
    """The list and the exported file hold the sessions that meet them, and no others."""
    page = http.get(f"/?{condition}")
    assert page.status_code == 200
    assert ids(page.text) == found
    exported = http.get(f"/export?{condition.replace('&sort=-name', '')}").text
    assert re.findall(r'"session_id":"([^"]*)"', exported) == found


@pytest.mark.parametrize("condition", ["mark=odd", "version=openai"])
def test_invalid_conditions_are_explained(condition: str, http: httpx.Client) -> None:
    """By the list, which stays usable, and by the export."""
    page = http.get(f"/?{condition}")
    assert page.status_code == 400
    assert 'role="alert"' in page.text
    assert http.get(f"/export?{condition}").status_code == 400


def test_facets_of_what_is_read_from_the_sessions(filled: SQLiteStore, http: httpx.Client) -> None:
    """User, model, marks and versions, each leading to the list."""
    filled.insert([call("who", start_time=START + 2000, user_properties={"email": "ada@x.org"})])
    facets = http.get("/facets").text
    for title, address in [
        ("User", "user=ada%40x.org"),
        ("Model", "model=gpt-4o"),
        ("Unusual", "mark=loop"),
        ("Version", "version=openai%3D2.1.0"),
        ("Version", "version=commit%3Daaa111"),
    ]:
        assert title in facets
        assert address in facets
    assert (
        "1 run" in http.get("/facets?mark=loop").text
        or 'data-count="1"' in http.get("/facets?mark=loop").text
    )


@pytest.mark.parametrize(
    ("by", "name", "calls"), [("commit", "bbb222", 4), ("version", "openai 2.1.0", 4)]
)
def test_the_overview_by_code(
    by: str, name: str, calls: int, filled: SQLiteStore, http: httpx.Client
) -> None:
    """A row for each commit and for each version, with the calls inside, and a link to the list."""
    page = http.get(f"/overview?by={by}").text
    row = next(each for each in page.split("<tr")[1:] if name in each)
    assert f"<td>{calls}</td>" in row
    assert "version=" in row


def test_older_sessions_than_were_looked_at_are_a_page_away(
    store: SQLiteStore, http: httpx.Client
) -> None:
    """A rare condition is tried on some hundred sessions a page, and says so."""
    store.insert(run("looping", 0, loops=True))
    store.insert([call(f"r{n:04}", start_time=START + 10_000 + n) for n in range(350)])
    page = http.get("/?mark=loop").text
    assert ids(page) == []
    assert "of 300 looked at" in page
    older = re.search(r'rel="next" href="([^"]*)"', page)
    assert older is not None
    assert ids(http.get(older[1].replace("&amp;", "&")).text) == ["looping"]
