"""A session, or the end of a process, as one HTML file that can be shared.

The file holds everything it shows: no script, no outside resource, and a policy that forbids both,
so recorded text can load or run nothing. Values were masked when they were recorded.
"""

from __future__ import annotations

from html import escape

from .._display.html import Writer, preview
from .._display.text import duration_text
from .notebook import draw_head, draw_payload, draw_session, style
from .postmortem import OpenAtTheEnd, Postmortem, facts
from .view import SessionView

__all__ = ["postmortem_page", "session_page"]

_BUDGET = 20_000_000
"""Characters in one file."""

_MOST_CALLS = 5_000

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="honeytrace">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 24px auto; max-width: 72rem; padding: 0 16px; font-family: system-ui, sans-serif; }}
h1 {{ font-size: 20px; }} h2 {{ font-size: 15px; margin: 28px 0 6px; }}
.call {{ border-left: 2px solid color-mix(in srgb, currentColor 25%, transparent);
  padding-left: 12px; margin: 10px 0 10px calc(var(--d) * 16px); }}
dl {{ display: grid; grid-template-columns: max-content auto; gap: 2px 16px; font-size: 14px; }}
dt {{ opacity: .65; }} dd {{ margin: 0; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def session_page(session: SessionView) -> str:
    """Return a file with a session: its inputs and outputs, and its tree on a timeline."""
    out = Writer(_BUDGET)
    draw_session(out, session, _MOST_CALLS)
    return _page(session.session_name, str(out))


def postmortem_page(told: Postmortem) -> str:
    """Return a file with the end of a process: what was open, and what had ended before."""
    out = Writer(_BUDGET)
    out.add(f'<div class="honeytrace"><style>{style()}</style></div>')
    names = [each.session_name for each in told.runs]
    name = (told.death or {}).get("program") or (names[0] if names else "a run")
    out.add(f"<h1>The end of {out.text(str(name), 120)}</h1><dl>")
    for term, fact in facts(told):
        out.add(f"<dt>{escape(term)}</dt><dd>{out.text(fact, 500)}</dd>")
    out.add("</dl><h2>Open at the end</h2>")
    for each in told.open:
        _open(out, each)
    out.add("" if told.open else '<p class="ht-dim">No call was open.</p>')
    if told.model_call is not None:
        out.add("<h2>The last model call before</h2>")
        _call(out, told.model_call)
    out.add(f"<h2>{told.latest.capitalize()}</h2>")
    for finished in told.finished:
        _call(out, finished, folded=True)
    return _page(f"The end of {name}", str(out))


def _open(out: Writer, each: OpenAtTheEnd) -> None:
    age = "" if each.age is None else f" <span>open for {duration_text(each.age)} or more</span>"
    out.add(f'<div class="honeytrace call" style="--d:{min(each.depth, 20)}">')
    draw_head(out, each.session)
    out.add(f'<p class="ht-dim">{escape(each.session.event_type)}{age}</p>')
    draw_payload(out, each.session)
    out.add("</div>")


def _call(out: Writer, session: SessionView, *, folded: bool = False) -> None:
    out.add('<div class="honeytrace call" style="--d:0">')
    if folded:
        line = f"{session.session_name}  {preview(session.inputs)} → {_result(session)}"
        out.add(
            f"<details><summary>{out.text(line, 200)} "
            f"<small>{duration_text(session.duration)}</small></summary>"
        )
    draw_head(out, session)
    draw_payload(out, session)
    out.add("</details></div>" if folded else "</div>")


def _result(session: SessionView) -> str:
    return session.error or preview(session.outputs)


def _page(title: str, body: str) -> str:
    return _PAGE.format(policy=_POLICY, title=escape(title[:200].replace("\n", " ")), body=body)
