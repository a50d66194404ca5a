"""The picture in docs/notebook.md: a session as a notebook shows it, in headless Chromium.

    python scripts/notebook_screenshot.py

Needs what `scripts/screenshots.py` needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from sample_store import fill
from screenshots import IMAGES, NEWEST

from honeytrace.lookup import StoreFamily
from honeytrace.store.sqlite import SQLiteStore

LIGHT = "--jp-ui-font-family:Inter,sans-serif;--jp-code-font-family:'JetBrains Mono',monospace"


def html() -> str:
    """A failed run of the sample store."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "sessions.db"
        failed = fill(path, newest=NEWEST)[-4]
        store = SQLiteStore(path)
        session = StoreFamily(store).get(failed.sessions[0]["session_id"])
        assert session is not None
        drawn = session._repr_html_()
        store.close()
    return f'<meta charset="utf-8"><body style="margin:20px;{LIGHT}">{drawn}'


def main() -> None:
    os.environ["TZ"] = "UTC"  # a notebook shows local time
    time.tzset()
    path = IMAGES / "notebook.png"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1100, "height": 200}, device_scale_factor=1.25)
        page.set_content(html())
        page.screenshot(path=path, full_page=True)
        browser.close()
    if quantise := shutil.which("pngquant"):
        subprocess.run([quantise, "--force", "--ext", ".png", "128", str(path)], check=True)


if __name__ == "__main__":
    main()
