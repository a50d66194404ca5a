"""Tokens and cost on the command line: of one session, of a page of a list, and per name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import islice

from .._display.figures import amount_text
from .._record.record import Record
from ..lookup import StoreFamily, prices
from ..lookup.kept_prices import KeptPrices
from ..lookup.usage import Usage, own_usage, total, tree_usage
from ..store import Query, Reader
from ._target import pages

__all__ = ["cost_text", "page_usage", "per_name", "short_cost", "usage_text"]

NEWEST = 10_000
"""Sessions whose values are read for the figures per name: about a second."""


def _cache() -> str:
    """Return the file of kept prices, as the XDG Base Directory Specification has caches."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "honeytrace", "prices.json")


if os.path.isabs(_cache()):  # a user without a home leaves the "~" as it is
    prices.kept = KeptPrices(_cache())


def page_usage(reader: Reader, records: Sequence[Record]) -> dict[str, Usage]:
    """Return the usage of each session and its descendants by id, with one query per tree."""
    family = StoreFamily(reader)
    known: dict[str, Usage] = {}
    for record in records:
        if record.event_id in known:
            continue
        session = family.load(record)
        found = family.descendants(session)
        top = next((each for each in found if each.session_id == record.root_id), session)
        known.update(tree_usage(top, found))
        if record.event_id not in known:  # its parent was never recorded
            known.update(tree_usage(session, found))
    return known


def per_name(reader: Reader, query: Query, newest: int) -> dict[str, Usage]:
    """Return the usage that the newest calls of each name recorded, without their descendants."""
    family = StoreFamily(reader)
    usages: dict[str, list[Usage]] = {}
    for record in islice(pages(reader, query), min(newest, NEWEST)):
        usage = own_usage(family.load(record))
        if usage:
            usages.setdefault(record.event_name, []).append(usage)
    return {name: total(each) for name, each in usages.items()}


def usage_text(usage: Usage) -> str:
    """The figures in one line; empty where none is known."""
    if not usage:
        return ""
    halves = [
        f"{count:,} {word}"
        for count, word in (
            (usage.prompt_tokens, "in"),
            (usage.completion_tokens, "out"),
            (usage.cached_tokens, "cached"),
        )
        if count is not None
    ]
    inside = f" ({', '.join(halves)})" if halves else ""
    tokens = f"{_or_unknown(usage.total_tokens)} tokens{inside}"
    return f"{tokens}, {cost_text(usage)}"


def cost_text(usage: Usage) -> str:
    """The cost in US dollars; a lower bound where models without a price were used."""
    if usage.cost is None or (usage.unpriced and not usage.cost):
        return "cost unknown" + _unpriced(usage.unpriced)
    amount = amount_text(usage.cost, in_full=True)
    return f"at least {amount}{_unpriced(usage.unpriced)}" if usage.unpriced else amount


def short_cost(usage: Usage) -> str:
    """The cost, `unknown` where there is no price, and empty where no tokens were recorded."""
    if not usage:
        return ""
    if usage.cost is None or (usage.unpriced and not usage.cost):
        return "unknown"
    return cost_text(usage._replace(unpriced=())) + ("+" if usage.unpriced else "")


def _unpriced(models: Iterable[str]) -> str:
    names = ", ".join(models)
    return f" (no price for {names})" if names else ""


def _or_unknown(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"
