"""Sets of replays as HTML tables for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .._display.html import Writer, more
from .notebook import begin
from .replays import ReplayRow, Standing

__all__ = ["replays_html"]

_ROWS = 500
"""Number of runs that are drawn."""

_SIGNS = {"match": "=", "changed": "~", "failed": "\u2717", "refused": "\u2212"}
_STYLES = {"match": "ht-same", "changed": "ht-changed", "failed": "ht-error"}


def replays_html(
    rows: Sequence[ReplayRow], counts: Mapping[str, int], scores: Mapping[str, Standing]
) -> str:
    """Draw the runs of a set, before and after, below its counts and mean scores."""
    out = begin()
    told = [f"{count:,} {verdict}" for verdict, count in counts.items() if count]
    told += [standing_text(name, each) for name, each in scores.items()]
    out.add(f'<p class="ht-dim">{out.text("; ".join(told))}</p>')
    heads = ("call", "", *scores, "duration", "tokens", "cost")
    cells = "".join(f'<th class="{"ht-num" if n > 1 else ""}">{out.text(head, 60)}</th>'
                    for n, head in enumerate(heads))  # fmt: skip
    out.add(f'<div class="ht-wide"><table class="ht-compared"><thead><tr>{cells}</tr></thead>')
    out.add("<tbody>")
    for row in rows[:_ROWS]:
        _row(out, row, list(scores))
    out.add(f"</tbody></table></div>{more(len(rows) - _ROWS)}</div>")
    return str(out)


def _row(out: Writer, row: ReplayRow, scores: Sequence[str]) -> None:
    style = _STYLES.get(row.verdict, "ht-dim")
    sign = f'<span class="ht-sign">{_SIGNS.get(row.verdict, "?")}</span>'
    name = f'{out.text(row.session_name, 80)} <span class="ht-dim">{out.text(row.asked)}</span>'
    told = out.text(row.reason or row.verdict, 400)
    figures = [str(row.scores[each]) if each in row.scores else "" for each in scores]
    figures += pairs(row)
    cells = "".join(f'<td class="ht-num">{out.text(each)}</td>' for each in figures)
    out.add(f'<tr class="{style}"><td class="ht-name">{sign}{name}</td><td>{told}</td>{cells}</tr>')


def pairs(row: ReplayRow) -> list[str]:
    """Return duration, tokens and cost, each before and after."""
    both = zip(row.before.texts, row.after.texts, strict=True)
    return [" → ".join(each or "\u2013" for each in pair) if any(pair) else "" for pair in both]


def standing_text(name: str, standing: Standing) -> str:
    """Return a score over a set in one line."""
    if standing.before is None or standing.after is None:
        return f"{name}: no run has it before and after"
    return (
        f"{name} {standing.before:.4g} → {standing.after:.4g} "
        f"({standing.better} better, {standing.worse} worse)"
    )
