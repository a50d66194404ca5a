"""A recorder for the journal's tests: sessions as capture makes them, journalled one by one."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import honeytrace
from honeytrace import testing
from honeytrace._capture.call import begin, done
from honeytrace._capture.finished import record_of
from honeytrace._capture.hooks import hooks
from honeytrace._capture.session import Session
from honeytrace._capture.spec import Spec
from honeytrace._durability.journal import Journal, Slot
from honeytrace._durability.recovery import Recovered, recover
from honeytrace._record.record import Item, Record

SIZE = 256 * 1024


class Recorder:
    """Journals what runs through it; `places` and `records` hold, by id, what was not released."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.places: dict[str, Slot] = {}
        self.records: dict[str, Record] = {}

    def submit(self, s: Session) -> None:
        place = self.places.get(s.session_id)
        if place is not None:
            self.journal.closed(s, place)
        self.records[s.session_id] = record_of(s, "p", "src")

    def take(self, s: Session) -> None:
        """Journal a call that has begun, where there is room."""
        place = self.journal.opened(s)
        if place is not None:
            self.places[s.session_id] = place

    @contextmanager
    def call(self, name: str = "call", **fields: Any) -> Iterator[Session]:
        """A traced block; what is set in it is known only at its end."""
        with honeytrace.session(name, **fields) as s:
            self.take(s)
            yield s


@contextmanager
def recording(directory: Path, size: int = SIZE) -> Iterator[Recorder]:
    journal = Journal.create(str(directory), size, "p", "src")
    recorder = Recorder(journal)
    with testing.capture():
        before, hooks.submit = hooks.submit, recorder.submit
        try:
            yield recorder
        finally:
            hooks.submit = before


def die(journal: Journal) -> None:
    """What the death of its process does to a journal: the lock goes, the file stays."""
    journal.forget()


def recovered(directory: Path) -> tuple[list[Item], Recovered]:
    items: list[Item] = []
    return items, recover(str(directory), items.extend)


# what calls can be like: each takes a Recorder


def plain(recorder: Recorder) -> None:
    with recorder.call("plain", inputs={"q": "why?"}) as s:
        s.outputs = {"a": 42}


def empty(recorder: Recorder) -> None:
    with recorder.call("empty"):
        pass


def large(recorder: Recorder) -> None:
    for size in (300, 350, 400, 450, 500, 600, 5_000, 5_200, 60_000):
        with recorder.call("large", inputs={"x": "é" * (size // 2)}) as s:
            s.outputs = "z" * size


def nested(recorder: Recorder) -> None:
    with recorder.call("a"):
        for _ in range(3):
            with recorder.call("b"), recorder.call("c", event_type="tool"):
                pass


def enriched(recorder: Recorder) -> None:
    with recorder.call(
        "x", project="other", source="s", metrics={"n": 0.1}, config={"k": [1]}
    ) as s:
        s.update(inputs={"late": 2**53}, metadata={"api_key": "sk-1", "m": {}}, session_name="new")
        s.update(user_properties={"ü": None}, feedback={"r": 5}, children_ids=["elsewhere"])


def emptied(recorder: Recorder) -> None:
    with recorder.call("x", inputs={"a": 1}) as s:
        s.inputs = {}


def failed(recorder: Recorder) -> None:
    with suppress(ValueError), recorder.call("failed", inputs={"token": "t"}):
        try:
            raise KeyError("cause")
        except KeyError as cause:
            raise ValueError("no \ud800 good") from cause


def cancelled(recorder: Recorder) -> None:
    with suppress(KeyboardInterrupt), recorder.call("cancelled"):
        raise KeyboardInterrupt


def bare(recorder: Recorder) -> None:
    """A spec that is known, and nothing given."""
    spec = Spec("bare")
    for _ in range(2):
        s = begin(spec, None, None)
        recorder.take(s)
        done(s, None, None)


def decorated(recorder: Recorder) -> None:
    """A spec that fixes fields, one of them masked, with an addition to each."""
    spec = Spec("fixed", fixed={"metadata": {"model": "s", "password": "p"}, "metrics": {"a": 1}})
    for added in ({}, {"late": True}):
        s = begin(spec, None, {"x": 1})
        recorder.take(s)
        s.update(metadata=added)
        done(s, {"secret": "x"}, None)


recorded_kinds = [
    plain,
    empty,
    large,
    nested,
    enriched,
    emptied,
    failed,
    cancelled,
    bare,
    decorated,
]


def child(directory: str) -> None:
    """Record for ever; tell the ids that began (`B`), returned (`E`), go (`R`)."""
    with recording(Path(directory), 2 << 20) as recorder:
        for n in range(sys.maxsize):
            with recorder.call("outer", inputs={"n": n}) as outer:
                os.write(1, b"B %b\n" % outer.session_id.encode())
                with recorder.call("inner", inputs={"pad": "x" * (n % 40) * 200}) as inner:
                    os.write(1, b"B %b\n" % inner.session_id.encode())
                    inner.outputs = {"n": n, "pad": "y" * (n % 30) * 300}
                os.write(1, b"E %b\n" % inner.session_id.encode())
            os.write(1, b"E %b\n" % outer.session_id.encode())
            for gone in list(recorder.places)[:-20]:
                os.write(1, b"R %b\n" % gone.encode())
                recorder.journal.release(recorder.places.pop(gone))


def half_way(directory: str) -> None:
    """Recover, and die after the first batch was delivered and before it is marked as such."""

    def deliver(batch: list[Item]) -> None:
        for item in batch:
            print(item.event_id)
        sys.stdout.flush()
        os._exit(9)

    recover(directory, deliver)


def recover_all(directory: str) -> None:
    recover(directory, lambda batch: print(*(item.event_id for item in batch), flush=True))


def hold(directory: str) -> None:
    """Take a lock on every journal, say so, and wait to be told to go."""
    for path in Path(directory).glob("*.journal"):
        fcntl.flock(os.open(path, os.O_RDWR), fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    {"child": child, "half_way": half_way, "recover": recover_all, "hold": hold}[sys.argv[1]](
        sys.argv[2]
    )
