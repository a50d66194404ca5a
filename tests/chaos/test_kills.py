"""A program is killed at random instants; nothing finished is lost, doubled or spoilt."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from aftermath import Told, check, kill, listen, stored

from ending import NEXT, PATIENCE, Place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no journal on Windows")

VICTIM = str(Path(__file__).with_name("victim.py"))
SEEDS = {
    "test_kill_at_any_instant": (12, 200),
}


def test_kill_at_any_instant(place: Place, seed: int) -> None:
    """After recovery, itself killed once or twice, the store has what the program had told of."""
    chance = random.Random(seed)
    interval = chance.choice(["0.001", "600"])  # it delivers meanwhile, or leaves it to the journal
    settings = {"HONEYTRACE_FLUSH_INTERVAL": interval, "HONEYTRACE_JOURNAL_BYTES": str(32 << 20)}
    victim = place.start(VICTIM, str(seed), **settings)
    text = listen(victim, chance.randrange(1, 20_000)) + kill(victim, chance, 0.003)
    for _ in range(chance.randrange(3)):
        kill(place.start("-c", NEXT), chance, 0.4)
    recovery = place.start("-c", NEXT)
    assert recovery.communicate(timeout=PATIENCE) == ("", "")
    assert list((place.path / ".honeytrace" / "journal").iterdir()) == []
    check(Told(text), stored(place.path / ".honeytrace" / "sessions.db"))
