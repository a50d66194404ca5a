"""The sample that an empty viewer offers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from viewer_site import ids, many

from honeytrace.store import Query
from honeytrace.store.sqlite import SQLiteStore


@pytest.mark.browser
def test_an_empty_viewer_fills_itself(page: Any, store: SQLiteStore) -> None:
    """A click, and there are runs with failures, and an agent whose transcript can be read."""
    from playwright.sync_api import expect

    page.goto("/")
    expect(page.get_by_text("Nothing is recorded here yet")).to_be_visible()
    page.get_by_role("button", name="Load the sample").click()
    page.locator(".row").first.wait_for()
    assert page.locator(".row").count() == 24
    assert page.locator(".row .status.error").count() > 0
    page.get_by_role("link", name="plan_trip", exact=True).first.click()
    page.get_by_role("link", name="Transcript").first.click()
    expect(page.locator(".spoken").first).to_contain_text("You plan trips")
    expect(page.locator(".tool").first).to_contain_text("search_flights(")
    expect(page.locator("img.recorded")).to_have_count(1)
    assert store.count(Query(project="sample", status="error")) > 0


def test_the_sample_is_for_an_empty_store(http: httpx.Client, store: SQLiteStore) -> None:
    """It is not offered elsewhere, and not taken; nor do other sites' pages get it in."""
    foreign = http.post("/sample", headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert store.size().sessions == 0
    assert "Load the sample" in http.get("/").text
    store.insert(many(1))
    assert "Load the sample" not in http.get("/?name=none").text
    refused = http.post("/sample")
    assert refused.status_code == 409
    assert "for a store without sessions" in refused.text
    assert ids(http.get("/").text) == ["s0000"]
