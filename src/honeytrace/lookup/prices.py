"""Prices of tokens: from a price file of the user, otherwise from the `genai-prices` package.

Prices are looked up when sessions are read, never while they are recorded, so a price that changes
or was missing applies to what is already stored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .. import _config
from .._base.lazy import logger, orjson

if TYPE_CHECKING:
    from .._config import Config
    from .kept_prices import KeptPrices

kept: KeptPrices | None = None
"""Prices of the package that the command line keeps between its runs."""

MILLION = 1_000_000
_NAMES = ("input", "output", "cached")


def price(
    model: str, provider: str | None, counts: Mapping[str, int], start_time: float
) -> float | None:
    """US dollars for these counts; None where the model has no price or the counts are not known.

    counts: `prompt_tokens` (with the cached ones), `completion_tokens`, `cached_tokens`.
    start_time: milliseconds since the epoch; prices change over time.
    """
    if "prompt_tokens" not in counts and "completion_tokens" not in counts:
        return None
    row = _row(model)
    if row is not None:
        return _from_row(row, counts)
    return _from_package(model, provider, counts, start_time)


def _row(model: str) -> Mapping[str, float] | None:
    """The model's prices in the file that the setting `prices` names."""
    path = _settings().prices
    if path is None:
        return None
    try:
        table = _table(path, os.stat(path).st_mtime_ns)
    except (OSError, ValueError) as error:
        _complain(path, str(error))
        return None
    if model in table:
        return table[model]
    return next((row for name, row in table.items() if fnmatchcase(model, name)), None)


def _settings() -> Config:
    """Return what is configured in this process; the runtime of a program that does not record is
    not imported for it, 10 ms."""
    runtime = sys.modules.get("honeytrace._runtime.runtime")
    return _config.load({}) if runtime is None else runtime.settings()


@lru_cache(maxsize=4)
def _table(path: str, changed: int) -> dict[str, dict[str, float]]:
    """The price file: `{"model or pattern": {"input": …, "output": …, "cached": …}}`, in US
    dollars per million tokens. Raises OSError, and ValueError for an invalid price file."""
    with open(path, "rb") as file:
        table = orjson.loads(file.read())
    if type(table) is not dict:
        raise ValueError("it must be an object of models and their prices")
    for name, row in table.items():
        if type(row) is not dict or not row or not row.keys() <= set(_NAMES):
            raise ValueError(f"{name!r} needs prices per million tokens: {', '.join(_NAMES)}")
        if not all(type(each) in (int, float) and each >= 0 for each in row.values()):
            raise ValueError(f"a price of {name!r} is not a number of 0 or more")
    return table


@lru_cache(maxsize=16)
def _complain(path: str, reason: str) -> None:
    logger.warning("the price file %s is not used: %s", path, reason)


def _from_row(row: Mapping[str, float], counts: Mapping[str, int]) -> float | None:
    """The sum for these counts; None where the row lacks a price that they need."""
    prompt = counts.get("prompt_tokens", 0)
    cached = min(counts.get("cached_tokens", 0), prompt) if "cached" in row else 0
    amounts = {
        "input": prompt - cached,
        "cached": cached,
        "output": counts.get("completion_tokens", 0),
    }
    if any(amount and name not in row for name, amount in amounts.items()):
        return None
    return sum(amount * row.get(name, 0) for name, amount in amounts.items()) / MILLION


def _from_package(
    model: str, provider: str | None, counts: Mapping[str, int], start_time: float
) -> float | None:
    try:
        moment = datetime.fromtimestamp(start_time / 1000, timezone.utc)
    except (OverflowError, OSError, ValueError):
        moment = None
    if kept is not None and moment is not None and "genai_prices" not in sys.modules:
        known, rates = kept.find(model, provider, moment)
        amount = None if rates is None else rates.price(counts)
        if known and (rates is None or amount is not None):
            return amount
    try:
        import genai_prices  # takes half a second, so only where tokens have to be priced
    except ImportError:
        return None

    def ask(provider_id: str | None, *counted: int | None) -> Any:
        prompt, cached, completion = counted
        usage = genai_prices.Usage(
            input_tokens=prompt, output_tokens=completion, cache_read_tokens=cached
        )
        return genai_prices.calc_price(
            usage, model, provider_id=provider_id, genai_request_timestamp=moment
        )

    names = ("prompt_tokens", "cached_tokens", "completion_tokens")
    found, answered = None, None
    for answered in dict.fromkeys((provider, None)):  # not every name of a provider is known
        with suppress(LookupError, ValueError):
            found = ask(answered, *map(counts.get, names))
            break
    if kept is not None and moment is not None:
        kept.keep(model, provider, moment, found, lambda *each: ask(answered, *each).total_price)
    return None if found is None else float(found.total_price)
