"""Prices that the command line keeps: the same as the package's, without importing it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from honeytrace.lookup import prices
from honeytrace.lookup.kept_prices import KeptPrices

genai_prices = pytest.importorskip("genai_prices")

MOMENTS = [datetime(2024, 3, 1, tzinfo=timezone.utc), datetime(2026, 3, 1, 17, tzinfo=timezone.utc)]


def models(count: int) -> list[tuple[str, str]]:
    """Models of the package, with their providers: some of all, and some with odd prices."""
    from genai_prices import data_snapshot

    providers = data_snapshot.get_snapshot().providers
    every = [(provider.id, each) for provider in providers for each in provider.models]
    odd = [
        each for each in every if isinstance(each[1].prices, list) or "Tier" in repr(each[1].prices)
    ]
    chosen = random.Random(1).sample(every, count) + random.Random(2).sample(odd, count)
    return [(model.id, provider) for provider, model in chosen]


def priced(model: str, provider: str | None, counts: dict[str, int], at: datetime) -> float | None:
    return prices._from_package(model, provider, counts, at.timestamp() * 1000)


def test_a_kept_price_is_the_one_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was kept gives the package's price for any other counts on the same day, to the
    last digit, or none at all."""
    path = str(tmp_path / "cache" / "prices.json")
    known, compared = random.Random(3), 0
    monkeypatch.setattr(prices, "kept", KeptPrices(path))
    for model, provider in models(40):
        for moment in MOMENTS:
            priced(model, provider, {"prompt_tokens": 10, "completion_tokens": 3}, moment)
            fresh = KeptPrices(path)
            for _ in range(4):
                prompt = known.choice([0, 7, 1234, 199_999, 200_000, 1_500_000])
                counts = {"prompt_tokens": prompt, "completion_tokens": known.randrange(50_000)}
                counts |= {"cached_tokens": known.randrange(prompt + 1)}
                is_known, rates = fresh.find(model, provider, moment)
                found = None if rates is None else rates.price(counts)
                if not is_known or (rates is not None and found is None):
                    continue
                compared += 1
                assert found == priced(model, provider, counts, moment), (model, provider, counts)
    assert compared > 200


LISTED = """
import sys
from honeytrace.__main__ import main
main(["list", "--json", "--store", sys.argv[1]])
print("genai_prices" in sys.modules, file=sys.stderr)
"""

RECORDED = """
import sys, honeytrace
honeytrace.configure(store=sys.argv[1], journal=":none:")
for model in ("gpt-4o", "a-model-that-nobody-knows"):
    with honeytrace.session("call", event_type="model", metadata={"model": model}) as call:
        call.outputs = {"usage": {"prompt_tokens": 100, "completion_tokens": 20}}
"""


def test_a_list_imports_the_package_only_for_prices_it_has_not_kept(tmp_path: Path) -> None:
    """The second list of the same models knows the same costs without the package; another
    installation of the package, or a damaged file, is asked again."""
    store, cache = str(tmp_path / "s.db"), tmp_path / "cache"
    env = {**os.environ, "XDG_CACHE_HOME": str(cache)}

    def run(program: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, store],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )

    def listed() -> tuple[list[float | None], str]:
        done = run(LISTED)
        costs = [json.loads(line)["usage"]["cost"] for line in done.stdout.splitlines()]
        return costs, done.stderr.strip().splitlines()[-1]

    run(RECORDED)
    first, imported = listed()
    assert imported == "True"
    assert sorted(each is None for each in first) == [False, True]
    assert listed() == (first, "False")
    kept = cache / "honeytrace" / "prices.json"
    assert kept.stat().st_mode & 0o077 == 0
    whole = json.loads(kept.read_bytes())
    for broken in (b"{", json.dumps({**whole, "package": [1, 2]}).encode(), b'{"package": null}'):
        kept.write_bytes(broken)
        assert listed() == (first, "True")
    assert listed() == (first, "False")
