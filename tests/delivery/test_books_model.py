"""Queue, journal, disk and recovery against a model: the books balance at every step."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import honeytrace
from destinations import Scripted, isolated
from honeytrace import session
from honeytrace._durability.journal import SMALLEST, forget_all
from honeytrace._durability.recovery import AwayError, recover_all
from honeytrace._durability.redelivery import Redelivery
from honeytrace._record.record import Item
from honeytrace._runtime import runtime as _runtime
from honeytrace.sinks import Delivery

sizes = st.sampled_from([0, 10, 400, 1_000, 6_000, 30_000])
which = st.integers(0, 50)


class BooksMachine(RuleBasedStateMachine):
    """A program with a small journal and a small queue; deliveries are made by hand.

    `expected` has what was recorded and neither delivered nor refused, `known` all that was
    recorded; `loose` is what found no room in the journal, and is not missed after a crash.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        patch = self.stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("honeytrace._durability.redelivery.PAUSES", ())
        patch.setattr("honeytrace._runtime.keeper.Keeper._start_recovery", lambda self: None)
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.stack.callback(os.chdir, os.getcwd())
        self.stack.enter_context(isolated(patch, directory))
        self.journal = os.path.join(directory, "j")
        self.sink = Scripted()
        self.start()

    def start(self) -> None:
        """A new process."""
        _runtime.unconfigured()
        self.known: set[str] = set()
        self.expected: set[str] = set()
        self.loose: set[str] = set()
        self.running: list[Any] = []
        self.recorded = self.refused = self.updates = 0
        self.configure(20_000, 10**9)

    @rule(queue=st.sampled_from([5_000, 20_000, 200_000]), disk=st.sampled_from([100_000, 10**9]))
    def configure(self, queue: int, disk: int) -> None:
        """Also in the middle: another journal, the same books."""
        honeytrace.configure(
            sink=self.sink,
            journal=self.journal,
            journal_bytes=SMALLEST,
            queue_bytes=queue,
            disk_bytes=disk,
            batch_size=10,
            exit_timeout=0,
        )
        self.flusher = _runtime.runtime().flusher
        self.flusher._attend = self.flusher.queue.attend = lambda: None  # type: ignore[method-assign]

    @rule(size=sizes)
    def begin(self, size: int) -> None:
        block = session("call", inputs={"pad": "i" * size})
        self.running.append((block, block.__enter__()))

    @precondition(lambda self: self.running)
    @rule(index=which, size=sizes)
    def end(self, index: int, size: int) -> None:
        block, s = self.running.pop(index % len(self.running))
        s.outputs = "o" * size
        has_slot, loose = s._slot is not None, _runtime.runtime().keeper.unprotected
        block.__exit__(None, None, None)
        self.recorded += 1
        self.expect(s.session_id)
        if not has_slot or _runtime.runtime().keeper.unprotected > loose:
            self.loose.add(s.session_id)

    def expect(self, name: str) -> None:
        self.known.add(name)
        self.expected.add(name)

    @rule(count=st.integers(1, 40), size=sizes)
    def calls(self, count: int, size: int) -> None:
        for _ in range(count):
            self.begin(size)
            self.end(-1, size // 2)

    @rule(size=sizes)
    def update(self, size: int) -> None:
        self.updates += 1
        self.recorded += 1
        name, loose = f"update-{self.updates}", _runtime.runtime().keeper.unprotected
        honeytrace.update_session(name, feedback={"pad": "u" * size})
        self.expect(name)
        if _runtime.runtime().keeper.unprotected > loose:
            self.loose.add(name)

    @rule(how=st.sampled_from(["taken", "taken", "half", "odd", "away", "busy"]))
    def deliver(self, how: str) -> None:
        """One batch meets a destination that is as it is just now."""
        before = len(self.sink.batches)
        self.sink.answer = {
            "taken": lambda batch: None,
            "half": lambda batch: Delivery(batch[len(batch) // 2 :]),
            "odd": lambda batch: Delivery(refused=[(batch[0], "odd")]),
            "away": lambda batch: ConnectionError("away"),
            "busy": lambda batch: Delivery(batch, retry_after=1.0),
        }[how]
        self.flusher.deliverer.step(60.0)
        for batch in self.sink.batches[before:]:
            fate = self.sink.answer(batch)
            fate = Delivery(batch) if isinstance(fate, ConnectionError) else fate or Delivery()
            waits = {item.event_id for item in fate.retry}
            self.expected -= {item.event_id for item in batch} - waits
            self.refused += len(fate.refused)

    @precondition(lambda self: self.expected and not self.dropped())
    @rule(index=which)
    def look_up(self, index: int) -> None:
        """What waits is found, wherever that is."""
        wanted = sorted(self.expected)[index % len(self.expected)]
        if not wanted.startswith("update"):
            assert honeytrace.get_session(wanted, timeout=0.0).session_id == wanted

    @rule(fails=st.integers(0, 3), exits=st.booleans())
    def crash(self, fails: int, exits: bool) -> None:
        """The process dies; recovery brings back what it had, although some attempts fail.

        When it comes to its end instead, what was in memory alone is there, too.
        """
        if exits:
            _runtime.runtime().finish()
            self.loose = self.loose if self.flusher.config.disk_bytes < 10**9 else set()
        dropped = self.dropped()
        interrupted = {s.session_id for _, s in self.running if s._slot is not None}
        forget_all()
        self.flusher.forget()
        found: list[Item] = []

        def answer(batch: list[Item]) -> Any:
            nonlocal fails
            if fails:
                fails -= 1
                found.extend(batch[:3])
                return Delivery(batch[3:], retry_after=1.0)
            found.extend(batch)
            return None

        while True:
            try:
                recover_all(self.journal, Redelivery(lambda: Scripted(answer)).deliver)
            except AwayError:
                continue
            break
        ids = [item.event_id for item in found]
        assert len(set(ids)) == len(ids)
        assert len(self.expected - self.loose - set(ids)) <= dropped
        assert set(ids) <= self.known | interrupted  # what was on disk alone may come again
        assert interrupted <= set(ids)
        if os.path.exists(self.journal):
            assert set(os.listdir(self.journal)) <= {"refused"}
        while self.running:
            block, s = self.running.pop()
            s._submit, s._slot = bool, None  # nobody is there to take it
            block.__exit__(None, None, None)
        self.start()

    @invariant()
    def books_balance(self) -> None:
        stats = honeytrace.stats()
        assert stats.recorded == self.recorded
        assert stats.delivered == self.recorded - len(self.expected) - self.refused
        assert sum(stats.refused.values()) == self.refused
        assert stats.pending + stats.journalled + self.dropped() == len(self.expected)

    def dropped(self) -> int:
        """So many of the expected were given up: nobody says which."""
        return sum(honeytrace.stats().dropped.values())

    def teardown(self) -> None:
        while self.running:
            self.end(0, 0)
        self.stack.close()


TestBooks = BooksMachine.TestCase
TestBooks.settings = settings(max_examples=80, stateful_step_count=30)
