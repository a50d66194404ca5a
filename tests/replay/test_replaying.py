"""Answers from a recording: the right one to every call, once, in its own block alone."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import replayed_agent as program

import honeytrace
from honeytrace import NotRecorded, RecordedSession, ReplayError, replaying, trace_session
from honeytrace._capture import registry
from honeytrace.testing import capture


def recorded(call: Callable[[], Any], **settings: Any) -> tuple[RecordedSession, Any]:
    """Return the last session that a call records, and what it returned."""
    with capture(**settings) as sessions:
        value = call()
    program.ran.clear()
    return sessions[-1], value


def replayed(root: RecordedSession, call: Callable[[], Any], *names: str, **options: Any) -> Any:
    """Return what a call returns while its inner calls are answered; none is left over."""
    settings = options.pop("settings", {})
    with capture(**settings), replaying(root, recorded=names, strict=True, **options) as replay:
        value = call()
    assert replay.unused == []
    return value


def dispatched() -> list[Any]:
    """Return the traced functions that call a stand-in."""
    return [
        each
        for each in registry.traced_functions()
        if "_dispatcher" in getattr(registry.target_of(each), "__qualname__", "")
    ]


def test_an_agent_is_replayed_without_a_live_call() -> None:
    """Tools in `gather`, an error with fields, streams and masked arguments come out equal."""
    root, before = recorded(lambda: asyncio.run(program.agent("go on")))
    after = replayed(root, lambda: asyncio.run(program.agent("go on")), "model", "tool")
    assert after == before
    assert program.ran == []
    assert dispatched() == []


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (program.in_threads, "ask"),
        (lambda: asyncio.run(program.gathered()), "ask"),
        (lambda: asyncio.run(program.as_completed()), "race"),
    ],
    ids=["threads", "gather", "as_completed"],
)
def test_concurrent_calls_get_their_own_answers(call: Callable[[], Any], name: str) -> None:
    """Equal questions go by their callers, and async answers by the order of their ends."""
    for _ in range(8):
        root, before = recorded(call)
        assert replayed(root, call, name) == before


def test_eight_replays_and_a_bystander() -> None:
    """Concurrent blocks each use their own tape; a thread outside runs live, every time."""
    taped = [recorded(lambda: asyncio.run(program.gathered())) for _ in range(8)]
    done, right = threading.Event(), []

    def bystander() -> None:
        while not done.is_set() or len(right) < 50:
            before = len(program.ran)
            program.ask("bystander")
            right.append(len(program.ran) > before)

    async def one(root: RecordedSession) -> Any:
        async with replaying(root, recorded="ask", strict=True):
            return await program.gathered()

    async def all_of_them() -> list[Any]:
        return list(await asyncio.gather(*(one(root) for root, _ in taped)))

    with capture():
        thread = threading.Thread(target=contextvars.Context().run, args=(bystander,))
        thread.start()
        try:
            for _ in range(6):
                assert asyncio.run(all_of_them()) == [value for _, value in taped]
        finally:
            done.set()
            thread.join()
    assert all(right)
    assert dispatched() == []


def test_blocks_may_close_in_any_order() -> None:
    """Overlapping blocks leave the decorated functions as they were."""
    root, _ = recorded(program.in_threads)
    original = registry.target_of(program.ask)
    with capture():
        first, second = replaying(root, recorded="ask"), replaying(root, recorded="ask")
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert registry.target_of(program.ask) is not original
        second.__exit__(None, None, None)
    assert registry.target_of(program.ask) is original


def outer(fn: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    """Return a traced function that calls another one."""

    @trace_session("outer")
    def call() -> Any:
        made = fn(*args)
        return list(made) if hasattr(made, "__next__") else made

    return call


KINDS: dict[str, Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]] = {
    "function": lambda: (trace_session("f")(lambda x: object.__hash__(x) * 0 + 3), (1,)),
    "partial": lambda: (trace_session("f")(functools.partial(pow, 2)), (5,)),
    "lru_cache": lambda: (trace_session("f")(functools.lru_cache(lambda x: x + 1)), (5,)),
    "builtin": lambda: (trace_session("f")(len), ("abc",)),
    "none": lambda: (trace_session("f")(lambda: None), ()),
    "empty dict": lambda: (trace_session("f")(lambda x: {}), (1,)),
    "a dict with result": lambda: (trace_session("f")(lambda: {"result": {"result": 1}}), ()),
    "result": lambda: (trace_session("f")(lambda: {"result": 5}), ()),
    "looks like yields": lambda: (trace_session("f")(lambda: {"yields": [1], "count": 1}), ()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_callable(kind: str) -> None:
    """A callable of any kind gives the recorded result, and no lookalike of it."""
    fn, args = KINDS[kind]()
    root, before = recorded(outer(fn, *args))
    assert replayed(root, outer(fn, *args), "f") == before


def test_methods() -> None:
    """Methods and class methods are answered; the instance does not count as an input."""

    @trace_session
    def both() -> Any:
        return program.Bot("kind").say("hi"), program.Bot.make("more")

    root, before = recorded(both)
    assert replayed(root, both, "model") == before
    assert program.ran == []


def test_generators_keep_their_pieces_and_what_they_return() -> None:
    """A stream that `reduce` joined comes in its pieces; a generator's return value comes back."""

    @trace_session
    def counting(n: int) -> Iterator[int]:
        yield from range(n)
        return "end"  # type: ignore[return-value]

    @trace_session
    def both() -> Any:
        def inside() -> Iterator[Any]:
            yield (yield from counting(3))

        return list(program.pieces("a b c")), list(inside())

    root, before = recorded(both)
    assert (
        replayed(
            root,
            both,
            "pieces",
            both.__qualname__.replace("both", "counting").rpartition("<locals>.")[2],
        )
        == before
    )
    assert len(before[0]) == 3


def test_a_generator_that_was_closed_early_is_not_ended_in_silence() -> None:
    """Asking for more than the recorded consumer took raises NotRecorded."""

    @trace_session("numbers")
    def numbers() -> Iterator[int]:
        yield from range(10)

    @trace_session
    def taking(n: int) -> list[int]:
        made = numbers()
        return [next(made) for _ in range(n)]

    root, _ = recorded(lambda: taking(1))
    assert replayed(root, lambda: taking(1), "numbers") == [0]
    with pytest.raises(NotRecorded, match="recorded 1 yield; the consumer stopped there"):
        replayed(root, lambda: taking(2), "numbers")


@pytest.mark.parametrize("settings", [{"enabled": False}, {"sample_rate": 0.0}])
def test_calls_that_are_not_recorded_are_answered(settings: dict[str, Any]) -> None:
    """Neither recording that is off nor sampling is a hole to the network."""
    root, before = recorded(lambda: program.in_threads())
    after = replayed(root, program.in_threads, "ask", settings=settings)
    assert sorted(after) == sorted(before)
    assert program.ran == []


def test_paused_calls_are_answered() -> None:
    """A call in `paused()` inside of the only block is answered, too."""
    root, before = recorded(outer(program.ask, "hi"))

    def paused() -> Any:
        with honeytrace.paused():
            return program.ask("hi")

    assert replayed(root, paused, "ask") == before
    assert program.ran == []


def test_a_strict_miss_cannot_be_swallowed() -> None:
    """`except Exception`, a retry and `return_exceptions` let the miss through or are overruled."""
    root, _ = recorded(outer(program.ask, "hi"))

    def swallowing() -> str:
        for _ in range(3):
            try:
                return program.ask("ho")
            except Exception:  # noqa: PERF203 - a retry
                continue
        return "tool failed"

    with pytest.raises(NotRecorded, match="ask was asked something new"):
        replayed(root, swallowing, "ask")

    async def gathering() -> Any:
        async def one() -> str:
            return program.ask("ho")

        return await asyncio.gather(one(), return_exceptions=True)

    with pytest.raises(NotRecorded, match="ask was asked something new"):
        replayed(root, lambda: asyncio.run(gathering()), "ask")

    def silent() -> None:
        with contextlib.suppress(BaseException):
            program.ask("ho")

    with pytest.raises(NotRecorded):
        replayed(root, silent, "ask")
    assert program.ran == []


def test_a_call_that_was_not_recorded_runs_where_it_may(capsys: pytest.CaptureFixture[str]) -> None:
    """Without `strict` a miss runs, is listed, and stderr says so once."""
    root, before = recorded(outer(program.ask, "hi"))
    with capture() as sessions, replaying(root, recorded="ask") as replay:
        assert program.ask("hi") == before
        program.ask("ho")
        program.ask("ha")
    assert program.ran == ["ask", "ask"]
    assert [each.inputs for each in replay.ran_live] == [{"text": "ho"}, {"text": "ha"}]
    assert replay.first_difference is replay.ran_live[0]
    assert capsys.readouterr().err.count("not recorded") == 1
    answered = sessions.by_name("ask")[0]
    assert answered.details["answered_from"] == root.children[0].session_id
    assert [each.session_name for each in replay.answered] == ["ask"]


def test_messages_name_the_place_and_the_cure() -> None:
    """A changed text is shown from the character where it parts; a call too many is counted."""
    long = "Answer in two sentences, from these passages alone."
    root, _ = recorded(outer(program.ask, long))
    with pytest.raises(NotRecorded) as changed:
        replayed(root, lambda: program.ask(long.replace("two sentences", "one sentence")), "ask")
    text = str(changed.value)
    assert "ask was asked something new (call 1 of 1, recorded in " in text
    assert "inputs.text  at character 10\n" in text
    assert "recorded  'Answer in two sentences" in text
    assert "now       'Answer in one sentence," in text
    assert 'volatile? ignore={"ask": ["text"]}' in text

    def thrice() -> Any:
        return [program.ask(long) for _ in range(2)]

    with pytest.raises(NotRecorded, match=r"ask was called 2 times with .* and recorded once"):
        replayed(root, thrice, "ask")


def test_only_the_first_difference_is_told_in_full() -> None:
    """Later calls without answer follow from the first, and are counted."""
    root, _ = recorded(outer(program.ask, "hi"))

    def several() -> None:
        for text in "abc":
            with contextlib.suppress(BaseException):
                program.ask(text)

    with pytest.raises(NotRecorded, match="and 2 calls after it"):
        replayed(root, several, "ask")


def test_ignored_paths_and_order() -> None:
    """`ignore` leaves volatile inputs out, and `match="name"` takes calls in order."""

    @trace_session("plan")
    def plan(messages: list[dict[str, Any]]) -> str:
        return messages[0]["text"] + "!"

    @trace_session
    def turn(number: int) -> str:
        return plan([{"id": number, "text": "a"}])

    root, before = recorded(lambda: turn(1))
    again = replayed(root, lambda: turn(2), "plan", ignore={"plan": ["messages[].id"]})
    assert again == before
    assert replayed(root, lambda: turn(3), "plan", match="name") == before
    with pytest.raises(NotRecorded):
        replayed(root, lambda: turn(4), "plan")


def test_masks_of_one_side_hide_what_was_there() -> None:
    """A recording that masked an argument answers a test that does not, and the other way round."""

    @trace_session("login")
    def login(api_key: str, q: str) -> str:
        return q.upper()

    call = outer(login, "sk-1", "hi")
    for before, after in (({}, {"redact": False}), ({"redact": False}, {})):
        root, value = recorded(call, **before)
        assert replayed(root, outer(login, "sk-1", "hi"), "login", settings=after) == value
        with pytest.raises(NotRecorded):
            replayed(root, outer(login, "sk-1", "ho"), "login", settings=after)


def test_cut_inputs_are_told_apart() -> None:
    """Inputs that were cut match only if what was cut is the same."""

    @trace_session("count")
    def count(text: str) -> int:
        return len(text)

    small = {"max_bytes": 2_000}
    root, value = recorded(outer(count, "a" * 5_000 + "1"), **small)
    same = outer(count, "a" * 5_000 + "1")
    assert replayed(root, same, "count", settings=small) == value
    with pytest.raises(NotRecorded):
        replayed(root, outer(count, "a" * 5_000 + "2"), "count", settings=small)


def test_two_functions_of_one_name() -> None:
    """The code that was recorded tells two functions of one name apart."""

    def make(text: str) -> Callable[[str], str]:
        if text == "A":

            @trace_session("search")
            def search_a(q: str) -> str:
                return "A"

            return search_a

        @trace_session("search")
        def search_b(q: str) -> str:
            return "B"

        return search_b

    a, b = make("A"), make("B")

    @trace_session
    def both(*order: Callable[[str], str]) -> list[str]:
        return [fn("q") for fn in order]

    root, _ = recorded(lambda: both(a, b))
    assert replayed(root, lambda: both(b, a), "search") == ["B", "A"]


def test_answers_are_not_shared() -> None:
    """Every answer is made anew, so a caller may change it."""

    @trace_session("make")
    def make(n: int) -> list[int]:
        return [n]

    @trace_session
    def twice() -> Any:
        first = make(1)
        first.append(2)
        return first, make(1)

    root, before = recorded(twice)
    assert replayed(root, twice, "make") == before == ([1, 2], [1])


def test_functions_decorated_inside_a_block() -> None:
    """A function that is traced while a block is open is answered, and collected afterwards."""

    def make() -> Any:
        @trace_session("late", event_type="model")
        def late(x: int) -> int:
            program.ran.append("late")
            return x + 1

        return late

    root, before = recorded(lambda: outer(make(), 1)())
    with capture(), replaying(root, recorded="model", strict=True):
        fn = make()
        assert outer(fn, 1)() == before
        seen = weakref.ref(fn)
        del fn
        gc.collect()
        assert seen() is None
    assert program.ran == []


@pytest.mark.parametrize("status", ["cancelled", "interrupted", "exited", "running"])
def test_calls_that_did_not_end_give_no_answer(status: str) -> None:
    """A call that was cancelled or never ended is refused by name."""
    root, _ = recorded(outer(program.ask, "hi"))
    child = root.children[0]
    child.status = status
    root._family = Fixed([child])  # type: ignore[assignment]
    with pytest.raises(NotRecorded, match=f"ask ended as '{status}' when it was recorded"):
        replayed(root, outer(program.ask, "hi"), "ask")


class Fixed:
    """A family of sessions that are given."""

    def __init__(self, found: list[RecordedSession]) -> None:
        self._found = found

    def descendants(self, session: RecordedSession) -> list[RecordedSession]:
        return self._found


def test_outputs_that_the_program_set_are_refused() -> None:
    """What the program showed in place of its result is not returned."""

    @trace_session("shows")
    def shows() -> int:
        honeytrace.current_session().outputs = {"shown": 1}
        return 42

    root, _ = recorded(outer(shows))
    with pytest.raises(NotRecorded, match="outputs of shows were set by the program"):
        replayed(root, outer(shows), "shows")


def test_unknown_names_and_blocks_are_errors_before_anything_runs() -> None:
    """A name that was not recorded, and a with-block, are ReplayErrors that say what there is."""
    root, _ = recorded(outer(program.ask, "hi"))
    with pytest.raises(ReplayError, match="has no call of asc; inside it: ask"):
        replaying(root, recorded="asc")

    @trace_session
    def around() -> None:
        with honeytrace.session("block", event_type="model"):
            pass

    root, _ = recorded(around)
    with pytest.raises(ReplayError, match="only calls of traced functions can be answered"):
        replaying(root, recorded="model")
    with pytest.raises(ReplayError, match='match is "inputs" or "name"'):
        replaying(root, recorded="model", match="regex")  # type: ignore[arg-type]


def test_a_new_model_function_does_not_run_live() -> None:
    """Functions are stubbed by the selector, whether the recording has them or not."""
    root, _ = recorded(outer(program.ask, "hi"))

    def new() -> Any:
        return program.Bot("new").say("hi")

    with pytest.raises(NotRecorded, match=r"Bot\.say was called with .* and not recorded"):
        replayed(root, new, "model")
    assert program.ran == []


def test_live_wins() -> None:
    """`live` lets a function run that `recorded` names."""
    root, _ = recorded(lambda: asyncio.run(program.agent("go")))
    with capture(), replaying(root, recorded="model", live=["ask"], strict=True):
        program.ask("anything")
    assert program.ran == ["ask"]
