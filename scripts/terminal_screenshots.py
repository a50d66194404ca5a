"""The pictures of the command line in docs/images: commands over the sample store, in a terminal's
colours, photographed in headless Chromium.

    python scripts/terminal_screenshots.py

Needs what scripts/screenshots.py needs.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text
from sample_store import fill

from honeytrace.__main__ import main as honeytrace

IMAGES = Path(__file__).parent.parent / "docs" / "images"
NEWEST = 1_795_363_200  # 2026-11-22, 16:00 UTC
COLUMNS, LINES = 100, 46
THEME = TerminalTheme(
    (22, 24, 29),
    (214, 217, 224),
    [
        *((60, 64, 72), (240, 113, 120), (145, 196, 120), (232, 190, 106)),
        *((110, 165, 240), (195, 140, 220), (95, 190, 205), (214, 217, 224)),
    ],
    [(110, 116, 128)] * 8,
)
PAGE = """<style>
  body {{ margin: 0; display: inline-block; padding: 18px 22px; background: {background};
         color: {foreground}; }}
  pre {{ margin: 0; font: 14px/1.42 "JetBrains Mono", monospace; }}
</style><pre>{code}</pre>"""


def printed(command: str, store: Path) -> Text:
    """What a terminal of `COLUMNS` columns shows, at most `LINES` lines of it."""
    os.environ.update(COLUMNS=str(COLUMNS), FORCE_COLOR="1", TERM="xterm-256color")
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(output):
        honeytrace([*command.split(), "--store", str(store)])
    output.flush()
    lines = output.buffer.getvalue().decode().splitlines()[:LINES]  # type: ignore[attr-defined]
    return Text.from_ansi(f"$ honeytrace {command}\n" + "\n".join(lines))


def page(text: Text) -> str:
    console = Console(record=True, width=COLUMNS + 4, file=io.StringIO(), highlight=False)
    console.print(text, soft_wrap=True)
    return console.export_html(theme=THEME, code_format=PAGE, inline_styles=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        store = Path(directory) / "sessions.db"
        runs = fill(store, newest=NEWEST)
        failed, before, after = (runs[at].sessions[0]["session_id"] for at in (-4, -7, -1))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        window = browser.new_page(device_scale_factor=1.25)
        for name, command in {
            "terminal-show": f"show {failed[:18]}",
            "terminal-diff": f"diff {before[:18]} {after[:18]}",
        }.items():
            path = IMAGES / f"{name}.png"
            window.set_content(page(printed(command, store)))
            window.locator("body").screenshot(path=path)
            if quantise := shutil.which("pngquant"):
                command_line = [quantise, "--force", "--ext", ".png", "64", str(path)]
                subprocess.run(command_line, check=True)
            sys.stdout.write(f"{path.name}  {path.stat().st_size // 1000} kB\n")
        browser.close()


if __name__ == "__main__":
    main()
