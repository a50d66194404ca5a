"""Markdown of recorded texts as HTML that is safe by construction.

markdown-it-py parses the text. This module writes every tag itself, from a closed list, so that a
recorded text cannot produce raw HTML, an address of an unknown scheme or a request to another
server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from ..._display.pieces import is_pixels
from ._page import visible

__all__ = ["looks_like_markdown", "render"]

LONGEST = 20_000
"""Most characters of a text that is parsed; a longer text is shown as written."""

_SCHEMES = ("http", "https", "mailto")

_MARKS = re.compile(
    r"^(?:#{1,6} |[-*+] |\d{1,3}[.)] |> |```|~~~|\|.*\|\s*$)|\*\*[^*\s]|__[^_\s]|`[^`]+`|\]\(",
    re.M,
)
"""The marks of markdown. A text without any of them reads the same with and without rendering."""

_PLAIN = {
    "paragraph": "p",
    "bullet_list": "ul",
    "ordered_list": "ol",
    "list_item": "li",
    "blockquote": "blockquote",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
    "th": "th",
    "td": "td",
    "strong": "strong",
    "em": "em",
    "s": "del",
}
"""HTML elements without attributes, by token type without `_open` and `_close`."""

_DEEP = re.compile(r"^[ \t]*(?:(?:[>*+-]|\d+[.)])[ \t]*){15,}|^[ \t]{60,}[^ \t\n]", re.M)
"""Depth of nesting close to the parser's own limit, beyond which it would silently drop text."""

_PARSER = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 60}).enable(
    ["table", "strikethrough"]
)


def looks_like_markdown(text: str) -> bool:
    """Return whether a text has marks of markdown and is short enough to be parsed."""
    return len(text) <= LONGEST and bool(_MARKS.search(text)) and not _DEEP.search(text)


def render(text: str) -> Markup:
    """Return `text` as HTML whose only attributes are checked `class`, `href` and `src`."""
    return Markup(_blocks(_PARSER.parse(visible(text))))


def _blocks(tokens: Sequence[Token]) -> str:
    return "".join(_token(token) for token in tokens)


def _token(token: Token) -> str:
    kind, _, side = token.type.rpartition("_")
    if side in ("open", "close") and kind in _PLAIN:
        if token.hidden:  # These are the paragraphs of a tight list.
            return ""
        slash = "/" if side == "close" else ""
        return f"<{slash}{_PLAIN[kind]}>"
    writer = _WRITERS.get(token.type)
    return writer(token) if writer else escape(token.content)


def _heading(token: Token) -> str:
    # Not h1 … h6, which would mix with the page's own headings.
    return f'<p class="md-{token.tag}">'


def _code(token: Token) -> str:
    language = escape(token.info.split()[0][:30]) if token.info.split() else ""
    label = f'<span class="md-language">{language}</span>' if language else ""
    return f'<div class="md-code">{label}<pre tabindex="0">{escape(token.content)}</pre></div>'


def _link(token: Token) -> str:
    address = str(token.attrGet("href") or "")
    if urlsplit(address).scheme.lower() not in _SCHEMES:
        return "<span>"  # A path or fragment has no meaning here, and a script must not run.
    return f'<a href="{escape(address)}" rel="noopener noreferrer nofollow" target="_blank">'


def _image(token: Token) -> str:
    source, alt = str(token.attrGet("src") or ""), escape(token.content)
    if is_pixels(source):
        return f'<img src="{escape(source)}" alt="{alt}">'
    # The image is not loaded: viewing a recording must not contact another server.
    return f'<span class="md-image">image: {alt or "without a name"} {escape(source[:200])}</span>'


def _inline(token: Token) -> str:
    parts: list[str] = []
    opened: list[str] = []  # A link that is not allowed becomes a span and must be closed as one.
    for child in token.children or ():
        if child.type == "link_open":
            parts.append(_link(child))
            opened.append("a" if parts[-1].startswith("<a") else "span")
        elif child.type == "link_close":
            parts.append(f"</{opened.pop()}>")
        else:
            parts.append(_token(child))
    return "".join(parts)


_WRITERS: dict[str, Callable[[Token], str]] = {
    "inline": _inline,
    "text": lambda token: escape(token.content),
    "softbreak": lambda token: "\n",
    "hardbreak": lambda token: "<br>",
    "hr": lambda token: "<hr>",
    "code_inline": lambda token: f"<code>{escape(token.content)}</code>",
    "fence": _code,
    "code_block": _code,
    "image": _image,
    "heading_open": _heading,
    "heading_close": lambda token: "</p>",
}
