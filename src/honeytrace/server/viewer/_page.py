"""What every page of the viewer shares: a page is a documented dataclass in, HTML out."""

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
"""Pieces of a template that are sent together: a hundred rows of a tree."""

_FRESH = 10.0
_QUICK = 0.005
"""Seconds."""


@dataclass(frozen=True)
class Page:
    """What a template shows. Its fields, and `asset`, `link`, `keyed` and the filters below, are
    all that the template may use."""

    template: ClassVar[str]
    nav: ClassVar[str] = ""
    """Which entry of the navigation is the current one."""
    title: str


@dataclass(frozen=True)
class Problem(Page):
    """A page that cannot be shown, and what to do about it."""

    template = "problem.html"
    status: int
    message: str


@dataclass(frozen=True)
class Site:
    """What the views work on."""

    store: Store
    keys: Keys
    limits: Limits
    running: Running
    attempts: Attempts = field(default_factory=Attempts)
    """The wrong keys that were shown to the login."""
    asked: threading.Event = field(default_factory=threading.Event)
    """Set by each page that is asked for."""
    _choices: dict[Field, tuple[float, float, int, Sequence[str]]] = field(default_factory=dict)

    @property
    def reader(self) -> Reader:
        """What pages read: the store, with the calls under way laid over."""
        return self.running.over(self.store)

    def choices(self, name: Field) -> Sequence[str]:
        """Return the values of a field to choose from, as they were at most ten seconds ago.

        Reading them takes twenty milliseconds in a store of a million; where it takes less than
        five, they are read again as soon as something has arrived.
        """
        read, took, place, found = self._choices.get(name, (-_FRESH, 0.0, -1, ()))
        fresh = time.monotonic() - read < _FRESH
        quick = took < _QUICK and place != self.store.arrived(None).last
        return found if fresh and not quick else self._read(name)

    def refresh(self) -> None:
        """Read all choices anew."""
        for name in get_args(Field):
            self._read(name)

    def _read(self, name: Field) -> Sequence[str]:
        place, begun = self.store.arrived(None).last, time.monotonic()
        found = self.store.values(name)
        read = time.monotonic()
        self._choices[name] = (read, read - begun, place, found)
        return found

    def html(self, page: Page, status: int = 200, **headers: str) -> Response:
        """The page as a response, in its whole frame."""
        return HTMLResponse(self.text(page), status, headers)

    def stream(self, page: Page) -> Response:
        """The page, sent while it is made: the beginning of a long one is seen at once."""
        parts = self._template(page).stream(self._context(page))
        parts.enable_buffering(_PARTS)
        return StreamingResponse(parts, media_type="text/html")

    def text(self, page: Page) -> str:
        """The page, or a part of one, as HTML."""
        return self._template(page).render(self._context(page))

    def _template(self, page: Page) -> jinja2.Template:
        return _ENVIRONMENT.get_template(page.template)

    def _context(self, page: Page) -> dict[str, object]:
        shown = {each.name: getattr(page, each.name) for each in dataclasses.fields(page)}
        return {**shown, "nav": page.nav, "keyed": bool(self.keys)}


def session_url(session_id: str) -> str:
    """Where a session is shown; ids may hold anything, slashes too."""
    return link("/sessions/") + quote(session_id, safe="")


def moment(ms: float) -> str:
    """Epoch milliseconds as ISO 8601, for `<time datetime>`; the browser makes it local time."""
    try:
        found = datetime.fromtimestamp(ms / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):  # a clock of another age: said, not drawn
        return ""
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _invisible() -> dict[int, str]:
    """Characters that would act on a reader's screen rather than show → how to show them."""
    table = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
    table |= {0x7F: "\u2421", **{code: f"⟨U+{code:04X}⟩" for code in range(0x80, 0xA0)}}
    marks = (0x61C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
    return table | {code: f"⟨U+{code:04X}⟩" for code in marks}


INVISIBLE = _invisible()


def visible(text: object) -> str:
    """`text` with control characters, direction overrides and the like made visible."""
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
