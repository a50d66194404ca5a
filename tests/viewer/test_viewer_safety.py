"""An agent's run, its failures and hostile texts in a real browser, under the pages' policy."""

from __future__ import annotations

from typing import Any

import pytest
from test_viewer_issues import failed
from test_viewer_transcript import SVG, TRAPS
from viewer_fixtures import watched
from viewer_site import HOSTILE, START, agent, call

from honeytrace.store.sqlite import SQLiteStore

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

DRAWING = (
    "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>"
)

ACTING = """() => [...document.querySelectorAll("body *")].flatMap((each) => [
  // The viewer's own script sets the sizes of the tree as custom properties.
  ...[...each.attributes].filter(({ name, value }) =>
    name.startsWith("on") || (name === "style" && !/^(--[a-z]+: [0-9.]+;? ?)+$/.test(value))),
  ...(each.matches("script, iframe, object, embed, svg script, base, form[action^=http]")
    ? [{ name: each.localName, value: "" }] : []),
  ...[...each.attributes].filter(({ name, value }) => /^(xlink:)?href$/.test(name)
    && !/^(https?|mailto):$/.test(new URL(value, location.href).protocol)),
  ...(each.matches("img") && !each.src.startsWith(`${location.origin}/static/`)
    && !/^data:image\\/png;base64,[\\w+/=]+$/.test(each.src)
    ? [{ name: "src", value: each.src }] : []),
]).map(({ name, value }) => `${name}=${value}`)"""
"""Everything in the page that could act or load: handlers, scripts, addresses, foreign images."""

HAPPENED = """() => new Promise((happened) => {
  window.bad = () => happened("it acted");
  addEventListener("securitypolicyviolation", () => happened("stopped"));
  setTimeout(() => happened("nothing stopped it"), 5000);
  ATTEMPT;
})"""
"""What became of an attempt: the policy stopped it, or it called `bad`."""


def test_the_transcript_of_an_agent(page: Any, store: SQLiteStore) -> None:
    """A reader sees the tool call with its answer and duration, the image and rendered markdown."""
    store.insert(agent("Take **TP 669**:\n\n- cheap\n- early"))
    page.goto("/sessions/agent")
    page.locator("[data-transcript]").click()
    said = page.locator(".spoken")
    tool = said.filter(has_text="search_flights").first
    expect(tool).to_contain_text('search_flights(from="AMS", to="LIS")')
    expect(tool).to_contain_text("7.0 ms")
    expect(tool.get_by_role("cell", name="KL 1579")).to_be_visible()
    image = page.locator("img.recorded")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    expect(page.locator(".transcript strong")).to_have_text("TP 669")
    expect(page.locator(".transcript li li")).to_have_text(["cheap", "early"])


def test_from_grouped_errors_to_the_call(page: Any, store: SQLiteStore) -> None:
    """Equal failures are one issue with its count; an example leads to the call with its frame."""
    store.insert([
        *(failed(f"a{n}", f"Timeout: after {n} s", "/app/a.py", start_time=START + n)
          for n in range(3)),
        failed("b", "KeyError: x", "/app/b.py", start_time=START + 9),
    ])  # fmt: skip
    page.goto("/")
    page.get_by_role("link", name="Issues").click()
    issues = page.locator(".issue")
    expect(issues).to_have_count(2)
    grouped = issues.filter(has_text="Timeout")
    expect(grouped.locator(".times")).to_have_text("3 times")
    expect(grouped.locator(".issue-place")).to_have_text("/app/a.py:3 in f")
    grouped.locator(".examples a").first.click()
    page.wait_for_url("**/sessions/a2")
    expect(page.locator(".failure")).to_contain_text("Timeout: after 2 s")


def test_hostile_texts_do_nothing(page: Any, store: SQLiteStore) -> None:
    """Markdown, HTML and drawings show and do nothing, wherever they were recorded."""
    texts = [*TRAPS, DRAWING, f"![a](data:image/svg+xml,{DRAWING})", HOSTILE]
    store.insert(agent("**so**\n\n" + "\n\n".join(texts)))
    images = [{"type": "image_url", "image_url": {"url": url}} for url in (SVG, DRAWING)]
    store.insert([call("drawn", inputs={"messages": [{"role": "user", "content": images}]},
                       outputs={"image": SVG, "svg": DRAWING}, error=DRAWING)])  # fmt: skip
    for address in (
        *("/transcript/agent", "/transcript/agent?raw=1", "/sessions/m2", "/transcript/drawn"),
        *("/sessions/drawn", "/issues", "/?q=alert"),
    ):
        page.goto(address)
        expect(page.locator("body")).not_to_be_empty()
        assert page.evaluate(ACTING) == [], address
    page.goto("/raw/drawn")
    assert page.evaluate("document.contentType") == "text/plain"


@pytest.mark.parametrize(
    "attempt",
    [
        "document.body.append(Object.assign(document.createElement('script'), { text: 'bad()' }))",
        "document.body.insertAdjacentHTML('beforeend', '<img src=/x onerror=bad()>')",
        "document.body.insertAdjacentHTML('beforeend', '<img src=https://evil.example/x.png>')",
        "document.body.insertAdjacentHTML('beforeend', '<p style=color:red>')",
        "document.body.insertAdjacentHTML('beforeend', '<iframe src=/></iframe>')",
        "fetch('https://evil.example/')",
        "Object.assign(document.createElement('a'), { href: 'javascript:bad()' }).click()",
    ],
)
def test_the_policy_is_in_force_and_watched(
    attempt: str, chromium: Any, url: str, store: SQLiteStore
) -> None:
    """If a text did get through, the policy would stop it, and these tests would fail."""
    with watched(chromium, url) as (page, wrong):
        page.goto("/")
        assert wrong == []
        happened = page.evaluate(HAPPENED.replace("ATTEMPT", attempt))
        assert happened == "stopped"
        # The console's line comes after the event; another answer of the page comes after both.
        page.evaluate("1")
        assert wrong != []
