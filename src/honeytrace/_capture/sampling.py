"""Sampling of trees: the root decides for the whole tree.

With `keep_errors`, a tree that lost the draw is held in memory until its root ends. It is recorded
after all if any call in it failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count

from .._config import Config
from .hooks import discard, hooks
from .session import Session


class Sampler:
    """The hook `sample`: takes a root's own rate, or None for the configured one."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._count = count(1)
        self.left_out = 0
        self.cut = 0
        """Number of sessions missing from recorded trees because there was no room to hold them."""
        self._random: Callable[[], float] | None = None

    def __call__(self, rate: float | None) -> Callable[[Session], None] | None:
        rate = self._config.sample_rate if rate is None else rate
        if rate >= 1.0 or (rate > 0.0 and self._draw() < rate):
            return None
        if self._config.keep_errors:
            return Held(self).submit
        self.leave_out()
        return discard

    def leave_out(self) -> None:
        self.left_out = next(self._count)

    def _draw(self) -> float:
        if self._random is None:
            import random

            self._random = random.Random().random  # the program's seeded one is not used
        return self._random()


class Held:
    """A tree that lost the draw, held until its root ends; bounded in bytes, the newest are kept.

    It has no locks, because a finaliser may trace: every session is appended first and taken once.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._sessions: deque[Session] = deque()
        self._room = sampler._config.sampled_bytes
        self._cut = 0
        self._failed = False
        self._kept: bool | None = None

    def submit(self, session: Session) -> None:
        if session._failure is not None and session._failure[0] == "error":
            self._failed = True
        self._sessions.append(session)
        if self._kept is None and session._root is None:
            self._decide()
        if self._kept is None:
            self._trim(session.size())
        else:
            self._release()

    def _trim(self, size: int) -> None:
        self._room -= size
        while self._room < 0 and len(self._sessions) > 1:
            self._room += self._sessions.popleft().size()
            self._cut += 1

    def _decide(self) -> None:
        self._kept = self._failed
        if self._kept:
            self._sampler.cut += self._cut
        else:
            self._sampler.leave_out()

    def _release(self) -> None:
        while self._sessions:
            session = self._sessions.popleft()
            if self._kept:
                hooks.submit(session)
