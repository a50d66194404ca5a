"""Requests by httpx: through proxies, after redirects, and after replies the driver cannot read.

httpx blocks, so a few threads send at the same time. They live as long as one batch. A thread that
hangs is left behind when time is up, and neither delivery nor the exit of the process waits for it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING

from .._capture.context import Off, current
from ._answer import LONGEST, Answer
from ._requests import Request

if TYPE_CHECKING:
    from ..api import HoneyHiveCore
    from ._driver import Work

_THREADS = 8
"""Requests at the same time. The CPU that httpx takes allows no more replies with more threads."""

DELIVERING = Off("delivering")
"""The current session while a batch is delivered, so that nothing delivery runs is recorded."""


def _is_not_ours(record: logging.LogRecord) -> bool:
    """Filter log records: httpx logs every request at INFO, and nobody wants to read delivery's."""
    return current.get() is not DELIVERING


class Detour:
    """Sends requests by httpx."""

    def __init__(self, api_key: str | None, server_url: str, concurrency: int) -> None:
        self._api_key, self._server_url = api_key, server_url
        self._most = min(concurrency, _THREADS)
        self._core: HoneyHiveCore | None = None

    def run(self, work: Work, deadline: float, request_timeout: float) -> None:
        """Send all requests, and return when they are answered or `deadline` has passed.

        The arguments are those of `Driver.run`.
        """
        team = _Team(self._connected(), self._most)
        in_flight: dict[int, tuple[Request, float, int]] = {}
        answers = number = 0
        try:
            while True:
                while len(in_flight) < team.size and (now := time.monotonic()) < deadline:
                    request = work.next_request()
                    if request is None:
                        break
                    number += 1
                    ends_at = min(now + request_timeout, deadline)
                    in_flight[number] = request, ends_at, answers
                    team.begin(number, request, ends_at)
                if not in_flight:
                    break
                ended, outcome = team.outcome(min(in_flight), in_flight[min(in_flight)][1])
                request, _, before = in_flight.pop(ended, (None, 0.0, 0))
                if request is None:  # its time was up before
                    continue
                if isinstance(outcome, Answer):
                    answers += 1
                    work.answered(request, outcome)
                else:
                    work.failed(request, outcome, others_answered=answers > before)
        finally:
            team.dismiss()

    def close(self) -> None:
        """Close the connections. The next call opens new ones."""
        core, self._core = self._core, None
        if core is not None:
            core.close()

    def _connected(self) -> HoneyHiveCore:
        if self._core is None:
            from ..api import HoneyHiveCore  # 60 ms of httpx, which the driver does without

            for name in ("httpx", "httpx2"):
                logging.getLogger(name).addFilter(_is_not_ours)
            self._core = HoneyHiveCore(
                self._api_key, server_url=self._server_url, max_reply_bytes=LONGEST, _overruns=True
            )
        return self._core


class _Team:
    """Threads that send requests, or the calling thread if no thread can be started any more."""

    def __init__(self, core: HoneyHiveCore, most: int) -> None:
        self._core = core
        self.size = most
        """The number of requests that can be under way."""
        self._threads = 0
        self._given: queue.Queue[tuple[int, Request, float] | None] = queue.Queue()
        self._outcomes: queue.Queue[tuple[int, Answer | Exception]] = queue.Queue()

    def begin(self, number: int, request: Request, ends_at: float) -> None:
        """Start sending a request, which ends at `ends_at` by the monotonic clock."""
        self._given.put((number, request, ends_at))
        if self._threads < self.size and number > self._threads:
            try:
                threading.Thread(target=self._work, name="honeytrace-send", daemon=True).start()
                self._threads += 1
            except RuntimeError:  # Python 3.12 starts no thread at exit
                self.size = max(self._threads, 1)
        if not self._threads:
            self._given.put(None)
            self._work()

    def outcome(self, oldest: int, ends_at: float) -> tuple[int, Answer | Exception]:
        """Return the outcome of a request: a timeout of the oldest one, once its time is up."""
        try:
            return self._outcomes.get(timeout=max(0.0, ends_at - time.monotonic()))
        except queue.Empty:
            self.size -= 1  # its thread is left behind
            return oldest, TimeoutError("no reply in time")

    def dismiss(self) -> None:
        """Let the threads end when they are done."""
        for _ in range(self._threads):
            self._given.put(None)

    def _work(self) -> None:
        outer = current.get()
        current.set(DELIVERING)
        try:
            while (given := self._given.get()) is not None:
                number, request, ends_at = given
                self._outcomes.put((number, self._sent(request, ends_at)))
        finally:
            current.set(outer)

    def _sent(self, request: Request, ends_at: float) -> Answer | Exception:
        try:
            reply = self._core.send_json(
                request.method,
                request.path,
                request.body,
                options={"timeout": max(0.001, ends_at - time.monotonic())},
            )
        except Exception as error:  # noqa: BLE001 - unsettled records are tried again
            return error
        return Answer(reply.status_code, dict(reply.headers), reply.body)
