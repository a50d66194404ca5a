"""Sessions inside the style sheets of JupyterLab and VS Code, in headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from answered import answered
from honeytrace.lookup import StoreFamily
from honeytrace.lookup.notebook import list_html
from honeytrace.store import Query
from honeytrace.store.memory import MemoryStore

pytestmark = pytest.mark.browser

LAB = """
:root { --c0: PAPER; --c2: GREY; --ink: INK }
body { background: var(--c0) }
.jp-RenderedHTMLCommon { color: var(--ink); font: 14px/1.6 system-ui; padding-right: 20px }
.jp-RenderedHTMLCommon h4:first-child { margin: 1em 0; font-size: 1.2em; line-height: 1 }
.jp-RenderedHTMLCommon ul:not(.list-inline) { padding-left: 2em; list-style: disc }
.jp-RenderedHTMLCommon pre, .jp-RenderedHTMLCommon code {
  border: 0; background-color: var(--c0); font-size: inherit; padding: 0; white-space: pre-wrap }
.jp-RenderedHTMLCommon :not(pre) > code { background-color: var(--c2); padding: 1px 5px }
.jp-RenderedHTMLCommon table { table-layout: fixed; margin-left: auto; margin-bottom: 1em }
.jp-RenderedHTMLCommon td, .jp-RenderedHTMLCommon th, .jp-RenderedHTMLCommon tr {
  vertical-align: middle; padding: 0.5em; line-height: normal; white-space: normal;
  max-width: none; border: none }
:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon td,
:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon th,
:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon tr { text-align: right }
.jp-RenderedHTMLCommon tbody tr:nth-child(even) { background: var(--c2) }
.jp-RenderedHTMLCommon p { margin: 0; margin-bottom: 1em }
"""
"""The rules of JupyterLab's style sheet that reach an output."""

VS_CODE = """
body { background: PAPER; color: INK; font: 13px system-ui; padding: 0 20px }
code { font-family: monospace; color: INK; background-color: GREY; padding: 1px 3px }
table, thead, tr, th, td, tbody { border: none !important; border-spacing: 0 }
table, th, tr { text-align: left !important }
thead { font-weight: bold; background-color: rgba(130, 130, 130, 0.16) }
th, td { padding: 4px 8px }
tr:nth-child(even) { background-color: rgba(130, 130, 130, 0.08) }
"""
"""The same of the page in which VS Code draws outputs."""

HOSTS = {"JupyterLab": (LAB, "jp-RenderedHTMLCommon"), "VS Code": (VS_CODE, "output")}
THEMES = {"light": ("#ffffff", "#222222", "#eeeeee"), "dark": ("#111111", "#eeeeee", "#424242")}


@pytest.fixture(scope="module")
def outputs() -> list[str]:
    """A list, a session with its tree, a comparison, and usage."""
    store = MemoryStore()
    store.insert([
        answered("a", session_name="a rather long name", children_ids=["b"], start_time=1.7e12,
                 inputs={"question": "why? " * 20}, outputs={"a": {"b": [1, 2]}, "text": "t"}),
        answered("b", session_name="inner", error="E: bad", start_time=1.7e12 + 1,
                 config={"model": "m"}, metrics={"total_tokens": 7},
                 metadata={"honeytrace": {"parent_id": "a", "root_id": "a"}}),
        answered("c", session_name="a rather long name", start_time=1.7e12 + 9),
    ])  # fmt: skip
    a, b, c = (StoreFamily(store).load(each) for each in store.get_many("abc"))
    listed = [StoreFamily(store).load(each) for each in store.list(Query())]
    drawn = (list_html(listed), *(each._repr_html_() for each in (a, a.compare(c), b.usage)))
    return [html for html in drawn if html is not None]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


WRONG = """() => {
  const found = [];
  const shown = (e) => e.getClientRects().length > 0;
  for (const cell of document.querySelectorAll(".honeytrace :is(td, th)")) {
    const style = getComputedStyle(cell);
    const number = cell.classList.contains("ht-num");
    if (cell.tagName === "TD" && style.textAlign !== (number ? "right" : "left"))
      found.push(`aligned ${style.textAlign}: ${cell.textContent}`);
    if (style.boxShadow === "none") found.push(`without a line: ${cell.textContent}`);
    if (!cell.classList.contains("ht-cut") && cell.scrollWidth > cell.clientWidth + 1)
      found.push(`too narrow: ${cell.textContent}`);
  }
  const clear = "rgba(0, 0, 0, 0)";
  for (const e of document.querySelectorAll(".honeytrace :is(code, pre, tr, thead, td, h4, ul)"))
    if (getComputedStyle(e).backgroundColor !== clear)
      found.push(`filled: ${e.outerHTML.slice(0, 80)}`);
  for (const e of document.querySelectorAll(".honeytrace :is(h4, p, ul, li)"))
    if (shown(e) && parseFloat(getComputedStyle(e).marginBottom) > 8)
      found.push(`spaced: ${e.outerHTML.slice(0, 80)}`);
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light("transparent");
  for (const e of document.querySelectorAll(".honeytrace *:not(style)")) {
    if (!shown(e) || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const ink = light(getComputedStyle(e).color);
    const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (contrast < 4.5) found.push(`contrast ${contrast.toFixed(2)}: ${e.outerHTML.slice(0, 60)}`);
  }
  return found;
}"""


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("host", HOSTS)
def test_the_host_s_style_sheet_changes_nothing(
    host: str, theme: str, chromium: Any, outputs: list[str]
) -> None:
    """Cells are aligned, wide enough and divided by lines; code has no grey blocks; every text can
    be read."""
    rules, name = HOSTS[host]
    for colour, value in zip(("PAPER", "INK", "GREY"), THEMES[theme], strict=True):
        rules = rules.replace(colour, value)
    page = chromium.new_page(viewport={"width": 1000, "height": 600})
    cells = "".join(f'<div class="{name}">{each}</div>' for each in outputs)
    page.set_content(f"<style>{rules}</style><div>{cells}</div>")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    found = page.evaluate(WRONG)
    page.close()
    assert found == []
