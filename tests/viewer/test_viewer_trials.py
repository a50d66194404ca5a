"""The viewer while things go wrong around it, in headless Chromium."""

from __future__ import annotations

from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from viewer_site import START, call, many, pipeline, serving

from honeytrace._record.record import Update
from honeytrace.store.sqlite import SQLiteStore

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

LIVE = "body[data-live='on']"


def test_a_chain_of_500_calls(page: Any, store: SQLiteStore) -> None:
    """Each inside the one before: every name can be read, and the way leads down and up."""
    chain = [
        call(f"c{n}", f"c{n - 1}" if n else None, "c0" if n else None, session_name=f"level {n}",
             start_time=START + n, duration=2000.0 - 2 * n, children_ids=[f"c{n + 1}"])
        for n in range(500)
    ]  # fmt: skip
    store.insert(chain)
    page.goto("/sessions/c499")
    expect(page.locator("h1")).to_have_text("level 499")
    last = page.locator(".call").last
    expect(last).to_be_in_viewport()
    name, bar = (last.locator(each).bounding_box() for each in ("bdi", "svg"))
    assert name["x"] + 40 < bar["x"]
    page.keyboard.press("u")
    expect(page.locator("h1")).to_have_text("level 498")
    page.locator(".call").first.click()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".call:visible")).to_have_count(1)


def test_back_and_forth(page: Any, store: SQLiteStore) -> None:
    """The browser's buttons go through the calls that were looked at, to the list as it was."""
    store.insert([*pipeline(), *many(3, session_name="other")])
    page.goto("/?name=answer")
    page.locator(".row a").first.click()
    page.get_by_role("treeitem", name="retrieve").click()
    expect(page.locator("h1")).to_have_text("retrieve")
    page.get_by_role("treeitem", name="generate").click()
    expect(page.locator("h1")).to_have_text("generate")
    for seen in ("retrieve", "answer"):
        page.go_back()
        expect(page.locator("h1")).to_have_text(seen)
        expect(page.locator("[aria-selected=true]")).to_contain_text(seen)
    page.go_back()
    expect(page.locator(".row")).to_have_count(1)
    page.go_forward()
    page.go_forward()
    expect(page.locator("h1")).to_have_text("retrieve")
    page.reload()
    expect(page.locator("h1")).to_have_text("retrieve")


def test_two_tabs(page: Any, store: SQLiteStore) -> None:
    """What is said in one shows in the other, which was out of sight meanwhile."""
    store.insert(many(2))
    page.goto("/")
    page.wait_for_selector(LIVE, state="attached")
    other = page.context.new_page()
    other.goto("/sessions/s0000")
    other.get_by_label("Comment").fill("wrong")
    other.get_by_label("1", exact=True).check()
    other.get_by_role("button", name="Save").click()
    expect(other.locator(".given")).to_contain_text("wrong")
    page.bring_to_front()
    expect(page.locator("[data-id=s0000] .rating")).to_have_text("★ 1")


def test_reloading_while_sessions_arrive(page: Any, store: SQLiteStore) -> None:
    """Each is there once, whether it came with the page or by the stream."""
    page.goto("/")
    for n in range(5):
        store.insert([call(f"before{n}", start_time=START + 2 * n)])
        page.reload()
        store.insert([call(f"after{n}", start_time=START + 2 * n + 1)])
        expect(page.locator(".row")).to_have_count(2 * n + 2)
    ids = page.locator(".row").evaluate_all("rows => rows.map((row) => row.dataset.id)")
    assert ids == [f"{when}{n}" for n in reversed(range(5)) for when in ("after", "before")]


def test_a_flood_is_told(page: Any, store: SQLiteStore) -> None:
    """A process that writes faster than anyone reads: the page says so, and is current again by a
    click; until then it stays as it was."""
    store.insert([call("first")])
    page.goto("/")
    page.wait_for_selector(LIVE, state="attached")
    with closing(SQLiteStore(store.path)) as other:
        other.insert(many(300))
    notice = page.get_by_role("button", name="Many more arrived: reload")
    notice.click()
    expect(page.locator(".row")).to_have_count(50)
    expect(page.locator(".row").first).to_have_attribute("data-id", "s0299")


def test_the_store_is_deleted_under_it(page: Any, store: SQLiteStore) -> None:
    """A new one takes its place: what arrives there is shown, and what is gone is said to be."""
    store.insert(many(2))
    page.goto("/")
    page.wait_for_selector(LIVE, state="attached")
    for path in store.path.parent.glob("*.db*"):
        path.unlink()
    store.insert([call("anew", start_time=START + 1e6)])
    page.reload()
    expect(page.locator(".row")).to_have_count(1)
    store.insert([call("next", start_time=START + 2e6)])
    expect(page.locator(".row")).to_have_count(2)
    shown = page.context.new_page()  # its 404 stands in the console
    shown.goto("/sessions/s0000")
    expect(shown.locator("h1")).to_have_text("Session not found")


def test_a_server_that_restarts(chromium: Any, store: SQLiteStore) -> None:
    """An open page goes on by itself when the server is back, and misses nothing of the meanwhile;
    what is asked for while it is away is said not to have been shown."""
    store.insert([*pipeline(), *many(1)])
    context = chromium.new_context()
    page, session = context.new_page(), context.new_page()
    with serving(store) as url:
        session.goto(f"{url}/sessions/root")
        page.goto(url)
        page.wait_for_selector(LIVE, state="attached")
    page.wait_for_selector("body[data-live='off']", state="attached")
    session.get_by_role("treeitem", name="retrieve").click()
    expect(session.locator("#said.shown")).to_contain_text("Not shown")
    expect(session.locator("h1")).to_have_text("answer")
    store.insert([call("meanwhile", start_time=START + 1e6)])
    store.update([Update("s0000", {"feedback": b'{"rating": 3}'})])
    port = urlsplit(url).port
    assert port is not None
    with serving(store, port=port):
        expect(page.locator("[data-id=meanwhile]")).to_be_visible(timeout=20_000)
        expect(page.locator("[data-id=s0000] .rating")).to_have_text("★ 3")
        session.get_by_role("treeitem", name="generate").click()
        expect(session.locator("h1")).to_have_text("generate")
        context.close()


def test_a_text_of_megabytes(page: Any, store: SQLiteStore) -> None:
    """Five of them, with what turns text around: the page stays light, the raw value is whole."""
    text = "\u202e" + "x" * 5_000_000 + "the end"
    store.insert([call("s", inputs={"text": text}, outputs={"text": text})])
    page.goto("/")
    expect(page.locator(".row")).to_have_count(1)
    page.locator(".row a").click()
    expect(page.locator(".detail")).to_contain_text("first 20,000 of 5,000,008 characters")
    assert page.evaluate("document.documentElement.outerHTML.length") < 200_000
    assert "\u202e" not in page.content()
    page.get_by_role("link", name="Raw").first.click()
    page.wait_for_url("**/raw/s?field=inputs")
    said = page.locator("body").inner_text()
    assert "the end" in said
    assert "\u202e" not in said
