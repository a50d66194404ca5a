"""Prices of the `genai-prices` package that were needed before, kept in a file.

Importing the package takes half a second, longer than everything else in a list of sessions. A kept
price holds for the installed files of the package, and only where it is a rate for each token:
prices that depend on the time of day are asked for again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from importlib.machinery import PathFinder
from typing import Any, NamedTuple, Protocol

from .._base.lazy import orjson

__all__ = ["KeptPrices", "Rates"]

_UNIT = 10**12
"""A rate is a whole number of these parts of a US dollar for a token, so that sums are exact."""

_PROBE = 1_000
"""Tokens that the package is asked the price of, to know a rate."""

_MOST = 500
"""Rates that are kept, the newest."""

_BY_DATE = ("NoneType", "StartDateConstraint")
"""Conditions of a price that are the same all day."""


class Rates(NamedTuple):
    """What a token costs, in parts of `_UNIT`; with `below`, up to so many prompt tokens."""

    prompt: int
    cached: int
    completion: int
    below: int | None

    def price(self, counts: Mapping[str, int]) -> float | None:
        """Return the price of these counts; None if these rates do not cover them."""
        prompt, completion = counts.get("prompt_tokens", 0), counts.get("completion_tokens", 0)
        cached = counts.get("cached_tokens", 0)
        if not 0 <= cached <= prompt or (self.below is not None and prompt >= self.below):
            return None
        parts = (
            (prompt - cached) * self.prompt + cached * self.cached + completion * self.completion
        )
        return parts / _UNIT


class Price(Protocol):
    """The package's price of these tokens of one model: prompt, cached, completion."""

    def __call__(self, prompt: int, cached: int, completion: int) -> Any: ...


class KeptPrices:
    """The rates in a file. A file that cannot be read or written keeps nothing."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._rates: dict[str, list[int | None] | None] | None = None
        self._package: list[int] | None = None

    def find(self, model: str, provider: str | None, moment: datetime) -> tuple[bool, Rates | None]:
        """Return whether it is known what a token costs, and the rates; None for no price."""
        rates = self._read()
        for key in _keys(model, provider, moment):
            if key in rates:
                kept = rates[key]
                return True, None if kept is None else Rates(*kept)  # type: ignore[arg-type]
        return False, None

    def keep(
        self, model: str, provider: str | None, moment: datetime, found: Any, price: Price
    ) -> None:
        """Keep what a model costs. `found`: the package's answer; None if it has no price.

        `price` asks the package for the price of other counts of the same model and moment.
        """
        always, today = _keys(model, provider, moment)
        if found is None:
            self._write(always, None)
            return
        with suppress(AttributeError, TypeError, ValueError):  # a package of another version
            conditions = found.model.prices if isinstance(found.model.prices, list) else []
            if any(type(each.constraint).__name__ not in _BY_DATE for each in conditions):
                return
            rates = _rates(found.model_price, price)
            if rates is not None:
                self._write(today if conditions else always, list(rates))

    def _read(self) -> dict[str, list[int | None] | None]:
        if self._rates is None:
            self._rates, self._package = {}, _installed()
            with suppress(OSError, ValueError, KeyError, TypeError):
                with open(self._path, "rb") as file:
                    kept = orjson.loads(file.read())
                if self._package is not None and kept["package"] == self._package:
                    self._rates = dict(kept["rates"])
        return self._rates

    def _write(self, key: str, kept: list[int | None] | None) -> None:
        rates = self._read()
        rates[key] = kept
        for old in list(rates)[:-_MOST]:
            del rates[old]
        with suppress(OSError):
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            new = f"{self._path}.{os.getpid()}"
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(orjson.dumps({"package": self._package, "rates": rates}))
            os.replace(new, self._path)


def _keys(model: str, provider: str | None, moment: datetime) -> tuple[str, str]:
    """Return the key of a price that always holds, and that of one that holds on this day."""
    always = f"{model}\n{provider or ''}"
    return always, f"{always}\n{moment.date().isoformat()}"


def _rates(model_price: Any, price: Price) -> Rates | None:
    """Return the rates of a model; None if its price is not a rate for each token."""
    starts = [
        tier.start for each in vars(model_price).values() for tier in getattr(each, "tiers", ())
    ]
    below = min(starts, default=None)
    if below is not None and below <= _PROBE:
        return None
    asked = (price(_PROBE, 0, 0), price(_PROBE, _PROBE, 0), price(0, 0, _PROBE))
    parts = [total * _UNIT / _PROBE for total in asked]
    if any(each != int(each) for each in parts):
        return None
    prompt, cached, completion = map(int, parts)
    return Rates(prompt, cached, completion, below)


def _installed() -> list[int] | None:
    """Return what tells one installation of the package from another; None without it."""
    found = PathFinder.find_spec("genai_prices")
    if found is None or not found.origin:
        return None
    with suppress(OSError):
        data = os.stat(os.path.join(os.path.dirname(found.origin), "data.py"))
        return [data.st_mtime_ns, data.st_size]
    return None
