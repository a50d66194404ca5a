"""The viewer in a real browser: headless Chromium, driven through Playwright."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from viewer_site import HOSTILE, START, call, looked_up, many, pipeline, serving, wide

from honeytrace._record.record import Update
from honeytrace.store import Store
from surroundings import environ

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
PIPELINE = Path(__file__).with_name("live_pipeline.py")


def test_from_the_list_to_the_call_and_back_with_feedback(page: Any, store: Store) -> None:
    """Filter, open, unfold, follow a child, say something of it: another process reads that."""
    store.insert([*pipeline(), *many(5, session_name="other")])
    page.goto("/")
    expect(page.locator(".row")).to_have_count(6)
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Name").fill("answer")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".row")).to_have_count(1)
    assert page.url.endswith("/?name=answer")
    page.get_by_role("link", name="answer", exact=True).click()
    expect(page.locator("h1")).to_have_text("answer")
    page.get_by_role("treeitem", name="generate").click()
    expect(page.locator("h1")).to_have_text("generate")
    assert page.url.endswith("/sessions/generate")
    expect(page.locator(".failure .message")).to_have_text("Timeout: too late")
    expect(page.locator(".turn")).to_have_count(2)
    page.get_by_label("2", exact=True).check()
    page.get_by_label("Comment").fill("too slow")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".given")).to_contain_text("too slow")
    said = looked_up(store.where, "generate")["feedback"]
    assert said == {"rating": 2, "comment": "too slow"}
    page.go_back()
    expect(page.locator("h1")).to_have_text("answer")
    page.locator(".children").get_by_text("retrieve").click()
    expect(page.locator(".cards li")).to_have_count(1)
    page.get_by_role("link", name=re.compile("^answer .$")).click()
    expect(page.locator("h1")).to_have_text("answer")


def test_sessions_appear_while_a_pipeline_runs(page: Any, store: Store) -> None:
    """Without a reload, at their places, once each; the other conditions still hold."""
    store.insert([call("old", project="")])
    page.goto("/?name=step")
    page.wait_for_selector("body[data-live='on']", state="attached")
    env = environ(HONEYTRACE_STORE=store.where)
    with subprocess.Popen(
        [sys.executable, str(PIPELINE)], stdin=subprocess.PIPE, env=env, text=True
    ) as running:
        assert running.stdin is not None
        for n, said in enumerate(("one", "two", "three"), start=1):
            running.stdin.write(f"{said}\n")
            running.stdin.flush()
            expect(page.locator(".row")).to_have_count(n)
            expect(page.locator(".row").first).to_contain_text(f"done: {said}")
        running.stdin.close()
        assert running.wait(60) == 0


def test_rows_change_while_they_are_looked_at(page: Any, store: Store) -> None:
    """Feedback from elsewhere and the end of a call show in their rows, which keep their places,
    their choice and the focus; what leaves the conditions leaves the list."""
    running = call("late", start_time=START + 9)._replace(status="running", duration=None)
    store.insert([call("early"), running])
    page.goto("/?since=2000-01-01")
    rows = page.locator(".row")
    expect(rows).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("x")
    store.update([Update("late", {"status": b'"ok"', "duration": b"7000"})])
    expect(rows.first).to_contain_text("7.00 s")
    expect(rows.first).to_have_class(re.compile("chosen"))
    expect(rows.first.get_by_role("link")).to_be_focused()
    store.update([Update("early", {"feedback": b'{"rating": 4}'})])
    expect(rows.last.locator(".rating")).to_have_text("★ 4")
    expect(rows).to_have_count(2)
    page.goto("/?status=ok")
    expect(rows).to_have_count(2)
    store.update([Update("early", {"status": b'"cancelled"'})])
    expect(rows).to_have_count(1)


def test_what_is_older_than_the_page_does_not_join_it(page: Any, store: Store) -> None:
    """A run that started long ago and ends now belongs to an older page, where there is one."""
    store.insert(many(60))
    page.goto("/")
    expect(page.locator(".row")).to_have_count(50)
    store.insert([call("old", start_time=START - 1)])
    store.insert([call("new", start_time=START + 1e6)])
    expect(page.locator(".row")).to_have_count(51)
    expect(page.locator(".row").first).to_have_attribute("data-id", "new")
    assert page.locator("[data-id=old]").count() == 0


def test_a_run_grows_while_it_is_looked_at(page: Any, store: Store) -> None:
    """Its page shows what there is more of it, by itself."""
    store.insert([call("first", "run", "run")])
    page.goto("/sessions/first")
    page.wait_for_selector("body[data-live='on']", state="attached")
    store.insert([call("second", "run", "run"), call("run", children_ids=["first", "second"])])
    expect(page.get_by_role("treeitem")).to_have_count(3)


def test_5000_calls_open_and_scroll(page: Any, store: Store) -> None:
    """All of them are there; only those in sight are laid out. The times are printed."""
    store.insert(wide(5000))
    page.goto("/sessions/root")
    calls = page.get_by_role("treeitem")
    expect(calls.first).to_be_visible()
    assert page.locator(".call").count() == 5001
    painted = page.evaluate(
        """() => new Promise((found) => new PerformanceObserver((list) => {
             const paint = list.getEntriesByName("first-contentful-paint")[0];
             if (paint) found(paint.startTime);
           }).observe({ type: "paint", buffered: true }))"""
    )
    frames = page.evaluate(
        """() => new Promise((done) => {
             const tree = document.querySelector("#tree"), times = [];
             let last = performance.now();
             const frame = (now) => {
               times.push(now - last);
               last = now;
               tree.scrollTop += 1500;
               const ahead = tree.scrollHeight - tree.clientHeight - tree.scrollTop;
               ahead > 1 ? requestAnimationFrame(frame) : done(times);
             };
             requestAnimationFrame(frame);
           })"""
    )
    slow = sorted(frames)[int(len(frames) * 0.95)]
    print(f"\n5,000 calls: first contentful paint {painted:.0f} ms,")
    print(f"  {len(frames)} frames of scrolling, 95 % within {slow:.0f} ms")
    last = page.locator(".call").last
    expect(last).to_be_in_viewport()
    last.click()
    expect(page.locator("h1")).to_have_text("step 04999")
    heights = page.evaluate(
        "() => [...document.querySelectorAll('.chunk')].map((c) => c.offsetHeight)"
    )
    assert heights == [2700] * 50 + [27]
    for _ in range(10):
        page.keyboard.press("u")
    expect(page.locator("h1")).to_have_text("answer", timeout=30_000)  # ten large pages
    page.keyboard.press("ArrowLeft")
    assert page.locator(".call:visible").count() == 1
    page.keyboard.press("ArrowRight")
    assert page.locator(".call:not([hidden])").count() == 5001


def test_hostile_content_does_nothing(page: Any, store: Store) -> None:
    """No script runs, whatever was recorded: `page` would have seen a dialog or a request."""
    everywhere = {name: {HOSTILE: HOSTILE} for name in ("inputs", "outputs", "metadata")}
    big = {"text": "<img src=x onerror=alert(3)>" * 200_000}
    store.insert([
        call("a/<b>", session_name=HOSTILE, error=HOSTILE, children_ids=["c"], **everywhere),
        call("c", "a/<b>", session_name=HOSTILE, inputs=big),
    ])  # fmt: skip
    page.goto("/?scope=calls")
    expect(page.locator(".row")).to_have_count(2)
    page.goto("/sessions/c")
    page.locator("summary", has_text="characters").first.click()
    page.get_by_role("treeitem").first.click()
    expect(page.locator(".failure")).to_be_visible()
    page.locator("[data-raw]").first.click()
    expect(page.locator(".rawtext")).to_contain_text("<script>alert(1)")
    page.goto("/overview")
    page.goto("/compare?a=c&b=a%2F%3Cb%3E")
    expect(page.locator(".pair").first).to_be_visible()


def test_the_keyboard_does_it_all(page: Any, store: Store) -> None:
    """Through the list, into a session, along its tree, to its error, and to the other pages."""
    store.insert([*pipeline(), call("first", start_time=1e12), call("last", start_time=2e12)])
    page.goto("/")
    press = page.keyboard.press
    press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    press("j")
    press("j")
    press("Enter")
    expect(page.locator("h1")).to_have_text("answer")
    press("j")
    expect(page.locator("h1")).to_have_text("retrieve")
    press("e")
    expect(page.locator("h1")).to_have_text("generate")
    press("u")
    expect(page.locator("h1")).to_have_text("answer")
    press("/")
    page.keyboard.type("passage")
    press("Enter")
    expect(page.locator(".row")).to_have_count(1)
    press("g")
    press("o")
    expect(page).to_have_url(re.compile("/overview$"))
    press("g")
    press("s")
    expect(page.locator(".row")).to_have_count(3)
    press("j")
    press("x")
    press("j")
    press("j")
    press("x")
    expect(page).to_have_url(re.compile(r"/compare\?a=first&b=last$"))
    press("g")
    press("s")
    expect(page.locator(".row")).to_have_count(3)
    press("f")
    expect(page.locator("#filters").get_by_label("Project")).to_be_focused()


def test_the_timeline_zooms(page: Any, store: Store) -> None:
    """By key, by button, by a stretch marked on the axis, and back to the whole."""
    store.insert(pipeline())
    page.goto("/sessions/retrieve")
    bar = page.locator(".call[aria-selected=true] rect")
    width = bar.bounding_box()["width"]
    page.keyboard.press("z")
    assert bar.bounding_box()["width"] > 3 * width
    expect(page.locator("[data-axis] text").first).to_have_text("4.0 ms")
    page.get_by_role("button", name="whole").click()
    assert bar.bounding_box()["width"] == pytest.approx(width)
    axis = page.locator("[data-axis]").bounding_box()
    page.mouse.move(axis["x"] + 1, axis["y"] + 8)
    page.mouse.down()
    page.mouse.move(axis["x"] + axis["width"] / 2, axis["y"] + 8)
    page.mouse.up()
    assert bar.bounding_box()["width"] == pytest.approx(2 * width, rel=0.05)


def test_light_and_dark_are_remembered(page: Any, chromium: Any) -> None:
    """The system's choice at first, then the reader's, before the first paint of the next page."""
    page.emulate_media(color_scheme="dark")
    page.goto("/")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(paper)
    page.keyboard.press("t")
    light = page.evaluate(paper)
    assert light != dark
    page.goto("/overview")
    assert page.evaluate(paper) == light
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(paper) == dark


def test_copying(page: Any, store: Store, url: str) -> None:
    """The id, a curl command that works here, Python, and the JSON."""
    store.insert([call("s")])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/sessions/s")
    copied = {}
    for what in ("id", "curl", "Python", "JSON"):
        page.locator(".copying").get_by_role("button", name=what, exact=True).click()
        expect(page.locator("#said.shown")).to_contain_text("copied")
        copied[what] = page.evaluate("navigator.clipboard.readText()")
        page.evaluate("document.querySelector('#said').classList.remove('shown')")
    assert copied["id"] == "s"
    assert copied["curl"] == f"curl '{url}/session/s'"
    assert "honeytrace.get_session('s')" in copied["Python"]
    assert '"question": "why?"' in copied["JSON"]


@pytest.mark.parametrize(
    "address", ["/", "/sessions/generate", "/overview", "/compare?a=root&b=s0000"]
)
def test_a_phone_needs_no_sideways_scrolling(address: str, page: Any, store: Store) -> None:
    """Every page fits a narrow window, also where the runs have calls of long names."""
    called = [f"expand_question_with_{what}_history" for what in ("all", "no")]
    inside = [call(name, "s0000", session_name=name, duration=999.9) for name in called]
    store.insert([*pipeline(), *many(3), *inside])
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_search_has_room_for_words(page: Any, store: Store) -> None:
    """The search field shows its hint whole, however narrow or wide the window is."""
    store.insert(pipeline())
    page.goto("/")
    for width in (360, 390, 700, 701, 768, 900, 901, 960, 961, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.locator(".find input").bounding_box()["width"] >= 220, width
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    "address", ["/", "/sessions/generate", "/overview", "/compare?a=root&b=s0000"]
)
def test_everything_has_a_name(address: str, page: Any, store: Store) -> None:
    """For those who do not see the page: controls, pictures and landmarks say what they are."""
    store.insert([*pipeline(), *many(3)])
    page.goto(address)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, select, [role=img]")]
             .filter((e) => e.type !== "hidden")
             .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length))
             .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.locator("h1")).to_have_count(1)


def test_the_pages_work_without_scripts(chromium: Any, url: str, store: Store) -> None:
    """All but what moves: lists, filters, trees, feedback."""
    store.insert(pipeline())
    context = chromium.new_context(base_url=url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/?name=answer")
    page.get_by_role("link", name="answer").click()
    page.get_by_role("treeitem", name="retrieve").click()
    expect(page.locator(".cards li")).to_have_count(1)
    page.get_by_label("Comment").fill("fine")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".given")).to_contain_text("fine")
    context.close()


def test_a_reader_logs_in(chromium: Any, store: Store) -> None:
    """With a key of the server, and the list is live from then on."""
    store.insert(many(2))
    with serving(store, keys=["open sesame"]) as url:
        context = chromium.new_context(base_url=url)
        page = context.new_page()
        page.goto("/?scope=calls")
        page.get_by_label("Key", exact=True).fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("That key is not valid")).to_be_visible()
        page.get_by_label("Key", exact=True).fill("open sesame")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator(".row")).to_have_count(2)
        assert page.url == f"{url}/?scope=calls"
        page.wait_for_selector("body[data-live='on']", state="attached")
        store.insert([call("new")])
        expect(page.locator(".row")).to_have_count(3)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Key", exact=True)).to_be_visible()
        context.close()
