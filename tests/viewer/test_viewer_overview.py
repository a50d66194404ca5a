"""The overview: figures of the whole period, divided, marked with a brush, and leading to lists."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
import pytest
from viewer_site import START, agent, call, ids, many

from honeytrace.server.viewer import _facets, _overview
from honeytrace.store.sqlite import SQLiteStore

HOUR = 3_600_000.0


def said(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def month(count: int = 300) -> list[Any]:
    """A call every two hours and a bit, for a month."""
    return [
        call(f"s{n:04}", start_time=START + n * 2.4 * HOUR, duration=100.0 + n,
             **({"error": "E: bad"} if n % 10 == 0 else {}))
        for n in range(count)
    ]  # fmt: skip


def test_the_figures_are_those_of_the_whole_period(
    http: httpx.Client, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of more sessions than are read one by one, and after an update and a deletion."""
    monkeypatch.setattr(_overview, "_NEWEST", 50)
    store.insert(month())
    assert "300 calls, 30 failed (10.0 %)" in said(http.get("/overview").text)
    store.insert([call("more", start_time=START + HOUR)])
    assert "301 calls, 30 failed" in said(http.get("/overview").text)
    store.delete(before=START + 24 * HOUR)
    assert "290 calls, 29 failed" in said(http.get("/overview").text)
    since = "2023-11-20T00:00:00.000Z"
    assert "only the newest" not in http.get("/overview", params={"since": since}).text


def test_conditions_that_the_sums_do_not_know_say_what_they_count(
    http: httpx.Client, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The headline names the period that was read."""
    monkeypatch.setattr(_overview, "_NEWEST", 50)
    store.insert(month())
    page = said(http.get("/overview?source=test").text)
    assert "50 calls" in page
    assert "only the newest 50" in page


def test_a_chosen_period_has_a_chip(http: httpx.Client, store: SQLiteStore) -> None:
    """It can be removed, whether it was marked or typed."""
    store.insert(month())
    page = http.get("/overview?since=15d&until=2023-12-01T00:00:00.000Z").text
    assert 'aria-label="Remove the condition since"' in page
    assert 'aria-label="Remove the condition until"' in page


def test_tokens_by_name_model_and_user(http: httpx.Client, store: SQLiteStore) -> None:
    """Each division has its table, with tokens."""
    store.insert(agent())
    page = http.get("/overview").text
    assert "200 tokens" in said(page)
    assert re.search(r"chat_completion.*?<td>200</td>", page, re.DOTALL)
    model = said(http.get("/overview?by=model").text)
    assert "Model Calls Tokens Cost gpt-4o 2 200" in model
    user = http.get("/overview?by=user").text
    assert 'href="/?scope=calls&amp;user=ada"' in user
    assert "4 calls" in said(user)


def test_nobody_told_of_users_or_tokens(http: httpx.Client, store: SQLiteStore) -> None:
    """The tables say so."""
    store.insert(many(3))
    assert "names a user" in http.get("/overview?by=user").text
    assert "recorded its tokens" in http.get("/overview?by=model").text


def test_a_bar_leads_to_the_sessions_it_stands_for(http: httpx.Client, store: SQLiteStore) -> None:
    """The list has as many as the bar says."""
    store.insert(month(40))
    page = http.get("/overview").text
    address, count = re.findall(
        r'<a href="([^"]+)" tabindex="-1" aria-label="(\d+) calls', page)[3]  # fmt: skip
    assert len(ids(http.get(address.replace("&amp;", "&")).text)) == int(count)


def test_one_burst_does_not_flatten_the_chart(http: httpx.Client, store: SQLiteStore) -> None:
    """Its scale is logarithmic then, and says so."""
    store.insert([*month(40), *(call(f"burst{n}", start_time=START + n) for n in range(500))])
    assert "Calls, logarithmic" in http.get("/overview").text


@pytest.mark.browser
def test_a_month_in_a_browser(
    page: Any, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures of the month are those of the month, also when they come from the sums: by name,
    model and user, and on the list's histogram; every page shows something."""
    from playwright.sync_api import expect

    for module in (_overview, _facets):
        monkeypatch.setattr(module, "_NEWEST", 500)
    start = time.time() * 1000 - 29.9 * 24 * HOUR
    store.insert([
        call(f"m{n:04}", start_time=start + n * 0.35 * HOUR, duration=10.0 + n % 90,
             session_name=f"step {n % 3}", user_properties={"user_id": f"u{n % 7}"},
             config={"model": "gpt-4o"}, metrics={"total_tokens": 5},
             **({"error": "E: bad"} if n % 20 == 0 else {}))
        for n in range(2_000)
    ])  # fmt: skip
    store.index()
    for address in ("/overview?since=30d", "/overview", "/overview?since=30d&by=user"):
        page.goto(address)
        expect(page.locator(".total")).to_contain_text("2,000 calls, 100 failed (5.0 %)")
        expect(page.locator(".total")).to_contain_text("10k tokens")
        assert page.locator("svg[data-brush] a").count() > 30
    expect(page.locator(".figures tbody tr")).to_have_count(7)
    page.goto("/overview?by=model")
    expect(page.locator(".figures tbody tr")).to_contain_text("gpt-4o")
    page.goto("/?since=30d")
    expect(page.locator("#count")).to_have_text("2,000 runs")
    bars = page.locator(".histogram a[aria-label]")
    expect(bars.first).to_be_visible()
    told = [
        int(each.split()[0]) for each in bars.evaluate_all("all => all.map((a) => a.ariaLabel)")
    ]
    assert sum(told) >= 2_000
    for address in ("/issues", "/conversations?by=user", "/compare", "/?sort=took"):
        page.goto(address)
        expect(page.locator("main")).to_contain_text(re.compile(r"\w"))


@pytest.mark.browser
def test_a_stretch_marked_with_the_brush_is_the_period(page: Any, store: SQLiteStore) -> None:
    """The middle half of a chart; then a bar of what is left leads to its list."""
    store.insert(month(200))
    page.goto("/overview")
    box = page.locator("svg[data-brush]").first.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, y, steps=4)
    assert page.locator("rect.brush").count() == 1
    page.mouse.move(box["x"] + box["width"] * 0.75, y, steps=4)
    page.mouse.up()
    page.wait_for_url("**/overview?*since=*until=*")
    calls = int(page.locator(".total strong").first.inner_text())
    assert 80 < calls < 120
    bar = page.locator("svg[data-brush] a").nth(5)
    count = int(bar.get_attribute("aria-label").split()[0])
    bar.click()
    page.wait_for_url(re.compile(r"/\?"))
    assert page.locator(".row").count() == count
