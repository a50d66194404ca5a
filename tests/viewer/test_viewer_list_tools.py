"""The list as a tool: counting, sorting, hits, export and comparison of what is chosen."""

from __future__ import annotations

import re
from typing import Any

import httpx
import orjson
import pytest
from viewer_site import START, agent, call, ids, many

from honeytrace.server.viewer import _list
from honeytrace.server.viewer._summary import gist
from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore


def said(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_list_says_how_many_there_are(http: httpx.Client, store: SQLiteStore) -> None:
    """Of what meets the conditions, beyond the page."""
    store.insert([*many(70), call("other", session_name="other")])
    assert "71 runs" in said(http.get("/").text)
    assert "1 run " in said(http.get("/?name=other").text)


def test_more_than_are_counted(
    http: httpx.Client, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says so at once; the figures that follow it know the number."""
    monkeypatch.setattr(_list, "_COUNTED", 60)
    store.insert(many(70))
    assert "more than 60 runs" in said(http.get("/").text)
    assert 'data-count="70"' in http.get("/facets").text


def test_a_page_that_is_not_full_is_counted_by_itself(
    http: httpx.Client, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store counts only what goes beyond the page; older pages still tell of all."""
    counted: list[Query] = []
    count = SQLiteStore.count

    def counting(store: SQLiteStore, query: Query, most: int | None = None) -> int:
        counted.append(query)
        return count(store, query, most)

    monkeypatch.setattr(SQLiteStore, "count", counting)
    store.insert(many(60))
    older = re.search(r'href="(/\?before=[^"]+)"', http.get("/").text)
    assert len(counted) == 1
    assert older is not None
    assert "60 runs" in said(http.get(older[1]).text)
    assert "0 runs" in said(http.get("/?name=none").text)
    assert len(counted) == 2


def test_the_longest_first_or_last(http: httpx.Client, store: SQLiteStore) -> None:
    """By the head of its column: the longest first, then the shortest, then as they began."""
    store.insert([call(f"s{n}", start_time=START + n, duration=float(n * 7 % 5)) for n in range(5)])
    store.insert([call("open", start_time=START + 9)._replace(duration=None, end_time=None)])
    page = http.get("/?sort=took").text
    assert ids(page) == ["s2", "s4", "s1", "s3", "s0"]
    assert 'aria-sort="descending"><a href="/?sort=-took"' in page
    page = http.get("/?sort=-took").text
    assert ids(page) == ["s0", "s3", "s1", "s4", "s2", "open"]
    assert 'aria-sort="ascending"><a href="/"' in page


def test_the_longest_are_those_of_all(
    http: httpx.Client, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beyond the sessions that other columns are sorted among, which the page tells of."""
    monkeypatch.setattr(_list, "_SORTED", 3)
    store.insert([call("slow", duration=9e6), *many(5, duration=1.0)])
    assert ids(http.get("/?sort=took").text)[0] == "slow"
    page = http.get("/?sort=name").text
    assert len(ids(page)) == 3
    assert "the newest 3 sorted" in said(page)


def test_a_sorted_list_has_pages(http: httpx.Client, store: SQLiteStore) -> None:
    """Each session is on one of them."""
    store.insert([call(f"s{n:03}", start_time=START + n, duration=float(n)) for n in range(120)])
    for sort in ("took", "name"):
        found, address = [], f"/?sort={sort}"
        while address:
            page = http.get(address).text
            found += ids(page)
            older = re.search(r'rel="next" href="([^"]+)"', page)
            address = older[1].replace("&amp;", "&") if older else ""
        assert len(set(found)) == len(found) == 120


def test_columns_are_chosen(http: httpx.Client, store: SQLiteStore) -> None:
    """The usual ones, others, and any recorded value; sorting by one puts numbers in order."""
    store.insert([
        call("a", metrics={"score": 0.5}, metadata={"release": "7", "a.b": {"c": [1]}}),
        call("b", start_time=START + 1, metrics={"score": 12}),
        call("c", start_time=START + 2),
    ])  # fmt: skip
    page = http.get("/?cols=metrics.score,metadata.a.b.c&cols=id,status&sort=metrics.score").text
    assert ids(page) == ["b", "a", "c"]
    row = said(page[page.index('data-id="a"') : page.index('data-id="c"')])
    assert "answer 0.5 [1] a ok" in row
    assert "Input → output" not in said(page[page.index("<thead>") : page.index("<tbody")])


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("cols=nonsense", "is not a column: the columns are io,"),
        ("cols=secrets.x", "metrics.score or metadata.release"),
        ("cols=" + ",".join(f"metrics.m{n}" for n in range(13)), "at most 12 columns"),
        ("sort=io", "cannot be sorted by io"),
        ("sort=-", "is not a column"),
    ],
)
def test_columns_that_do_not_exist(http: httpx.Client, query: str, problem: str) -> None:
    """The page names the cure."""
    reply = http.get(f"/?{query}")
    assert reply.status_code == 400
    assert problem in reply.text.replace("&#39;", "'")
    if query.startswith("cols"):
        assert http.get(f"/live?{query}").status_code == 400


def test_a_session_sorted_by_what_it_cost(http: httpx.Client, store: SQLiteStore) -> None:
    """The calls inside count; those that cost nothing known come last."""
    store.insert([*agent(), call("free", start_time=START + 99)])
    assert ids(http.get("/?sort=tokens&cols=tokens").text) == ["agent", "free"]
    assert ids(http.get("/?sort=-cost&cols=cost").text)[-1] == "free"


def test_facets_count_what_matches(http: httpx.Client, store: SQLiteStore) -> None:
    """Each value leads to the list of its sessions, and a chosen one back."""
    store.insert([
        *many(4, source="prod"),
        *[call(f"b{n}", session_name="b", error="E: x") for n in range(2)],
    ])  # fmt: skip
    page = http.get("/facets").text
    assert re.search(r'href="/\?name=b"><bdi>b</bdi><span class="number">2<', page)
    assert re.search(r'href="/\?status=error"><bdi>error</bdi><span class="number">2<', page)
    assert "6 calls" not in said(page)
    chosen = http.get("/facets?name=b").text
    assert re.search(r'href="/" aria-current="true"><bdi>b</bdi>', chosen)
    assert "prod" not in said(chosen)
    assert http.get("/facets?since=nonsense").status_code == 400


def test_a_named_view_is_in_its_address(http: httpx.Client) -> None:
    """The name stays on its pages, and goes where a condition is changed."""
    page = http.get("/?view=Slow+<b>&min=2s&sort=took").text
    assert "<title>Slow &lt;b&gt; · honeytrace</title>" in page
    changed = re.search(r'href="([^"]*)" aria-label="Remove the condition min"', page)
    assert changed is not None
    assert changed[1] == "/?sort=took"


def test_a_search_shows_its_hits(http: httpx.Client, store: SQLiteStore) -> None:
    """The words around them, marked, whatever else the texts hold."""
    text = "x " * 200 + "the Amber <room> is \\n lost" + " y" * 200
    store.insert([call("s", outputs={"result": text})])
    page = http.get("/?q=amber").text
    assert re.search(r"…[x ]+the <mark>Amber</mark> &lt;room&gt; is", page)


def test_export_of_what_is_chosen_and_of_what_meets_conditions(
    http: httpx.Client, store: SQLiteStore
) -> None:
    """JSON lines, as the payloads of the API have them."""
    store.insert([*many(250), call("other", session_name="other", start_time=START - 1)])
    chosen = http.get("/export?id=s0001&id=s0003&id=nothing")
    assert "attachment" in chosen.headers["content-disposition"]
    lines = [orjson.loads(line) for line in chosen.text.splitlines()]
    assert [each["session_id"] for each in lines] == ["s0001", "s0003"]
    assert len(http.get("/export").text.splitlines()) == 251
    assert len(http.get("/export?name=other").text.splitlines()) == 1
    assert http.get("/export?since=nonsense").status_code == 400


@pytest.mark.browser
def test_two_chosen_rows_are_compared(page: Any, store: SQLiteStore) -> None:
    """By their checkboxes: the older one is the one before."""
    store.insert(
        [call("old"), call("new", start_time=START + 1000, inputs={"question": "why not?"})]
    )
    page.goto("/")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/compare?id=new&id=old")
    assert page.locator("del").inner_text().endswith("why?")
    assert page.locator("ins mark").all_inner_texts() == [" not"]


@pytest.mark.browser
def test_a_stretch_of_the_histogram_is_the_period(page: Any, store: SQLiteStore) -> None:
    """Marked above the list; the facets beside it lead on; the columns stay."""
    store.insert([*many(100), *[call(f"b{n}", session_name="b") for n in range(3)]])
    page.set_viewport_size({"width": 1440, "height": 800})
    page.goto("/?cols=took")
    box = page.locator("svg[data-brush]").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, y, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile(r"/\?cols=took&since=.*until="))
    assert 35 < page.locator(".row").count() < 45
    page.goto("/?cols=took")
    page.locator(".facet a", has_text="b").last.click()
    page.wait_for_url("**/?name=b&cols=took")
    assert page.locator(".row").count() == 3


@pytest.mark.browser
def test_columns_and_views_by_their_menus(page: Any, store: SQLiteStore) -> None:
    """A view that was saved under a name is in the menu later, and can be forgotten."""
    store.insert(many(3, metrics={"score": 0.25}))
    page.goto("/?name=answer")
    page.get_by_text("Columns", exact=True).click()
    page.locator("#columns").get_by_label("Project").uncheck()
    page.get_by_label("Recorded values").fill("metrics.score")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/?name=answer&cols=io%2Cusage%2Ctook%2Cstarted%2Cmetrics.score")
    assert page.locator(".row").first.inner_text().endswith("0.25")
    page.get_by_text("Views", exact=True).click()
    page.get_by_label("Save this view as").fill("Scores")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile("view=Scores"))
    assert page.locator(".view-name").inner_text() == "Scores"
    page.goto("/")
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("link", name="Scores").click()
    page.wait_for_url(re.compile("name=answer.*view=Scores"))
    page.get_by_text("Views", exact=True).click()
    page.get_by_role("button", name="Forget the view Scores").click()
    assert page.get_by_role("link", name="Scores").count() == 0


def test_equal_runs_are_called_equal(http: httpx.Client, store: SQLiteStore) -> None:
    """Their durations stay on the page, and made-up ids do not count."""
    for run in "ab":
        reply = {"id": f"chatcmpl-{run}", "created": ord(run), "text": "same"}
        children = [f"{run}{n}" for n in range(45)]
        store.insert([
            call(run, children_ids=children, outputs=reply),
            *(call(child, run, start_time=START + 1) for child in children),
        ])  # fmt: skip
    page = http.get("/compare?a=a&b=b").text
    assert "The two runs are equal." in page
    assert 'id="only" checked' not in page
    assert page.count('class="pair same"') == 46


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"id": "chatcmpl-1", "choices": [{"index": 0, "message": {
            "role": "assistant", "content": "Paris."}}]}, "Paris."),
        ({"type": "message", "role": "assistant",
          "content": [{"type": "text", "text": "Paris."}]}, "Paris."),
        ({"role": "assistant", "content": None, "tool_calls": [
            {"id": "c", "function": {"name": "f", "arguments": '{"a": 1}'}}]}, "▸ f(a=1)"),
        ({"messages": [{"role": "user", "content": "hi"},
                       {"role": "tool", "content": "42"}]}, "hi"),
    ],
)  # fmt: skip
def test_the_gist_of_a_conversation(value: dict[str, Any], text: str) -> None:
    """What the model said or asked for, or else what the user said."""
    assert gist(orjson.dumps(value)) == text
