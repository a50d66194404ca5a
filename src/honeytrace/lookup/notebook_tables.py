"""Comparisons of two runs, and tokens and cost, as HTML tables for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

from .._display.figures import amount_text
from .._display.html import Writer, more
from .._display.text import duration_text
from .._display.words import Words, differing_words
from .notebook import begin, status_class
from .tree import Place
from .view import SessionView

__all__ = ["comparison_html", "usage_html"]

_ROWS = 500
"""Number of calls that are drawn."""

_DEEPEST = 12
"""Levels of indentation."""

_SIGNS = {"same": "=", "changed": "~", "added": "+", "removed": "\u2212"}


class ChangeView(Protocol):
    """A changed value."""

    @property
    def path(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def before(self) -> Any: ...
    @property
    def after(self) -> Any: ...


class PairView(Protocol):
    """A call of one run and the corresponding call of the other."""

    @property
    def status(self) -> str: ...
    @property
    def place(self) -> Place: ...
    @property
    def session_name(self) -> str: ...
    @property
    def before(self) -> SessionView | None: ...
    @property
    def after(self) -> SessionView | None: ...
    @property
    def changes(self) -> Sequence[ChangeView]: ...


class UsageView(Protocol):
    """Tokens and cost, in sum and by model."""

    @property
    def prompt_tokens(self) -> int | None: ...
    @property
    def completion_tokens(self) -> int | None: ...
    @property
    def cached_tokens(self) -> int | None: ...
    @property
    def total_tokens(self) -> int | None: ...
    @property
    def cost(self) -> float | None: ...
    @property
    def unpriced(self) -> Sequence[str]: ...


def comparison_html(pairs: Sequence[PairView], counts: Mapping[str, int]) -> str:
    """Draw the calls of both runs with their durations and changed values."""
    out = begin()
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    out.add(f'<p class="ht-dim">{told}</p>')
    if not any(count for name, count in counts.items() if name != "same"):
        out.add("<p>The two runs are equal. Only times and generated ids may differ.</p>")
    out.add('<div class="ht-wide"><table class="ht-compared"><thead><tr><th>call</th>')
    out.add('<th class="ht-num">before</th><th class="ht-num">after</th></tr></thead><tbody>')
    for pair in pairs[:_ROWS]:
        _pair(out, pair)
    out.add(f"</tbody></table></div>{more(len(pairs) - _ROWS)}</div>")
    return str(out)


def _pair(out: Writer, pair: PairView) -> None:
    sign = f'<span class="ht-sign" title="{pair.status}">{_SIGNS.get(pair.status, "?")}</span>'
    depth = f"--d:{min(pair.place.depth, _DEEPEST)}"
    name = out.text(pair.session_name, 120)
    took = "".join(
        f'<td class="ht-num {status_class(each) if each else ""}">'
        f"{duration_text(each.duration) if each else ''}</td>"
        for each in (pair.before, pair.after)
    )
    out.add(f'<tr class="ht-{pair.status}"><td class="ht-name" style="{depth}">{sign}{name}</td>')
    out.add(f"{took}</tr>")
    if pair.changes and not out.spent:
        rows = "".join(_change(out, each) for each in pair.changes)
        out.add(f'<tr><td colspan="3" class="ht-changes" style="{depth}">{rows}</td></tr>')


def _change(out: Writer, change: ChangeView) -> str:
    words = differing_words(change.before, change.after)
    if words is None:
        old, new = (out.text(_text(each), 400) for each in (change.before, change.after))
    else:
        old, new = (_marked(out, each) for each in words)
    sides = f"<del>{old}</del>" if change.kind != "added" else "<span></span>"
    sides += f"<ins>{new}</ins>" if change.kind != "removed" else ""
    return f'<div class="ht-change"><code>{out.text(change.path, 120)}</code>{sides}</div>'


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _marked(out: Writer, words: Words) -> str:
    drawn = ((out.text(text), differs and text) for text, differs in words)
    return "".join(f"<mark>{text}</mark>" if differs else text for text, differs in drawn)


def usage_html(usage: UsageView, models: Mapping[str, UsageView]) -> str:
    """Draw tokens and cost by model, and their sum."""
    out = begin()
    heads = ("model", "prompt", "completion", "cached", "tokens", "cost")
    row = "".join(f'<th class="{"" if n == 0 else "ht-num"}">{h}</th>' for n, h in enumerate(heads))
    out.add(f'<div class="ht-wide"><table class="ht-usage"><thead><tr>{row}</tr></thead><tbody>')
    for name, each in models.items():
        out.add(_usage(out, name, each, unpriced=name in usage.unpriced))
    if len(models) != 1:
        out.add(_usage(out, "all", usage, unpriced=bool(usage.unpriced)))
    out.add("</tbody></table></div></div>")
    return str(out)


def _usage(out: Writer, name: str, usage: UsageView, *, unpriced: bool) -> str:
    counts = (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        usage.total_tokens,
    )
    cells = ["" if count is None else f"{count:,}" for count in counts]
    known = usage.cost is not None
    cells.append(amount_text(usage.cost, at_least=unpriced) if usage.cost is not None else "")
    if unpriced and not known:
        cells[-1] = "no price"
    numbers = "".join(f'<td class="ht-num">{out.text(cell)}</td>' for cell in cells)
    return f'<tr><td class="ht-name">{out.text(name, 80)}</td>{numbers}</tr>'
