"""What is delivered, in parts: order in an outage, isolation of what no destination takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from honeytrace._delivery.batch import MOST_STRIKES, PATIENCE, Batch
from honeytrace._record.record import Update


def updates(count: int) -> list[Update]:
    return [Update(str(n), {}) for n in range(count)]


def deliver(batch: Batch, bad: set[str], tries: int) -> tuple[list[str], list[str]]:
    """Try `tries` times at a destination that fails whole requests with a bad one among them."""
    taken: list[str] = []
    given_up: list[str] = []
    for _ in range(tries):
        if not batch:
            break
        part = [item.event_id for item in batch.part]
        if bad.intersection(part):
            given_up += [item.event_id for item in batch.failed(len(taken))]
        else:
            batch.settled(())
            taken += part
    return taken, given_up


def test_all_of_a_batch_is_tried_at_once() -> None:
    """What comes while nothing has failed joins the part that is next."""
    batch = Batch()
    batch.add(updates(3), 0)
    batch.add(updates(2), 0)
    assert len(batch.part) == len(batch) == 5
    batch.settled(())
    assert not batch


def test_what_is_left_is_tried_next_and_filled_up() -> None:
    """The order of what is retried stays, and later items come after it."""
    batch = Batch()
    items = updates(6)
    batch.add(items[:4], 0)
    batch.settled(items[2:4])
    batch.add(items[4:], 2)
    assert list(batch.part) == items[2:]


def test_an_outage_keeps_the_order() -> None:
    """While nothing at all is taken the items stay as they are, however the parts are cut."""
    batch = Batch()
    items = updates(100)
    batch.add(items, 0)
    for _ in range(4 * PATIENCE - 1):
        assert batch.failed(0) == []
        assert list(batch) == items
    assert len(batch.part) == 1  # one record is what tries whether somebody is there


@given(st.integers(1, 200), st.data())
def test_one_never_costs_another(count: int, data: st.DataObject) -> None:
    """Whatever fails its whole request is given up alone in the end, and all others are taken."""
    ids = [str(n) for n in range(count)]
    bad = data.draw(st.sets(st.sampled_from(ids), max_size=min(3, count - 1)))
    batch = Batch()
    batch.add(updates(count), 0)
    taken, given_up = deliver(batch, bad, 10_000)
    assert sorted(taken) == sorted(set(ids) - bad)
    assert given_up == []  # alone, it may as well be an outage
    more = iter(range(10_000))
    while batch:
        batch.add([Update(f"new-{next(more)}", {})], len(taken))
        again, gone = deliver(batch, bad, 20)
        taken += again
        given_up += gone
    assert sorted(given_up) == sorted(bad)


def test_one_that_is_sent_back_alone_has_its_chances() -> None:
    """A record that is retried again and again while its neighbours are taken is given up."""
    batch = Batch()
    (bad,) = updates(1)
    batch.add([bad], 0)
    for n in range(MOST_STRIKES - 1):
        batch.add(updates(20), n)
        assert batch.settled([bad]) == []
    batch.add(updates(20), 99)
    assert batch.settled([bad]) == [bad]
    assert not batch


def test_a_destination_that_takes_few_at_a_time_costs_nobody() -> None:
    """What is left in numbers is not suspected, however often: the server is limiting its rate."""
    batch = Batch()
    items = updates(1_000)
    batch.add(items, 0)
    while batch:
        left = list(batch.part)[5:]
        assert batch.settled(left) == []
