"""What a reader does with the pages, in headless Chromium: every filter, every kind of value."""

from __future__ import annotations

import re
from typing import Any

import pytest
from viewer_site import START, call, many, pipeline

from honeytrace.store.sqlite import SQLiteStore

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

FILTERS: list[tuple[str, str, dict[str, Any]]] = [
    ("project", "search", {"project": "search"}),
    ("name", "plan", {"session_name": "plan"}),
    ("source", "prod", {"source": "prod"}),
    ("status", "error", {"error": "E"}),
    ("since", "2024-01-01", {"start_time": 1.75e12}),
    ("until", "2023-01-01", {"start_time": 1.6e12}),
    ("min", "2s", {"duration": 2500.0}),
    ("max", "1ms", {"duration": 0.5}),
    ("metric", "score<0.5", {"metrics": {"score": 0.25}}),
    ("user", "ada@example.com", {"user_properties": {"email": "ada@example.com"}}),
]


@pytest.mark.parametrize(("parameter", "value", "wanted"), FILTERS)
def test_every_filter(
    parameter: str, value: str, wanted: dict[str, Any], page: Any, store: SQLiteStore
) -> None:
    """Chosen or typed in the form, it leaves the one session that meets it, stands in the address
    and above the list, and goes again by its cross."""
    store.insert([*many(3, metrics={"score": 0.5}), call("wanted", **wanted)])
    page.goto("/")
    page.keyboard.press("f")
    field = page.locator(f".filters [name={parameter}]")
    if parameter in ("project", "source", "status"):
        field.select_option(value)
    else:
        field.fill(value)
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".row")).to_have_count(1)
    expect(page.locator(".row")).to_have_attribute("data-id", "wanted")
    asked = page.evaluate("() => Object.fromEntries(new URLSearchParams(location.search))")
    assert asked == {parameter: value}
    page.get_by_role("link", name=f"Remove the condition {parameter}").click()
    expect(page.locator(".row")).to_have_count(4)


def test_conditions_that_mean_nothing_are_told(page: Any) -> None:
    """With the form open where they were typed; the browser is not left alone with an error."""
    # the page's own 400 stands in the console
    page.context.new_page().goto("/?min=soon")
    shown = page.context.pages[-1]
    expect(shown.get_by_role("alert")).to_contain_text("reads like 250ms")
    expect(shown.get_by_label("Duration from")).to_have_value("soon")
    expect(shown.get_by_role("button", name="Apply")).to_be_visible()


def test_pages_of_a_search(page: Any, store: SQLiteStore) -> None:
    """To the older ones, to the newest again, and back by the browser; conditions stay."""
    store.insert(many(120, outputs={"result": "fifty words"}))
    page.goto("/")
    page.get_by_role("searchbox").fill("fifty wor")
    page.keyboard.press("Enter")
    expect(page.locator(".row")).to_have_count(50)
    expect(page.locator(".row").first).to_have_attribute("data-id", "s0119")
    for first, count in (("s0069", 50), ("s0019", 20)):
        page.get_by_role("link", name="Older").click()
        expect(page.locator(".row").first).to_have_attribute("data-id", first)
        expect(page.locator(".row")).to_have_count(count)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    expect(page.get_by_role("searchbox")).to_have_value("fifty wor")
    page.go_back()
    expect(page.locator(".row").first).to_have_attribute("data-id", "s0069")
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(".row").first).to_have_attribute("data-id", "s0119")


def test_values_fold_and_unfold_and_are_whole_when_raw(page: Any, store: SQLiteStore) -> None:
    """Long text, nested JSON; the value as it was recorded is a click away, and another back."""
    deep = {"plan": {"steps": [{"tool": "search", "args": {"k": 4}}]}, "rows": list(range(40))}
    store.insert([call("s", inputs={"text": "long " * 400 + "end"}, outputs=deep)])
    page.goto("/sessions/s")
    inputs, outputs = page.locator(".detail section").nth(0), page.locator(".detail section").nth(1)
    end = inputs.get_by_text("long end")
    expect(end).to_be_hidden()
    inputs.locator("summary", has_text="all 2,003 characters").click()
    expect(end).to_be_visible()
    inputs.locator("summary").click()
    expect(end).to_be_hidden()
    rows = outputs.locator("summary", has_text="[ 40 ]")
    expect(outputs.locator(".leaf", has_text="39")).to_be_hidden()
    rows.click()
    expect(outputs.locator(".leaf", has_text="39")).to_be_visible()
    raw = outputs.get_by_role("link", name="Raw")
    raw.click()
    expect(outputs.locator(".rawtext")).to_contain_text('"tool": "search"')
    expect(rows).to_be_hidden()
    raw.click()
    expect(rows).to_be_visible()
    expect(outputs.locator(".rawtext")).to_have_count(0)


def test_a_session_shows_all_that_was_recorded(page: Any, store: SQLiteStore) -> None:
    """Error with traceback, metrics, user, config, metadata; documents as cards, chat as turns."""
    store.insert(pipeline())
    page.goto("/sessions/root")
    expect(page.locator(".metrics")).to_contain_text("faithfulness")
    for said in ("0.9", "ada@example.com", "small", "release"):
        expect(page.locator("#pane")).to_contain_text(said)
    page.get_by_role("treeitem", name="retrieve").click()
    card = page.locator(".cards li")
    expect(card).to_contain_text("A passage about keys.")
    expect(card.get_by_title("score")).to_have_text("0.91")
    page.get_by_role("treeitem", name="generate").click()
    expect(page.locator(".failure pre").first).to_contain_text('File "a.py", line 1')
    expect(page.locator(".turn.system")).to_contain_text("Be brief.")
    expect(page.locator(".turn.user .prose")).to_have_text("why?")


def test_two_runs_are_compared(page: Any, store: SQLiteStore) -> None:
    """From a session by way of the candidates; only the differences; and the other way round."""
    store.insert([*pipeline(), call("other", outputs={"result": "another"}, duration=200.0)])
    page.goto("/sessions/root")
    page.get_by_role("link", name="Compare…").click()
    page.locator(".candidates a").first.click()
    expect(page).to_have_url(re.compile(r"\?a=root&b=other$"))
    expect(page.locator(".pair.removed")).to_have_count(2)
    expect(page.locator(".changes")).to_contain_text("another")
    expect(page.locator("tr.pair .slower")).to_have_text("2.0 times")
    page.get_by_role("link", name="Swap").click()
    expect(page.locator(".pair.added")).to_have_count(2)
    page.goto("/compare?a=root&b=root")
    expect(page.locator(".pair.same:visible")).to_have_count(3)
    page.get_by_label("only differences").check()
    expect(page.locator(".pair.same:visible")).to_have_count(0)


def test_the_overview_leads_to_sessions(page: Any, store: SQLiteStore) -> None:
    """To one name's charts, to what failed of it, to the slowest; and a period without any."""
    store.insert([*pipeline(), *many(5)])
    page.goto("/overview")
    expect(page.get_by_role("group", name="Calls over time")).to_be_visible()
    expect(page.locator("figure")).to_have_count(3)
    page.get_by_role("link", name="generate").click()
    expect(page.locator(".total")).to_contain_text("1 calls, 1 failed")
    page.get_by_role("row", name="generate").get_by_role("link", name="1", exact=True).click()
    expect(page.locator(".row")).to_have_attribute("data-id", "generate")
    page.goto("/overview")
    page.get_by_role("link", name="100.0 ms", exact=True).click()
    expect(page).to_have_url(re.compile("/sessions/root$"))
    page.goto("/overview")
    page.get_by_role("link", name="hour").click()
    expect(page.get_by_text("Nothing was recorded in this period")).to_be_visible()


def test_what_still_runs_is_shown_as_running(page: Any, store: SQLiteStore) -> None:
    """A run of another client that was announced and has not ended: in the list, in its tree to
    the end of the timeline; and its end shows."""
    running = call("run", children_ids=["done"])
    store.insert([running._replace(status="running", end_time=None, duration=None)])
    store.insert([call("done", "run", start_time=START + 5, duration=50.0)])
    page.goto("/")
    expect(page.locator(".row .took .running-for")).to_have_text(re.compile(r"\d+ h"))
    page.locator(".row a").click()
    expect(page.get_by_role("treeitem")).to_have_count(2)
    bars = [bar.bounding_box()["width"] for bar in page.locator(".call rect").all()]
    assert bars[0] > bars[1] >= 0
    store.insert([running._replace(duration=100.0, end_time=int(START + 100))])
    expect(page.locator(".run .number")).to_have_text("100.0 ms")
    expect(page.locator(".call.running")).to_have_count(0)
