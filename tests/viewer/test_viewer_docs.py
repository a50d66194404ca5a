"""The viewer's page in the docs says what is so."""

from __future__ import annotations

import dataclasses
import html
import re
from pathlib import Path

from honeytrace.server import viewer
from honeytrace.server._keys import TICKET_SECONDS
from honeytrace.server.viewer import _overview
from honeytrace.server.viewer._filters import Filters

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "viewer.md").read_text("utf-8")


def table(title: str) -> list[list[str]]:
    """The cells of the table under a heading, its head left out."""
    lines = PAGE.partition(f"\n## {title}")[2].partition("\n## ")[0].splitlines()
    rows = [line for line in lines if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_the_parameters_are_those_of_the_list() -> None:
    """Every one, and no other."""
    named = re.findall(r"`(\w+)`", " ".join(row[0] for row in table("The list")))
    assert set(named) == {field.name for field in dataclasses.fields(Filters)}


def test_the_keys_are_those_of_the_help() -> None:
    """Word for word, as the dialog has them."""
    base = (Path(viewer.__file__).parent / "templates" / "base.html").read_text("utf-8")
    told = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", base)
    shown = [[re.sub(r"</?kbd>", "`", html.unescape(keys)), does] for keys, does in told]
    assert table("Keys") == shown


def test_the_pictures_are_there_and_small() -> None:
    """Each that the docs show, below 200 kB."""
    shown = re.findall(r"images/([\w-]+\.png)", PAGE)
    assert len(shown) == 8
    for name in shown:
        assert (DOCS / "images" / name).stat().st_size < 200_000


def test_the_figures_are_those_of_the_code() -> None:
    """How long a login lasts, how many sessions are counted."""
    assert f"Up to {_overview._NEWEST:,} sessions are read one by one" in PAGE
    assert f"for {TICKET_SECONDS // 86400} days" in PAGE
