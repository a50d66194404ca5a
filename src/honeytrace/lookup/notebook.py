"""Sessions as HTML, for Jupyter and everything else that asks for `_repr_html_`.

Self-contained: no script, no outside resource, styles that hold inside `.honeytrace` alone. Colours
are mixed from the text's own, so that light and dark follow the notebook's theme by themselves.
Everything recorded is escaped and cut: a cell's output stays within two megabytes.
`notebook_tables` draws comparisons and usage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files

from .._display.html import DEEPEST, Writer, draw_chips, draw_fields, draw_text, more, preview
from .._display.text import duration_text
from ..errors import HoneytraceError
from .tree import Place
from .view import SessionView

__all__ = [
    "begin",
    "draw_head",
    "draw_payload",
    "draw_session",
    "list_html",
    "session_html",
    "status_class",
    "style",
]

MOST_SESSIONS = 500
"""Of one tree or list; of more, the first are drawn."""

_WHO = ("started", "session", "status", "duration", "project", "source")
_HEADS = (*_WHO, "inputs", "outputs", "id")
_CHIPS = ("metrics", "feedback", "user_properties", "config", "metadata")


def session_html(session: SessionView) -> str:
    """Draw a session with its inputs and outputs, and its tree on a timeline."""
    out = Writer()
    draw_session(out, session, MOST_SESSIONS)
    return str(out)


def draw_session(out: Writer, session: SessionView, most: int) -> None:
    """Draw a session as `session_html` does, with at most this many calls of its tree."""
    _open(out)
    draw_head(out, session)
    draw_payload(out, session)
    try:
        found = list(session.walk())
    except HoneytraceError as error:  # the session itself is shown all the same
        text = out.text(str(error), 500)
        out.add(f'<p class="ht-dim">the calls inside cannot be read: {text}</p>')
    else:
        if len(found) > 1:
            _tree(out, found, most)
    out.add("</div>")


def list_html(sessions: Sequence[SessionView]) -> str:
    """A table of sessions, one a row."""
    out = begin()
    out.add('<div class="ht-wide"><table>')
    out.add(f"<thead><tr>{''.join(f'<th>{head}</th>' for head in _HEADS)}</tr></thead><tbody>")
    for session in sessions[:MOST_SESSIONS]:
        cells = (
            ("", _when(session.start_time)),
            ("ht-name", out.text(session.session_name, 80)),
            (status_class(session), out.text(_status(session), 40)),
            ("ht-num", duration_text(session.duration)),
            ("", out.text(session.project, 40)),
            ("", out.text(session.source, 40)),
            ("ht-cut", out.text(preview(session.inputs), 200)),
            (f"ht-cut {status_class(session)}", out.text(_result(session), 200)),
            ("ht-id", out.text(session.session_id, 64)),
        )
        row = "".join(f'<td class="{name}">{text}</td>' for name, text in cells)
        out.add(f"<tr>{row}</tr>")
    out.add("</tbody></table></div>")
    out.add(more(len(sessions) - MOST_SESSIONS))
    out.add("" if sessions else '<p class="ht-dim">no sessions</p>')
    out.add("</div>")
    return str(out)


def begin() -> Writer:
    """Return a writer with the beginning of an output, which `</div>` ends."""
    out = Writer()
    _open(out)
    return out


def _open(out: Writer) -> None:
    out.add(f'<div class="honeytrace"><style>{style()}</style>')


@cache
def style() -> str:
    """Return the style sheet, with its class written four times in each selector.

    JupyterLab styles tables by selectors of two classes and three elements. Four classes outrank
    them, whatever order the style sheets come in.
    """
    text = files(__package__).joinpath("notebook.css").read_text("utf-8")
    return text.replace(".honeytrace", ".honeytrace" * 4)


def draw_head(out: Writer, session: SessionView) -> None:
    """Draw name, status, duration, start and id on a line."""
    facts = [
        duration_text(session.duration),
        _when(session.start_time),
        *(out.text(text, 80) for text in (session.project, session.source) if text),
    ]
    out.add(
        f'<div class="ht-head"><b>{out.text(session.session_name, 200)}</b>'
        f'<span class="{status_class(session)}">{out.text(_status(session), 40)}</span>'
        f"<span>{'</span><span>'.join(facts)}</span>"
        f'<code class="ht-id">{out.text(session.session_id, 64)}</code></div>'
    )


def _tree(out: Writer, found: list[tuple[SessionView, Place]], most: int) -> None:
    """Draw each session as a row with its bar; an opened row shows inputs, outputs and children."""
    ends = [s.start_time + (s.duration or 0.0) for s, _ in found]
    start = min(s.start_time for s, _ in found)
    span = (max(ends) - start) or 1.0
    shown = found[:most]
    failed = _above_failures(shown)
    out.add('<div class="ht-tree">')
    level = 0
    for number, (session, place) in enumerate(shown):
        out.add("</details>" * (level - min(place.depth, DEEPEST)))
        level = min(place.depth, DEEPEST) + 1
        inner = number + 1 < len(shown) and shown[number + 1][1].depth > place.depth
        is_open = inner and (len(found) <= 100 or place.depth == 0 or number in failed)
        left = (session.start_time - start) / span * 100
        width = 100 - left if session.duration is None else session.duration / span * 100
        out.add(
            f'<details class="ht-row"{" open" if is_open else ""} style="--d:{place.depth}">'
            f'<summary><span class="ht-name">{out.text(session.session_name, 120)}'
            f"</span>{_mark(out, session)}"
            f'<span class="ht-bar"><i class="{status_class(session)}"'
            f' style="left:{left:.3f}%;width:{width:.3f}%"></i></span>'
            f'<span class="ht-num">{duration_text(session.duration)}</span></summary>'
        )
        if place.depth and not out.spent:
            _inside(out, session, inner)
    out.add("</details>" * level + "</div>" + more(len(found) - most))


def _inside(out: Writer, session: SessionView, inner: bool) -> None:
    """The payload of a row; where more rows follow inside, folded behind a line of it."""
    if inner:
        line = f"{preview(session.inputs)} → {_result(session)}"
        out.add(f'<details class="ht-io"><summary>{out.text(line, 160)}</summary>')
    out.add('<div class="ht-payload">')
    draw_payload(out, session)
    out.add("</div>" + ("</details>" if inner else ""))


def _above_failures(found: Iterable[tuple[SessionView, Place]]) -> set[int]:
    """The rows to open, so that every failed session shows."""
    rows: set[int] = set()
    above: list[int] = []
    for number, (session, place) in enumerate(found):
        del above[place.depth :]
        if session.status == "error":
            rows.update(above)
        above.append(number)
    return rows


def draw_payload(out: Writer, session: SessionView) -> None:
    """Draw error, inputs, outputs and the other fields of a session."""
    if session.error is not None:
        out.add(f'<div class="ht-failure">{draw_text(out, session.error)}')
        if session.traceback:
            out.add("<details><summary>traceback</summary>")
            out.add(f"<pre>{out.text(session.traceback)}</pre></details>")
        out.add("</div>")
    for name, fields in (("inputs", session.inputs), ("outputs", session.outputs)):
        if fields:
            _field(out, name, draw_fields(out, fields))
    for name in _CHIPS:
        if fields := getattr(session, name):
            _field(out, name.replace("_", " "), draw_chips(out, fields))


def _field(out: Writer, name: str, drawn: str) -> None:
    out.add(f'<div class="ht-field"><h4>{name}</h4><div>{drawn}</div></div>')


def _result(session: SessionView) -> str:
    return session.error or preview(session.outputs)


def _status(session: SessionView) -> str:
    return "" if session.status == "ok" else session.status


def status_class(session: SessionView) -> str:
    """Return the class of the style of a status."""
    known = session.status in ("ok", "error", "running")
    return f"ht-is-{session.status}" if known else "ht-is-ended"


def _mark(out: Writer, session: SessionView) -> str:
    text = session.error if session.status == "error" else _status(session)
    return f'<span class="ht-mark {status_class(session)}">{out.text(text or "", 120)}</span>'


def _when(ms: float) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a clock that was wrong
        return f"{ms:.0f} ms"
