"""Runs under way in the viewer: on top of the list, and a tree that grows in place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from viewer_site import call, serving

from honeytrace.store.sqlite import SQLiteStore
from running_agent import Agent, agent

pytestmark = pytest.mark.browser


@pytest.fixture
def running(store: SQLiteStore) -> Iterator[Agent]:
    with agent(store.path) as started:
        yield started


@pytest.fixture
def url(store: SQLiteStore, running: Agent) -> Iterator[str]:
    with serving(store, journal=str(Path(store.path).parent / "journal")) as url:
        yield url


def test_a_running_run_has_a_page(url: str, running: Agent) -> None:
    """Found by its id, in the list with its innermost call, and by its status."""
    running.does("open plan")
    with httpx.Client(base_url=url) as http:
        page = http.get(f"/sessions/{running.run_id}")
        assert page.status_code == 200
        assert page.text.count('role="treeitem"') == 2
        listed = http.get("/").text
        assert re.search(r"agent-run</bdi></a> <bdi class=\"now\">· plan</bdi>", listed)
        assert running.run_id in http.get("/?status=running").text
        assert running.run_id not in http.get("/?status=error").text
        assert "which flight?" in http.get(f"/detail/{running.run_id}").text
        assert http.get(f"/raw/{running.run_id}").json()["session_name"] == "agent-run"


def test_the_list_follows_a_run(page: Any, running: Agent, store: SQLiteStore) -> None:
    """What runs inside changes on the screen, and the end brings the duration."""
    from playwright.sync_api import expect

    page.goto("/")
    row = page.locator(f'[data-id="{running.run_id}"]')
    expect(row).to_contain_text(re.compile(r"\d+ s"))
    running.does("open search")
    expect(row.locator(".now")).to_have_text("· search")
    running.does("open fetch")
    expect(row.locator(".now")).to_have_text("· fetch")
    running.ends()
    expect(row.locator(".status")).to_have_class(re.compile("ok"))
    expect(row.locator(".now")).to_have_count(0)


def test_a_run_that_begins_appears_by_itself(page: Any, store: SQLiteStore) -> None:
    """On top of a list that is open already."""
    from playwright.sync_api import expect

    store.insert([call("old")])
    page.goto("/")
    expect(page.locator("body")).to_have_attribute("data-live", "on")
    with agent(store.path) as another:
        expect(page.locator(f'[data-id="{another.run_id}"]')).to_be_visible()


def test_the_tree_grows_in_place(page: Any, running: Agent) -> None:
    """Calls come in where they belong; the selection, the folds and the focus stay."""
    from playwright.sync_api import expect

    running.does("open plan")
    running.does("open search")
    page.goto(f"/sessions/{running.run_id}")
    items = page.get_by_role("treeitem")
    expect(items).to_have_count(3)
    page.keyboard.press("j")
    plan = page.get_by_role("treeitem", name="plan")
    expect(plan).to_have_attribute("aria-selected", "true")
    running.does("close")
    running.does("open fetch")
    expect(items).to_have_count(4)
    expect(page.get_by_role("treeitem", name="search")).not_to_have_class(re.compile("running"))
    expect(plan).to_have_attribute("aria-selected", "true")
    expect(plan).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("treeitem", name="fetch")).to_be_hidden()
    running.does("close")
    running.does("close")
    running.does("open write")
    expect(page.get_by_role("treeitem", name="write")).to_be_visible()
    expect(page.get_by_role("treeitem", name="fetch")).to_be_hidden()
    expect(page.locator(".detail header .running-for")).to_have_count(0)
    running.ends()
    expect(page.locator(".call.running")).to_have_count(0)


def test_a_lone_call_becomes_a_tree(page: Any, running: Agent) -> None:
    """A run that had no call inside when its page was opened gets its tree with the first one."""
    from playwright.sync_api import expect

    page.goto(f"/sessions/{running.run_id}")
    expect(page.get_by_role("treeitem")).to_have_count(0)
    running.does("open plan")
    expect(page.get_by_role("treeitem")).to_have_count(2)


def test_the_page_of_processes(page: Any, running: Agent) -> None:
    """A process with the calls it has open, which change in place; the overview leads there."""
    from playwright.sync_api import expect

    running.does("open plan")
    page.goto("/overview")
    page.get_by_role("link", name="2 open calls now").click()
    stack = page.locator(".stack li")
    expect(stack).to_have_count(2)
    expect(stack.nth(1)).to_contain_text("plan")
    running.does("open search")
    expect(stack).to_have_count(3)
    running.ends()
    expect(page.locator(".stack li")).to_have_count(0)
