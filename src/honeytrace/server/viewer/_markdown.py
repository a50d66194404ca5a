"""Markdown from recordings as HTML that is harmless by construction.

markdown-it-py parses; this module writes every tag itself, from a closed list, so that no raw HTML,
no address of an unknown scheme and no request to another server can come out of a recorded text.
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
"""Characters of one text that are parsed; a longer one is shown as it was written."""

_SCHEMES = ("http", "https", "mailto")

_MARKS = re.compile(
    r"^(?:#{1,6} |[-*+] |\d{1,3}[.)] |> |```|~~~|\|.*\|\s*$)|\*\*[^*\s]|__[^_\s]|`[^`]+`|\]\(",
    re.M,
)
"""Anything without one of these is the same text as markdown and as it was written."""

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
"""Token types, without `_open` and `_close`, and the element that each becomes, bare."""

_DEEP = re.compile(r"^[ \t]*(?:(?:[>*+-]|\d+[.)])[ \t]*){15,}|^[ \t]{60,}[^ \t\n]", re.M)
"""Nesting that comes near the parser's own bound, below which it would drop the text silently."""

_PARSER = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 60}).enable(
    ["table", "strikethrough"]
)


def looks_like_markdown(text: str) -> bool:
    """Whether a text has any of markdown's marks, and is short enough to be parsed."""
    return len(text) <= LONGEST and bool(_MARKS.search(text)) and not _DEEP.search(text)


def render(text: str) -> Markup:
    """`text` as HTML whose elements carry no attribute but a checked `class`, `href` or `src`."""
    return Markup(_blocks(_PARSER.parse(visible(text))))


def _blocks(tokens: Sequence[Token]) -> str:
    return "".join(_token(token) for token in tokens)


def _token(token: Token) -> str:
    kind, _, side = token.type.rpartition("_")
    if side in ("open", "close") and kind in _PLAIN:
        if token.hidden:  # the paragraphs of a tight list
            return ""
        slash = "/" if side == "close" else ""
        return f"<{slash}{_PLAIN[kind]}>"
    writer = _WRITERS.get(token.type)
    return writer(token) if writer else escape(token.content)


def _heading(token: Token) -> str:
    # no h1 … h6: they would stand among the page's own headings
    return f'<p class="md-{token.tag}">'


def _code(token: Token) -> str:
    language = escape(token.info.split()[0][:30]) if token.info.split() else ""
    label = f'<span class="md-language">{language}</span>' if language else ""
    return f'<div class="md-code">{label}<pre tabindex="0">{escape(token.content)}</pre></div>'


def _link(token: Token) -> str:
    address = str(token.attrGet("href") or "")
    if urlsplit(address).scheme.lower() not in _SCHEMES:
        return "<span>"  # a path or a fragment means nothing here, and a script must not run
    return f'<a href="{escape(address)}" rel="noopener noreferrer nofollow" target="_blank">'


def _image(token: Token) -> str:
    source, alt = str(token.attrGet("src") or ""), escape(token.content)
    if is_pixels(source):
        return f'<img src="{escape(source)}" alt="{alt}">'
    # not loaded: whoever looks at a recording must not tell another server
    return f'<span class="md-image">image: {alt or "without a name"} {escape(source[:200])}</span>'


def _inline(token: Token) -> str:
    parts: list[str] = []
    opened: list[str] = []  # a link that is not allowed is a span, and must be closed as one
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
