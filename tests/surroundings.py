"""The environment that tests and the programs they start run in: without anything of ours."""

from __future__ import annotations

import os

import pytest

OURS = ("HONEYTRACE_", "HH_")
MODE = {name: os.environ[name] for name in ("HONEYTRACE_PURE_PYTHON",) if name in os.environ}
"""How the suite itself runs: programs that it starts run the same way."""


def environ(**added: str) -> dict[str, str]:
    """The environment for a program: without our settings, not under pytest, and with these."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith((*OURS, "PYTEST"))}
    return kept | MODE | added


def clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take our settings out of this process's environment, as long as the test runs."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
