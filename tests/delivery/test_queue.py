"""The queue: what waits is counted in bytes, the oldest go first, and nobody is ever waited for."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from honeytrace import current_session, session, trace_session
from honeytrace._capture.hooks import hooks
from honeytrace._capture.running import OVERHEAD
from honeytrace._capture.session import Session
from honeytrace._delivery.queue import ANY, Queue, weigh
from honeytrace._record.record import Update
from honeytrace.testing import capture
from samples import ended


class Attendant:
    """Counts how often the queue asked for somebody."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


@pytest.fixture
def attend() -> Attendant:
    return Attendant()


@pytest.mark.parametrize(
    "item",
    [
        ended(),
        ended(b'{"q":1}', b'"a"'),
        ended(_children=[(1, 2)]),
        ended(_failure=("error", "E: m", {"traceback": "t" * 500})),
        ended(_failure=("error", "E: m", {"notes": ["n" * 400, "n" * 400]})),
        ended(_extras={"metrics": b"{}"}),
    ],
    ids=["bare", "values", "children", "failure", "notes", "extras"],
)
def test_put_counts_as_weigh_does(item: Session, attend: Attendant) -> None:
    """The size written out in `put` is the one that `take` gives back."""
    queue = Queue(1 << 30, attend)
    queue.put(item)
    assert queue.bytes == weigh(item) >= OVERHEAD
    taken = queue.take(10, 1 << 30)
    assert (taken, queue.bytes) == ([item], 0)
    queue.put_back(taken)
    assert (list(queue.items), queue.bytes) == ([item], weigh(item))


def test_all_that_a_session_holds_counts(attend: Attendant) -> None:
    """What the program added, how it failed and what ran inside weigh as much as values do."""
    many = "t" * 10_000
    assert weigh(ended(_extras={"metadata": many.encode()})) > 10_000
    assert weigh(ended(_failure=("error", "E", {"traceback": many}))) > 10_000
    assert weigh(ended(_failure=("error", "E", {"notes": [many, many]}))) > 20_000
    assert weigh(ended(_children=[(1, 2)] * 1_000)) > 50_000


def test_first_item_calls_for_attention_and_the_next_do_not(attend: Attendant) -> None:
    """Only the item that ends a rest costs more than an append."""
    queue = Queue(1 << 30, attend)
    for _ in range(100):
        queue.put(ended())
    assert attend.calls == 1


def test_an_update_calls_for_attention_too(attend: Attendant) -> None:
    """An update alone is delivered like a session."""
    queue = Queue(1 << 30, attend)
    queue.add(Update("id", {"metrics": b"{}"}))
    assert attend.calls == 1
    assert queue.bytes == weigh(queue.items[0])


def test_drifted_count_loses_no_wake_up(attend: Attendant) -> None:
    """An item ends the rest even where the byte count has fallen below zero."""
    queue = Queue(1 << 30, attend)
    queue.bytes = -1_000_000
    queue.put(ended())
    assert attend.calls == 1
    queue.rest(None, ANY)  # returns: an item is here


def test_count_is_set_right_when_the_queue_runs_empty(attend: Attendant) -> None:
    """What `keep` took uncounted does not make the bound wrong for ever."""
    queue = Queue(1 << 30, attend)
    queue.keep(ended(b"x" * 10_000))
    queue.put(ended())
    assert len(queue.take(10, 1 << 30)) == 2
    assert queue.bytes == 0


def test_take_is_bounded_by_count_and_by_bytes(attend: Attendant) -> None:
    """A batch ends with its last place, or with the item that fills its room."""
    queue = Queue(1 << 30, attend)
    items = [ended() for _ in range(10)]
    for item in items:
        queue.put(item)
    assert queue.take(3, 1 << 30) == items[:3]
    assert queue.take(10, OVERHEAD + 1) == items[3:5]
    assert queue.bytes == 5 * OVERHEAD


def test_oldest_go_first_when_full(attend: Attendant) -> None:
    """Beyond the limit the newest stay, and every one that went is counted."""
    lost: list[Any] = []
    queue = Queue(10 * OVERHEAD, attend, lost.append)
    items = [ended() for _ in range(25)]
    for item in items:
        queue.put(item)
    assert list(queue.items) == items[15:]
    assert lost == items[:15]
    assert queue.dropped == 15
    assert queue.bytes == 10 * OVERHEAD


def test_item_larger_than_the_queue_is_dropped_and_counted(attend: Attendant) -> None:
    """One session that could never fit is not kept, and the queue goes on."""
    queue = Queue(10_000, attend)
    queue.put(ended(b"x" * 20_000))
    assert (queue.dropped, queue.bytes, len(queue.items)) == (1, 0, 0)
    small = ended()
    queue.put(small)
    assert list(queue.items) == [small]


def test_full_queue_wakes_nobody_who_backs_off(attend: Attendant) -> None:
    """A flood against a dead destination does not undo the pause between two tries."""
    queue = Queue(5 * OVERHEAD, attend)
    queue.expect(queue.limit)
    for _ in range(100):
        queue.put(ended())
    assert queue._wake.empty()
    assert attend.calls == 0


def test_rest_ends_by_wake(attend: Attendant) -> None:
    """`wake` ends a rest without a timer, whether it comes before or during it."""
    queue = Queue(1 << 30, attend)
    queue.wake()
    queue.wake()
    queue.rest(None, ANY)
    assert queue._wake.empty()
    resting = threading.Thread(target=queue.rest, args=(None, ANY))
    resting.start()
    queue.put(ended())
    resting.join(30)
    assert not resting.is_alive()


def test_rest_ends_by_its_timeout(attend: Attendant) -> None:
    """A rest that may be ended by nothing else ends by its timer, however long that may be."""
    queue = Queue(1 << 30, attend)
    queue.rest(0.0, 1_000)
    queue.wake()
    queue.rest(float("inf"), 1_000)


def test_rest_does_not_miss_what_came_before(attend: Attendant) -> None:
    """An item too small to end the last rest ends the next, which any item would."""
    queue = Queue(1 << 30, attend)
    queue.expect(1 << 20)
    queue.put(ended())
    assert attend.calls == 0
    queue.rest(None, ANY)  # returns: an item is here


def test_attention_that_is_interrupted_is_not_lost() -> None:
    """An exception out of `attend` leaves the item in the queue, which takes it once."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    queue = Queue(1 << 30, interrupted)
    with pytest.raises(KeyboardInterrupt):
        queue.put(item := ended())
    assert list(queue.items) == [item]
    assert item._handed


def test_finalisers_may_record(attend: Attendant) -> None:
    """Garbage collected in the middle of a put may put as well."""
    queue = Queue(1 << 30, attend)

    class Traced:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            queue.put(ended())

    threshold = gc.get_threshold()
    gc.set_threshold(10, 2, 2)
    try:
        for _ in range(1_000):
            Traced()
            queue.put(ended())
    finally:
        gc.set_threshold(*threshold)
        gc.collect()
    assert len(queue.items) == 2_000
    assert queue.bytes == 2_000 * OVERHEAD


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX interval timers")
def test_signal_handlers_may_record(attend: Attendant) -> None:
    """A handler that runs in the middle of a put may put as well, the queue being full or not."""
    queue = Queue(50 * OVERHEAD, attend)
    handled = 0

    def handler(signum: int, frame: Any) -> None:
        nonlocal handled
        handled += 1
        queue.put(ended())

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    put = 0
    try:
        while handled < 50:
            queue.put(ended())
            put += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert queue.dropped + len(queue.items) == put + handled


def test_many_producers_one_consumer(attend: Attendant) -> None:
    """However the threads interleave, every item is taken once and the bytes come out at zero."""
    queue = Queue(1 << 30, attend)
    done = threading.Event()
    taken: list[Any] = []

    def consume() -> None:
        while not done.is_set() or queue.items:
            taken.extend(queue.take(7, 1 << 30))

    def produce() -> None:
        for _ in range(3_000):
            queue.put(ended(b"{}"))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=produce) for _ in range(4)]
        consumer = threading.Thread(target=consume)
        for thread in (*threads, consumer):
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        consumer.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(taken) == len(set(map(id, taken))) == 12_000
    queue.take(1, 1)
    assert queue.bytes == 0


@pytest.mark.parametrize("size", [0, 100, 4_000])
def test_estimate_is_near_the_bytes_that_memory_takes(size: int, attend: Attendant) -> None:
    """What the queue counts is what tracemalloc sees, within a third."""
    queue = Queue(1 << 30, attend)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(2_000):
            s = ended(b"x" * size + b" " if size else None, b"y" * 50 + b" ")
            s._start = hooks.clock_ns()
            s._end = hooks.clock_ns()
            s._offset = hooks.clock_ns()
            queue.put(s)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.66 < queue.bytes / (after - before) < 1.5


def test_limits_beyond_all_memory(attend: Attendant) -> None:
    """A limit may be any number, as one does who wants none."""
    queue = Queue(2**70, attend)
    queue.put(ended())
    queue.resize(2**80)
    queue.put(ended())
    assert len(queue.take(2**70, 2**70)) == 2
    assert (attend.calls, queue.dropped) == (1, 0)


def test_what_a_session_refers_to_is_collected(attend: Attendant) -> None:
    """Of a program's own objects, that know a session and are known to what it was traced by."""

    class Agent:
        def run(self, **options: Any) -> None:
            @trace_session(**options)
            def call() -> Iterator[int]:
                with session("inside"):
                    self.inside = current_session()
                    yield 1

            list(call())

    with capture():
        queue = Queue(1_000_000, attend)
        hooks.submit = queue.put
        agents = []
        for _ in range(2):
            for options in (lambda a: {"reduce": lambda _: a}, lambda a: {"config": {"a": a}}):
                agent = Agent()
                agent.run(**options(agent))
                agents.append(weakref.ref(agent))
        assert len(queue.take(100, 1_000_000)) == 8
        del agent
        gc.collect()
    assert [agent() for agent in agents] == [None] * 4


def test_rest_sees_what_is_there_already() -> None:
    """Where more than `level` bytes wait already, `rest` returns at once; nobody wakes it again."""
    queue = Queue(1_000_000, lambda: None)
    queue.put(ended(b"x" * 500))
    queue.rest(1e6, 400)
