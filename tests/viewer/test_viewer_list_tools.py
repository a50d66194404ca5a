"""The list as a tool: counting, sorting, hits, export and comparison of what is chosen."""

from __future__ import annotations

import re
from typing import Any

import httpx
import orjson
import pytest
from viewer_site import START, call, ids, many

from honeytrace.server.viewer._summary import gist
from honeytrace.store.sqlite import SQLiteStore


def said(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_list_says_how_many_there_are(http: httpx.Client, store: SQLiteStore) -> None:
    """Of what meets the conditions, beyond the page."""
    store.insert([*many(70), call("other", session_name="other")])
    assert "71 runs" in said(http.get("/").text)
    assert "1 run " in said(http.get("/?name=other").text)


def test_the_longest_first(http: httpx.Client, store: SQLiteStore) -> None:
    """Of the newest, and the page says so."""
    store.insert([call(f"s{n}", start_time=START + n, duration=float(n * 7 % 5)) for n in range(5)])
    page = http.get("/?sort=took").text
    assert ids(page) == ["s2", "s4", "s1", "s3", "s0"]
    assert "the longest of the newest 5" in said(page)


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
