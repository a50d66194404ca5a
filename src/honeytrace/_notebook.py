"""Sessions as HTML, for Jupyter and whatever else asks for `_repr_html_`.

Self-contained: no script, no outside resource, styles that hold inside `.honeytrace` alone. Colours
are mixed from the text's own, so that light and dark follow the notebook's theme by themselves.
Everything recorded is escaped and cut: a cell's output stays within a megabyte or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files
from itertools import islice
from typing import Any

import orjson

from ._recorded import RecordedSession, duration_text
from ._shapes import Document, Message, Part, parts
from ._tree import Place

__all__ = ["list_html", "session_html"]

MOST_SESSIONS = 1_000
"""Of one tree or list; of more, the first are drawn."""

_MOST_TEXT = 20_000
"""Characters of one text."""

_BUDGET = 1_000_000
"""Characters of recorded text in one output."""

_FOLDED = 600
_MOST_ITEMS = 100
_DEEPEST = 30
"""Levels of nested elements: browsers stop at a few hundred, and so do notebooks' sanitisers."""

_ROLES = ("user", "assistant", "system", "tool")
_CHIPS = ("metrics", "feedback", "user_properties", "config", "metadata")

# a terminal's escapes and marks that turn the direction of writing: shown, not obeyed
_UNSAFE = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd")
_UNSAFE |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
_UNSAFE[9], _UNSAFE[10], _UNSAFE[13] = "\t", "\n", ""


class _Writer:
    """Collects the parts of one output, within its budget."""

    def __init__(self) -> None:
        self._left = _BUDGET
        self._parts: list[str] = []

    def add(self, html: str) -> None:
        """Add HTML as it is."""
        self._parts.append(html)

    def text(self, text: str, limit: int = _MOST_TEXT) -> str:
        """`text` escaped, and cut to what may still be said."""
        kept = text[: min(limit, self._left)]
        self._left -= len(kept)
        cut = len(text) - len(kept)
        more = f"…[{cut:,} more characters]" if cut else ""
        return escape(kept.translate(_UNSAFE)) + more

    def __str__(self) -> str:
        return "".join(self._parts)


def session_html(session: RecordedSession) -> str:
    """A session with what it took and gave, and the tree below it with its timeline."""
    out = _Writer()
    out.add(f'<div class="honeytrace"><style>{_style()}</style>')
    _head(out, session)
    _payload(out, session)
    found = list(session.walk())
    if len(found) > 1:
        _tree(out, found)
    out.add("</div>")
    return str(out)


def list_html(sessions: Sequence[RecordedSession]) -> str:
    """A table of sessions, one a row."""
    out = _Writer()
    heads = (
        "started",
        "session",
        "status",
        "duration",
        "project",
        "source",
        "inputs",
        "outputs",
        "id",
    )
    out.add(f'<div class="honeytrace"><style>{_style()}</style><div class="ht-wide"><table>')
    out.add(f"<thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead><tbody>")
    for session in sessions[:MOST_SESSIONS]:
        cells = (
            ("ht-when", _when(session.start_time)),
            ("ht-name", out.text(session.session_name, 80)),
            (_status_class(session), out.text(_status(session), 40)),
            ("ht-num", duration_text(session.duration)),
            ("", out.text(session.project, 40)),
            ("", out.text(session.source, 40)),
            ("ht-cut", out.text(_preview(session.inputs), 200)),
            (f"ht-cut {_status_class(session)}", out.text(_result(session), 200)),
            ("ht-id", out.text(session.session_id, 64)),
        )
        row = "".join(f'<td class="{name}">{text}</td>' for name, text in cells)
        out.add(f"<tr>{row}</tr>")
    out.add("</tbody></table></div>")
    out.add(_more(len(sessions) - MOST_SESSIONS))
    out.add("" if sessions else '<p class="ht-dim">no sessions</p>')
    out.add("</div>")
    return str(out)


@cache
def _style() -> str:
    return files(__package__).joinpath("_notebook.css").read_text("utf-8")


def _head(out: _Writer, session: RecordedSession) -> None:
    facts = [
        duration_text(session.duration),
        _when(session.start_time),
        *(out.text(text, 80) for text in (session.project, session.source) if text),
    ]
    out.add(
        f'<div class="ht-head"><b>{out.text(session.session_name, 200)}</b>'
        f'<span class="{_status_class(session)}">{out.text(_status(session), 40)}</span>'
        f"<span>{'</span><span>'.join(facts)}</span>"
        f'<code class="ht-id">{out.text(session.session_id, 64)}</code></div>'
    )


def _tree(out: _Writer, found: list[tuple[RecordedSession, Place]]) -> None:
    """Every session on a row with its bar; opening it shows what it took and gave, and its own."""
    ends = [s.start_time + (s.duration or 0.0) for s, _ in found]
    start = min(s.start_time for s, _ in found)
    span = max(*ends, start + 1e-6) - start
    shown = found[:MOST_SESSIONS]
    failed = _above_failures(shown)
    out.add('<div class="ht-tree">')
    level = 0
    for number, (session, place) in enumerate(shown):
        out.add("</details>" * (level - min(place.depth, _DEEPEST)))
        level = min(place.depth, _DEEPEST) + 1
        inner = number + 1 < len(shown) and shown[number + 1][1].depth > place.depth
        is_open = inner and (len(found) <= 100 or place.depth == 0 or number in failed)
        left = (session.start_time - start) / span * 100
        width = 100 - left if session.duration is None else session.duration / span * 100
        out.add(
            f'<details class="ht-row"{" open" if is_open else ""} style="--d:{place.depth}">'
            f'<summary><span class="ht-name">{out.text(session.session_name, 120)}'
            f"</span>{_mark(out, session)}"
            f'<span class="ht-bar"><i class="{_status_class(session)}"'
            f' style="left:{left:.3f}%;width:{width:.3f}%"></i></span>'
            f'<span class="ht-num">{duration_text(session.duration)}</span></summary>'
        )
        if place.depth:
            _inside(out, session, inner)
    out.add("</details>" * level + "</div>" + _more(len(found) - MOST_SESSIONS))


def _inside(out: _Writer, session: RecordedSession, inner: bool) -> None:
    """The payload of a row; where more rows follow inside, folded behind a line of it."""
    if inner:
        line = f"{_preview(session.inputs)} → {_result(session)}"
        out.add(f'<details class="ht-io"><summary>{out.text(line, 160)}</summary>')
    out.add('<div class="ht-payload">')
    _payload(out, session)
    out.add("</div>" + ("</details>" if inner else ""))


def _above_failures(found: Iterable[tuple[RecordedSession, Place]]) -> set[int]:
    """The rows to open, so that every failed session shows."""
    rows: set[int] = set()
    above: list[int] = []
    for number, (session, place) in enumerate(found):
        del above[place.depth :]
        if session.status == "error":
            rows.update(above)
        above.append(number)
    return rows


def _payload(out: _Writer, session: RecordedSession) -> None:
    if session.error is not None:
        out.add(f'<div class="ht-failure">{_text(out, session.error)}')
        if session.traceback:
            out.add("<details><summary>traceback</summary>")
            out.add(f"<pre>{out.text(session.traceback)}</pre></details>")
        out.add("</div>")
    for name, fields in (("inputs", session.inputs), ("outputs", session.outputs)):
        if fields:
            out.add(f'<div class="ht-field"><h4>{name}</h4><div>')
            for part in parts(fields):
                _part(out, part)
            out.add("</div></div>")
    chips = [(name, fields) for name in _CHIPS if (fields := getattr(session, name))]
    for name, fields in chips:
        label = name.replace("_", " ")
        out.add(f'<div class="ht-field"><h4>{label}</h4><div>{_chips(out, fields)}</div></div>')


def _part(out: _Writer, part: Part) -> None:
    draw: dict[str, Callable[[], str]] = {
        "chat": lambda: "".join(_message(out, each) for each in part.messages[:_MOST_ITEMS]),
        "documents": lambda: "".join(_document(out, each) for each in part.documents[:_MOST_ITEMS]),
        "text": lambda: _text(out, part.value),
        "json": lambda: _json(out, part.value),
    }
    more = _more(max(len(part.messages), len(part.documents)) - _MOST_ITEMS)
    key = out.text(part.key, 80)
    out.add(f'<div class="ht-part"><code>{key}</code><div>{draw[part.kind]()}{more}</div></div>')


def _message(out: _Writer, message: Message) -> str:
    role = message.role if message.role in _ROLES else "other"
    rest = _chips(out, message.rest) if message.rest else ""
    return (
        f'<div class="ht-message ht-{role}"><small>{out.text(message.role, 40)}</small>'
        f"{_text(out, message.text) if message.text else ''}{rest}</div>"
    )


def _document(out: _Writer, document: Document) -> str:
    score = "" if document.score is None else f"<small>{document.score:.4g}</small>"
    title = f"<b>{out.text(document.title, 120)}</b>" if document.title else ""
    head = f'<div class="ht-title">{title}{score}</div>' if title or score else ""
    rest = _chips(out, document.rest) if document.rest else ""
    return f'<div class="ht-document">{head}{_text(out, document.text)}{rest}</div>'


def _text(out: _Writer, text: str) -> str:
    """A text with its lines; a long one folded."""
    if len(text) <= _FOLDED and text.count("\n") <= 12:
        return f"<pre>{out.text(text)}</pre>"
    first = out.text(" ".join(text[:160].split()))
    return (
        f'<details class="ht-long"><summary><span>{first}… </span>'
        f"<small>{len(text):,} characters</small></summary><pre>{out.text(text)}</pre></details>"
    )


def _chips(out: _Writer, fields: Mapping[str, Any]) -> str:
    """Short values side by side, others below as JSON."""
    short = {k: v for k, v in fields.items() if not isinstance(v, (dict, list)) and _is_short(v)}
    shown = list(short.items())[:_MOST_ITEMS]
    chips = "".join(
        f"<span><code>{out.text(key, 80)}</code> {out.text(_plain(value), 200)}</span>"
        for key, value in shown
    )
    rest = [(key, value) for key, value in fields.items() if key not in short]
    below = "".join(
        f'<div class="ht-rest"><code>{out.text(key, 80)}</code> {_json(out, value, 1)}</div>'
        for key, value in rest[:_MOST_ITEMS]
    )
    return (f'<div class="ht-chips">{chips}</div>' if chips else "") + below


def _json(out: _Writer, value: Any, depth: int = 0) -> str:
    """JSON as a tree that folds; within bounds in depth, breadth and text."""
    if isinstance(value, str):
        return (
            _text(out, value) if not _is_short(value) else f"<code>{out.text(_dumps(value))}</code>"
        )
    if not isinstance(value, (dict, list)) or not value:
        return f"<code>{_dumps(value)}</code>"
    if depth >= _DEEPEST:
        return "<code>…</code>"
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    rows = "".join(
        f"<li><code>{out.text(str(key), 80)}</code> {_json(out, item, depth + 1)}</li>"
        for key, item in items[:_MOST_ITEMS]
    )
    kind = "{…}" if isinstance(value, dict) else "[…]"
    is_open = " open" if depth == 0 and len(items) <= 12 else ""
    return (
        f'<details class="ht-json"{is_open}><summary>{kind} <small>{len(items):,}</small></summary>'
        f"<ul>{rows}</ul>{_more(len(items) - _MOST_ITEMS)}</details>"
    )


def _preview(fields: Mapping[str, Any]) -> str:
    """The values on one line: of a conversation what was said last, of documents how many."""
    texts = []
    for part in parts(dict(islice(fields.items(), 4))):
        if part.kind == "chat":
            texts.append(part.messages[-1].text)
        elif part.kind == "documents":
            texts.append(f"{len(part.documents)} documents")
        else:
            texts.append(_plain(part.value))
    return " ".join(", ".join(text[:200] for text in texts).split())


def _result(session: RecordedSession) -> str:
    return session.error or _preview(session.outputs)


def _plain(value: Any) -> str:
    """A value as text: strings as they are, everything else as JSON."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else _dumps(value)


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def _is_short(value: Any) -> bool:
    return not isinstance(value, str) or (len(value) <= 100 and "\n" not in value)


def _status(session: RecordedSession) -> str:
    return "" if session.status == "ok" else session.status


def _status_class(session: RecordedSession) -> str:
    known = session.status in ("ok", "error", "running")
    return f"ht-is-{session.status}" if known else "ht-is-ended"


def _mark(out: _Writer, session: RecordedSession) -> str:
    text = session.error if session.status == "error" else _status(session)
    return f'<span class="ht-mark {_status_class(session)}">{out.text(text or "", 120)}</span>'


def _more(count: int) -> str:
    return f'<p class="ht-dim">… and {count:,} more</p>' if count > 0 else ""


def _when(ms: float) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a clock that was wrong
        return f"{ms:.0f} ms"
