"""Every page for everybody: axe finds nothing, nothing scrolls sideways, nothing is too small."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from test_viewer_replays import a_set
from viewer_site import START, agent, call, pipeline, serving

from honeytrace.store.sqlite import SQLiteStore

pytestmark = pytest.mark.browser

PAGES = ["/", "/?q=why&scope=calls", "/?cols=io,user,tokens,metrics.faithfulness&sort=-took&view=V",
         "/facets", "/conversations",  "/?scope=calls&status=error&since=nonsense",
         "/sessions/root", "/sessions/s0", "/sessions/generate", "/sessions/m1",
         "/transcript/agent", "/overview", "/overview?by=model", "/overview?by=commit", "/running",
         "/?mark=any", "/issues", "/replays/set", "/compare",
         "/compare?a=root&b=other"]  # fmt: skip
WIDTHS = (390, 768, 1100, 1440)
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced": {"forced_colors": "active"},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = SQLiteStore(tmp_path_factory.mktemp("accessible") / "sessions.db")
    traceback = (
        'Traceback (most recent call last):\n  File "/app/a.py", line 1, in f\n    x\nE: bad'
    )
    same = [call(f"s{n}", "loops", session_name="step", start_time=START + n) for n in range(3)]
    store.insert([
        call("loops", children_ids=["s0", "s1", "s2"], own={"commit": "3f2a9c1d2e4f"}), *same,
        *pipeline(), *a_set(), *agent("# Plan\n\n- `one`\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        call("other", start_time=START - 10_000),
        call("bad", error="E: bad", own={"traceback": traceback, "causes": ["K: worse"]}),
    ])  # fmt: skip
    with serving(store) as url:
        yield url
    store.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(look: str, width: int, chromium: Any, site: str) -> None:
    """On every page, at every width, in every look; and no page scrolls sideways."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    found = []
    context = chromium.new_context(
        base_url=site, viewport={"width": width, "height": 800}, **LOOKS[look]
    )
    page = context.new_page()
    page.emulate_media(reduced_motion="reduce")
    for address in PAGES:
        page.goto(address)
        sideways = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if sideways > 0:
            found.append(f"{address} scrolls sideways by {sideways}")
        for each in axe.Axe().run(page).response["violations"]:
            where = [node["target"] for node in each["nodes"]][:4]
            found.append(f"{address}: {each['id']} {where}")
    context.close()
    assert found == []


def test_targets_are_large_enough(chromium: Any, site: str) -> None:
    """Buttons and links that stand alone are at least 24 px high, also on a phone."""
    found = []
    for width in (390, 1440):
        context = chromium.new_context(base_url=site, viewport={"width": width, "height": 800})
        page = context.new_page()
        for address in PAGES:
            page.goto(address)
            small = page.evaluate(
                """() => [...document.querySelectorAll(
                    "button, summary, .raw, .copying a, .chip a, .scope a, .paging a, .by")]
                .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 23.5)
                .map((e) => e.outerHTML.slice(0, 60))"""
            )
            found += [f"{address} at {width}: {each}" for each in small[:3]]
        context.close()
    assert found == []
