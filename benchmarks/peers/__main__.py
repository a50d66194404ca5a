"""`python -m benchmarks.peers install [name ...]`; `list` tells what is there."""

from __future__ import annotations

import subprocess
import sys

from . import PINS, install, installed


def main(command: str, *names: str) -> int:
    failed = 0
    for peer in names or PINS:
        if command == "install":
            try:
                install(peer)
            except subprocess.CalledProcessError:
                failed += 1
        print(peer, *PINS[peer], "installed" if installed(peer) else "not installed")
    return failed


if __name__ == "__main__":
    if sys.argv[1:2] not in (["install"], ["list"]):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
