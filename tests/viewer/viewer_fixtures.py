"""Fixtures of the viewer's tests, for `store` of any engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from viewer_site import serving

from honeytrace.store import Store


@pytest.fixture
def http(store: Store) -> Iterator[httpx.Client]:
    """A client of the viewer over `store`."""
    with serving(store) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    # within one module alone: Playwright keeps an event loop in the thread that started it
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    with serving(store) as url:
        yield url


@pytest.fixture
def page(chromium: Any, url: str) -> Iterator[Any]:
    """A window on the viewer, which nothing went wrong in."""
    with watched(chromium, url) as (page, wrong):
        yield page
    assert wrong == []


@contextmanager
def watched(chromium: Any, url: str) -> Iterator[tuple[Any, list[str]]]:
    """A window, and everything that goes wrong in it: scripts that fail, dialogs, broken rules of
    the content security policy, and requests to elsewhere."""
    context = chromium.new_context(base_url=url, viewport={"width": 1280, "height": 800})
    wrong: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)

    def dialog(shown: Any) -> None:
        wrong.append(shown.message)
        shown.dismiss()

    page.on("dialog", dialog)
    page.on("request", lambda sent: sent.url.startswith(url) or wrong.append(sent.url))
    yield page, wrong
    context.close()
