"""A server is killed and started again, and so is the program that records: all arrives, once."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aftermath import Told, check, kill, listen, stored

from ending import NEXT, PATIENCE, Place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no journal on Windows")

VICTIM = str(Path(__file__).with_name("victim.py"))
SEEDS = {"test_kills_through_an_outage": (2, 20)}


def serve(place: Place, port: int = 0) -> tuple[subprocess.Popen[str], int]:
    """A server that listens, with its store in `server.db`, and its port."""
    server = place.start("-m", "honeytrace", "serve", "--port", str(port), "--store", "server.db")
    assert server.stderr is not None
    greeting = server.stderr.readline()
    address = re.search(r"http://127\.0\.0\.1:(\d+)", greeting)
    assert address, greeting
    return server, int(address[1])


def test_kills_through_an_outage(place: Place, seed: int) -> None:
    """Some is delivered before the outage, some during it, some after it, and some by recovery."""
    chance = random.Random(seed)
    server, port = serve(place)
    remote = {
        "HONEYTRACE_API_KEY": "k",
        "HONEYTRACE_SERVER_URL": f"http://127.0.0.1:{port}",
        "HONEYTRACE_LAYOUT": chance.choice(["sessions", "tree"]),
    }
    settings = {"HONEYTRACE_FLUSH_INTERVAL": "0.001", "HONEYTRACE_JOURNAL_BYTES": str(64 << 20)}
    victim = place.start(VICTIM, str(seed), **remote, **settings)
    text = listen(victim, chance.randrange(1, 20_000))
    server.kill()
    text += listen(victim, chance.randrange(1, 5_000))
    server, _ = serve(place, port)
    text += listen(victim, chance.randrange(1, 5_000)) + kill(victim, chance, 0.01)
    recovery = place.start("-c", NEXT, **remote)
    assert recovery.communicate(timeout=PATIENCE) == ("", "")
    assert list((place.path / ".honeytrace" / "journal").iterdir()) == []
    server.terminate()
    server.communicate(timeout=PATIENCE)
    check(Told(text), stored(place.path / "server.db"))
