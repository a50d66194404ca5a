"""The base of the viewer's pages: a page is a documented dataclass in, HTML out."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import ClassVar, get_args
from urllib.parse import quote

import jinja2
from starlette.responses import HTMLResponse, Response, StreamingResponse

from ..._display.text import duration_text
from ...store import Field, Reader, Store
from .._attempts import Attempts
from .._http import Limits
from .._keys import Keys
from .._root_path import link
from ._assets import asset
from ._running import Running

__all__ = ["INVISIBLE", "Page", "Problem", "Site", "moment", "session_url", "visible", "warm"]


_PARTS = 3000
"""Number of template pieces that are sent together, about a hundred rows of a tree."""

_FRESH = 10.0
_QUICK = 0.005
"""Limits in seconds: the age of cached choices, and the time of a read that is repeated freely."""


@dataclass(frozen=True)
class Page:
    """The data of a template. The template may only use these fields, `asset`, `link`, `keyed` and
    the filters below."""

    template: ClassVar[str]
    nav: ClassVar[str] = ""
    """The current entry of the navigation."""
    title: str


@dataclass(frozen=True)
class Problem(Page):
    """An error page, with the cure."""

    template = "problem.html"
    status: int
    message: str


@dataclass(frozen=True)
class Site:
    """The data that the views work on."""

    store: Store
    keys: Keys
    limits: Limits
    running: Running
    attempts: Attempts = field(default_factory=Attempts)
    """The counts of wrong keys at the login."""
    asked: threading.Event = field(default_factory=threading.Event)
    """Set by each request for a page."""
    _choices: dict[Field, tuple[float, float, int, Sequence[str]]] = field(default_factory=dict)

    @property
    def reader(self) -> Reader:
        """The reader of all pages: the store, overlaid with the calls under way."""
        return self.running.over(self.store)

    def choices(self, name: Field) -> Sequence[str]:
        """Return the values of a field to choose from, at most ten seconds old.

        Reading them takes twenty milliseconds in a store of a million. If reading takes less than
        five, they are read again as soon as a session has arrived.
        """
        read, took, place, found = self._choices.get(name, (-_FRESH, 0.0, -1, ()))
        fresh = time.monotonic() - read < _FRESH
        quick = took < _QUICK and place != self.store.arrived(None).last
        return found if fresh and not quick else self._read(name)

    def refresh(self) -> None:
        """Read all choices again."""
        for name in get_args(Field):
            self._read(name)

    def _read(self, name: Field) -> Sequence[str]:
        place, begun = self.store.arrived(None).last, time.monotonic()
        found = self.store.values(name)
        read = time.monotonic()
        self._choices[name] = (read, read - begun, place, found)
        return found

    def html(self, page: Page, status: int = 200, **headers: str) -> Response:
        """Return the whole page as a response."""
        return HTMLResponse(self.text(page), status, headers)

    def stream(self, page: Page) -> Response:
        """Return the page as a stream, so that the beginning of a long page appears at once."""
        parts = self._template(page).stream(self._context(page))
        parts.enable_buffering(_PARTS)
        return StreamingResponse(parts, media_type="text/html")

    def text(self, page: Page) -> str:
        """Return the page, or a part of one, as HTML."""
        return self._template(page).render(self._context(page))

    def _template(self, page: Page) -> jinja2.Template:
        return _ENVIRONMENT.get_template(page.template)

    def _context(self, page: Page) -> dict[str, object]:
        shown = {each.name: getattr(page, each.name) for each in dataclasses.fields(page)}
        return {**shown, "nav": page.nav, "keyed": bool(self.keys)}


def session_url(session_id: str) -> str:
    """Return the address of a session's page; ids may contain anything, slashes too."""
    return link("/sessions/") + quote(session_id, safe="")


def moment(ms: float) -> str:
    """Return epoch milliseconds as ISO 8601 for `<time datetime>`; the browser shows local time."""
    try:
        found = datetime.fromtimestamp(ms / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        # A clock far in the past or future must not break the page.
        return ""
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _invisible() -> dict[int, str]:
    """Return visible replacements of characters that would otherwise act on the screen."""
    table = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
    table |= {0x7F: "\u2421", **{code: f"⟨U+{code:04X}⟩" for code in range(0x80, 0xA0)}}
    marks = (0x61C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
    return table | {code: f"⟨U+{code:04X}⟩" for code in marks}


INVISIBLE = _invisible()


def visible(text: object) -> str:
    """Return `text` with control characters, direction overrides and the like made visible."""
    return str(text).translate(INVISIBLE)


def warm() -> None:
    """Compile every template."""
    for name in _ENVIRONMENT.list_templates():
        _ENVIRONMENT.get_template(name)


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals.update(asset=asset, link=link)
_ENVIRONMENT.filters.update(
    duration=duration_text,
    moment=moment,
    quoted=lambda text: quote(text, safe=""),
    session_url=session_url,
    visible=visible,
)
