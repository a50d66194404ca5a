"""Journals that somebody else wrote, or spoilt, cost nobody a crash, the memory or the others."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ending import NEXT, PATIENCE, Place, ok

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no journal on Windows")

FUZZ = str(Path(__file__).with_name("fuzz.py"))
SEEDS = {"test_fuzzed": (1, 50)}
FEW, MANY = 2_000, 20_000
"""Journals of one process: its start costs as much as a thousand of them."""


def test_fuzzed(seed: int, request: pytest.FixtureRequest) -> None:
    """Bits flipped, files cut, lengths and checksums forged: read to the end, within bounds."""
    count = MANY if request.config.getoption("--full", default=False) else FEW
    command = [sys.executable, "-X", "dev", FUZZ, str(seed), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    damaged, stored = map(int, done.stdout.split())
    assert damaged > count / 2
    assert stored > 0


def test_hostile_file_costs_the_others_nothing(place: Place) -> None:
    """It is named in one line and kept aside; what is good beside it is recovered."""
    place.run("call(1)\ncall(2)\nos._exit(0)")
    journals = place.path / ".honeytrace" / "journal"
    (good,) = journals.iterdir()
    data = bytearray(good.read_bytes())
    data[16:32] = b"\xff" * 16
    (journals / "1-bad.journal").write_bytes(data)
    recovery = place.start("-c", NEXT)
    _, complained = recovery.communicate(timeout=PATIENCE)
    (line,) = [each for each in complained.splitlines() if "1-bad.journal" in each]
    assert "set a journal aside" in line
    assert (journals / "damaged" / "1-bad.journal").read_bytes() == data
    assert place.stored() == ok(1, 2)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX modes")
@pytest.mark.parametrize("umask", ["0", "0o777"])
def test_private_to_the_user(place: Place, umask: str) -> None:
    """Journals, stores and what is set aside are this user's, and nobody else's, to read."""
    place.run(f"os.umask({umask})\ncall(1)\nhoneytrace.flush(60)\ncall(2)\nos._exit(0)")
    made = list((place.path / ".honeytrace").rglob("*"))
    assert len(made) >= 3
    for path in made:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert not mode & 0o077, path
        assert mode & 0o600 == 0o600, path


def test_symlinks_are_not_followed(place: Place) -> None:
    """A link in place of the directory, or of a file in it, leads nobody anywhere."""
    elsewhere = place.path / "elsewhere"
    elsewhere.mkdir()
    secret = place.path / "secret"
    secret.write_text("mine")
    (place.path / ".honeytrace").mkdir(mode=0o700)
    (place.path / ".honeytrace" / "journal").symlink_to(elsewhere)
    place.run("call(1)\nos._exit(0)")
    assert list(elsewhere.iterdir()) == []
    (place.path / ".honeytrace" / "journal").unlink()
    (place.path / ".honeytrace" / "journal").mkdir(mode=0o700)
    (place.path / ".honeytrace" / "journal" / "1-link.journal").symlink_to(secret)
    place.start("-c", NEXT).communicate()
    assert secret.read_text() == "mine"
    assert place.stored() == ok(1)
