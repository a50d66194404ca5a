"""The pictures in docs/images: a sample store, served and looked at in headless Chromium.

    python scripts/screenshots.py            # all of them
    python scripts/screenshots.py phone      # those whose name has this in it

Needs `chromium`, and Inter and JetBrains Mono for the letters of the published ones (on
Debian: `apt install chromium fonts-inter fonts-jetbrains-mono pngquant`, the last to make them
small).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from sample_store import Writer, fill

from honeytrace.server import Limits, create_app
from honeytrace.server._uvicorn import Server
from honeytrace.server.run import _bind
from honeytrace.store.sqlite import SQLiteStore

IMAGES = Path(__file__).parent.parent / "docs" / "images"
NEWEST = 1_795_363_200  # 2026-11-22, 16:00 UTC
WIDE, PHONE = (1280, 800), (390, 780)


@contextmanager
def served(store: SQLiteStore) -> Iterator[str]:
    ready = threading.Event()
    server = Server(create_app(store), Limits(), "", ready.set)
    with _bind("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            ready.wait()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def pictures(runs: list[Writer]) -> dict[str, tuple[str, tuple[int, int], str]]:
    """Name → the address, the size of the window, light or dark."""
    failed = runs[-4]
    generate = next(s for s in failed.sessions if s["session_name"] == "generate")
    retrieve = next(s for s in runs[-1].sessions if s["session_name"] == "retrieve")
    agent = next(r.sessions[0] for r in runs[::-1] if r.sessions[0]["session_name"] == "plan_trip")
    after, before = (run.sessions[0]["session_id"] for run in (runs[-1], runs[-7]))
    compare = f"/compare?a={before}&b={after}"
    return {
        "list": ("/", (1440, 860), "light"),
        "session": (f"/sessions/{retrieve['session_id']}", WIDE, "light"),
        "transcript": (f"/transcript/{agent['session_id']}", WIDE, "light"),
        "session-dark": (f"/sessions/{generate['session_id']}", WIDE, "dark"),
        "compare": (compare, WIDE, "light"),
        "overview": ("/overview", WIDE, "light"),
        "phone-list": ("/", PHONE, "light"),
        "phone-session": (f"/sessions/{generate['session_id']}", PHONE, "dark"),
    }


def take(browser: Any, url: str, name: str, address: str, size: tuple[int, int], how: str) -> None:
    context = browser.new_context(
        base_url=url,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=how,
        locale="en-GB",
        timezone_id="UTC",
        device_scale_factor=1.5 if size is PHONE else 1.25,
    )
    page = context.new_page()
    page.clock.set_fixed_time(NEWEST + 12)
    page.goto(address)
    page.locator("h1").first.wait_for(state="attached")
    if page.locator("#facets-toggle").count():  # the list fetches its histogram after the paint
        page.locator(".histogram svg").first.wait_for()
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    context.close()
    if quantise := shutil.which("pngquant"):
        command = [quantise, "--force", "--skip-if-larger", "--ext", ".png", "128", str(path)]
        subprocess.run(command, check=False)  # 98: it would have become larger
    sys.stdout.write(f"{path.name}  {path.stat().st_size // 1000} kB\n")


def main(wanted: str = "") -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "sessions.db"
        runs = fill(path, newest=NEWEST)
        store = SQLiteStore(path)
        with served(store) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            for name, (address, size, how) in pictures(runs).items():
                if wanted in name:
                    take(browser, url, name, address, size, how)
            browser.close()
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
