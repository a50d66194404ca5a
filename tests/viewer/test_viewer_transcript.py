"""The transcript: what was said in a run, each message once, and what became of its tool calls."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from viewer_site import HOSTILE, PIXEL, START, agent, call

from honeytrace.server.viewer import _transcript
from honeytrace.store.sqlite import SQLiteStore


def turns(html: str) -> list[str]:
    """The text of each turn, tags and white space taken out."""
    found = re.findall(r'<li class="spoken.*?(?=<li class="spoken|</ol>\n)', html, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", each).split()) for each in found]


def test_each_message_is_said_once(http: httpx.Client, store: SQLiteStore) -> None:
    """A request repeats the conversation; the transcript does not, and is in order."""
    store.insert(agent())
    html = http.get("/transcript/agent").text
    assert [each.split()[0] for each in turns(html)] == ["system", "user", "assistant", "assistant"]
    assert html.count("A flight to Lisbon?") == 1
    assert "Take <strong>TP 669</strong>." in html


def test_a_tool_call_has_its_answer_and_its_duration(
    http: httpx.Client, store: SQLiteStore
) -> None:
    """The line of code, the records that came back as a table, the session that made them."""
    store.insert(agent())
    _, _, asked, _ = turns(http.get("/transcript/agent").text)
    assert "search_flights(from=&#34;AMS&#34;, to=&#34;LIS&#34;)" in asked
    assert "7.0 ms" in asked
    assert "flight price TP 669 142 KL 1579 188" in asked
    assert '<a href="/sessions/search">' in http.get("/transcript/agent").text


def test_a_running_tool_shows_what_it_returned_before_the_model_was_told(
    http: httpx.Client, store: SQLiteStore
) -> None:
    """Without the next request, the answer is that of the tool's session."""
    store.insert(agent()[:3])
    *_, asked = turns(http.get("/transcript/agent").text)
    assert "TP 669" in asked


def test_a_repeated_message_is_shown_as_often_as_it_was_said(
    http: httpx.Client, store: SQLiteStore
) -> None:
    """Two equal messages of one conversation are two turns."""
    yes = {"role": "user", "content": "yes"}
    said = [yes, {"role": "assistant", "content": "sure?"}, yes]
    store.insert([call("one", inputs={"messages": said[:1]}, outputs=said[1])])
    store.insert([
        call("two", inputs={"messages": said}),
        call("inner", "two", start_time=START + 1, inputs={"messages": said}),
    ])  # fmt: skip
    assert [t.rsplit(None, 1)[1] for t in turns(http.get("/transcript/two").text)] == [
        "yes", "sure?", "yes"]  # fmt: skip


def test_a_tool_that_failed_says_so(http: httpx.Client, store: SQLiteStore) -> None:
    """The error of the tool's session stands in place of a result."""
    records = agent()[:2]
    late = {"start_time": START + 12, "outputs": {}, "error": "Timeout: too late"}
    store.insert([*records, call("search", "agent", session_name="search_flights", **late)])
    *_, asked = turns(http.get("/transcript/agent").text)
    assert "failed" in asked
    assert "Timeout: too late" in asked


def test_a_run_without_messages_says_so(http: httpx.Client, store: SQLiteStore) -> None:
    """A pipeline of plain calls leads back to its calls."""
    store.insert([call("plain")])
    assert "No messages were recorded in this run." in http.get("/transcript/plain").text
    assert http.get("/transcript/nothing").status_code == 404


def test_raw_text_is_the_text_as_written(http: httpx.Client, store: SQLiteStore) -> None:
    """Markdown is shown as its source where that is asked for."""
    store.insert(agent())
    assert "Take **TP 669**." in http.get("/transcript/agent?raw=1").text


def test_what_is_too_much_is_counted(
    http: httpx.Client, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages and calls beyond the bounds are not silently missing."""
    store.insert(agent())
    monkeypatch.setattr(_transcript, "_TURNS", 1)
    assert "3 more messages" in http.get("/transcript/agent").text
    monkeypatch.setattr(_transcript, "_CALLS", 1)
    assert "3 calls of this run were not read" in http.get("/transcript/agent").text


SVG = "data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+"
TRAPS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](  jAvAsCrIpT:alert(1) )",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](vbscript:x)",
    "![a](https://evil.example/pixel.png)",
    "![a](//evil.example/pixel.png)",
    f"![a]({SVG})",
    '![a](data:image/png;base64,AA"onerror="alert)',
    '[a](https://x.example/"onclick="alert)',
    "<svg onload=alert(1)>",
    "```<script>\nalert(1)\n```",
    "| <script>alert(1)</script> | b |\n|---|---|\n| <img src=x> | c |",
    "[a]: javascript:alert(1)\n\n[a]",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<https://evil.example/<script>>",
    f"**bold** {HOSTILE}",
]


@pytest.mark.parametrize("text", TRAPS)
def test_hostile_markdown_is_harmless(text: str, http: httpx.Client, store: SQLiteStore) -> None:
    """No script, no foreign image, no address that acts, whatever a text holds."""
    store.insert(agent(f"**so** {text}"))
    for page in ("/transcript/agent", "/detail/m2", "/sessions/m2"):
        html = http.get(page).text
        assert re.findall(r"<script(?! src=\"/static/)", html) == []
        assert "<svg onload" not in html
        assert (
            re.findall(r'<img[^>]+src="(?!data:image/png;base64,[A-Za-z0-9+/=]+"|/static/)', html)
            == []
        )
        assert re.findall(r'href="(?!/|#|https?:|mailto:)', html) == []
        assert re.findall(r"<[a-z][^>]*\s(on[a-z]+|style)=", html) == []


@pytest.mark.browser
def test_a_reader_goes_from_the_timeline_to_the_transcript(page: Any, store: SQLiteStore) -> None:
    """`v` changes the view, `r` shows the raw text and comes back; the image is drawn."""
    store.insert(agent(f"Take **TP 669**. ![a]({SVG}) ![b](https://evil.example/x.png)"))
    page.goto("/sessions/agent")
    page.keyboard.press("v")
    page.wait_for_url("**/transcript/agent")
    page.locator(".transcript strong", has_text="TP 669").wait_for()
    image = page.locator("img.recorded")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    page.keyboard.press("r")
    page.wait_for_url("**raw=1")
    page.get_by_text("Take **TP 669**.").wait_for()
    page.keyboard.press("r")
    page.locator(".transcript strong").wait_for()
    page.keyboard.press("v")
    page.wait_for_url("**/sessions/agent")


@pytest.mark.browser
def test_a_system_prompt_is_one_line_until_it_is_unfolded(page: Any, store: SQLiteStore) -> None:
    """Its beginning is seen, the rest is a click away."""
    store.insert(agent())
    page.goto("/transcript/agent")
    prompt = page.locator(".system-prompt")
    assert prompt.evaluate("e => e.getBoundingClientRect().height") < 50
    prompt.locator("summary").click()
    assert "Use the tools." in prompt.inner_text()


def test_the_image_of_a_message_is_in_the_page(http: httpx.Client, store: SQLiteStore) -> None:
    """Pixels are shown; the address of a drawing is text."""
    store.insert(agent())
    assert f'<img class="recorded" src="{PIXEL}"' in http.get("/transcript/agent").text
    store.insert([call("drawn", inputs={"image": SVG})])
    html = http.get("/detail/drawn").text
    assert "<img" not in html
    assert SVG[:60] in html
