"""The journal against a model: any order of beginning, ending, delivering, crashing and damage."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from honeytrace._durability.journal import SMALLEST
from honeytrace._durability.recovery import recover
from honeytrace._record.record import Item
from journalled import Recorder, die, recording, recovered

sizes = st.sampled_from([0, 10, 360, 400, 500, 1_000, 5_200, 20_000])


class JournalMachine(RuleBasedStateMachine):
    """`expected` has what must come back, by id; the file is small, so it is often full."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.expected: dict[str, str] = {}
        self.start()

    def start(self) -> None:
        """A new process."""
        self.process = ExitStack()
        self.recorder: Recorder = self.process.enter_context(recording(self.directory, SMALLEST))
        self.running: dict[str, tuple[Any, Any]] = {}

    def end(self) -> None:
        while self.running:
            self.finish(len(self.running) - 1, 0)
        self.process.close()

    @rule(size=sizes)
    def begin(self, size: int) -> None:
        block = self.recorder.call("call", inputs={"x": "i" * size})
        s = block.__enter__()
        self.running[s.session_id] = (block, s)

    @precondition(lambda self: self.running)
    @rule(index=st.integers(0, 9), size=sizes)
    def finish(self, index: int, size: int) -> None:
        session_id = list(self.running)[index % len(self.running)]
        block, s = self.running.pop(session_id)
        s.outputs = "o" * size
        full = self.recorder.journal.unprotected
        block.__exit__(None, None, None)
        if session_id in self.recorder.places and self.recorder.journal.unprotected == full:
            self.expected[session_id] = "ok"

    @precondition(lambda self: self.expected)
    @rule(index=st.integers(0, 9))
    def acknowledge(self, index: int) -> None:
        session_id = list(self.expected)[index % len(self.expected)]
        self.recorder.journal.release(self.recorder.places.pop(session_id))
        del self.expected[session_id]

    @rule()
    def living_journal_is_not_touched(self) -> None:
        assert recovered(self.directory)[1].journals == 0

    @rule(fails=st.booleans(), cut=st.booleans())
    def crash(self, fails: bool, cut: bool) -> None:
        """The process dies; what comes back is what the model holds, even where delivery fails."""
        records, places = self.recorder.records, dict(self.recorder.places)
        path = Path(self.recorder.journal.path)
        die(self.recorder.journal)
        expected = {i: self.expected.get(i, "interrupted") for i in places}
        self.expected.clear()
        self.end()
        self.expected.clear()
        if fails and not cut:
            self.fail_once()
        if cut:
            os.truncate(path, SMALLEST // 2)
        items, found = recovered(self.directory)
        if cut:
            assert (items, found.damaged) == ([], 1)
        else:
            assert {item.event_id: item.status for item in items} == expected
            assert [i for i in items if i.status == "ok"] == [
                records[i.event_id] for i in items if i.status == "ok"
            ]
            assert found.damaged == 0
        assert not path.exists()
        self.start()

    def fail_once(self) -> None:
        def deliver(batch: list[Item]) -> None:
            raise ConnectionError

        try:
            recover(str(self.directory), deliver)
        except ConnectionError:
            return
        assert not list(self.directory.glob("*.journal"))

    def teardown(self) -> None:
        journal = self.recorder.journal
        die(journal)
        self.end()
        self.stack.close()


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=40, stateful_step_count=30)
