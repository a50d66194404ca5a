"""Which trees are recorded: decided at the root, for all of it.

With `keep_errors`, a tree that lost the draw is held in memory until its root ends, and recorded
after all when any call in it failed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from ._config import Config
from ._context import discard, hot
from ._queue import size_of
from ._session import Session


class Sampler:
    """`hot.sample`: a root's own rate, or None for the configured one → the way of its tree."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._count = count(1)
        self.left_out = 0
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

            self._random = random.Random().random  # the program's own seeded one is left alone
        return self._random()


class Held:
    """A tree that lost the draw, until it is known whether it fails; bounded in bytes."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._sessions: list[Session] = []
        self._room = sampler._config.sampled_bytes
        self._failed = False
        self._kept: bool | None = None

    def submit(self, session: Session) -> None:
        self._failed = self._failed or (
            session._failure is not None and session._failure[0] == "error"
        )
        if self._kept is None:
            self._hold(session)
            if session._root is None:
                self._decide()
        elif self._kept:
            hot.submit(session)

    def _hold(self, session: Session) -> None:
        self._sessions.append(session)
        self._room -= size_of(session)
        while self._room < 0 and len(self._sessions) > 1:
            self._room += size_of(self._sessions.pop(0))

    def _decide(self) -> None:
        self._kept = self._failed
        sessions, self._sessions = self._sessions, []
        if not self._kept:
            self._sampler.leave_out()
        for session in sessions if self._kept else ():
            hot.submit(session)
