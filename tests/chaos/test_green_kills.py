"""Programs of greenlets are killed at random instants; nothing finished is lost or doubled."""

from __future__ import annotations

import random
import sys
from importlib.util import find_spec

import pytest
from aftermath import Told, check, kill, listen, stored

from ending import NEXT, PATIENCE, Place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no journal on Windows")

SEEDS = {"test_kill_of_greenlets": (2, 20)}
LIBRARIES = {
    "gevent": "from gevent import monkey; monkey.patch_all(); from gevent import sleep, spawn",
    "eventlet": "import eventlet; eventlet.monkey_patch(); from eventlet import sleep, spawn",
}
VICTIM = """
import os, warnings
warnings.simplefilter("ignore")
write = os.write  # eventlet's own lets others run in the middle of a line
{patch}
import itertools, random, honeytrace
chance, numbers = random.Random({seed}), itertools.count()
def tell(what, *about): write(1, f"{{what}} {{' '.join(map(str, about))}}\\n".encode())
@honeytrace.trace_session(capture_inputs=["n", "pad"])
def call(n, pad, by=-1):
    tell("B", n, by)
    sleep(chance.choice([0, 0.001]))
    if by < 0:
        inner(n)
    return {{"n": n, "pad": pad[: len(pad) // 2]}}
def inner(by):
    n = next(numbers)
    call(n, "x" * chance.choice([0, 300, 5_000]), by)
    tell("E", n)
def work():
    while True:
        n = next(numbers)
        call(n, "y" * chance.choice([0, 300, 5_000]))
        tell("E", n)
for _ in range(8): spawn(work)
sleep(600)
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_kill_of_greenlets(place: Place, seed: int, library: str) -> None:
    """The journal has every call that returned, whichever greenlet ran it, and those in flight."""
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    chance = random.Random(seed)
    settings = {
        "HONEYTRACE_FLUSH_INTERVAL": chance.choice(["0.001", "600"]),
        "HONEYTRACE_JOURNAL_BYTES": str(32 << 20),
    }
    program = VICTIM.format(patch=LIBRARIES[library], seed=seed)
    victim = place.start("-c", program, **settings)
    text = listen(victim, chance.randrange(1, 5_000)) + kill(victim, chance, 0.003)
    recovery = place.start("-c", NEXT)
    assert recovery.communicate(timeout=PATIENCE) == ("", "")
    assert list((place.path / ".honeytrace" / "journal").iterdir()) == []
    check(Told(text), stored(place.path / ".honeytrace" / "sessions.db"))
