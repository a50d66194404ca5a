"""Tokens and cost: recognised in what programs record, priced, and added up the tree."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import honeytrace
from honeytrace.lookup.recorded import RecordedSession
from honeytrace.lookup.usage import Usage, own_usage, total, tree_usage


def recorded(session_id: str = "a", parent_id: str | None = None, **fields: Any) -> RecordedSession:
    """A session read back, with these fields."""
    objects: dict[str, Any] = {
        name: {} for name in ("config", "inputs", "outputs", "metrics", "metadata")
    }
    times = {"start_time": 1_790_000_000_000.0, "children_ids": []}
    return RecordedSession(
        {**objects, **times, "session_id": session_id, "parent_id": parent_id, **fields}
    )


@pytest.fixture(autouse=True)
def price_file(alone: None, tmp_path: Path) -> Iterator[Path]:
    """A price file in force: one model, one pattern of models, nothing else."""
    path = tmp_path / "prices.json"
    rows = {"bee-1": {"input": 2, "output": 10, "cached": 1}, "wasp-*": {"input": 1, "output": 1}}
    path.write_bytes(orjson.dumps(rows))
    honeytrace.configure(prices=path)
    yield path
    honeytrace.configure(prices=None)


SHAPES: list[tuple[dict[str, Any], tuple[int | None, ...]]] = [
    ({"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28}, (21, 7, 28, None)),
    ({"prompt_tokens": 21, "completion_tokens": 7}, (21, 7, 28, None)),
    ({"input_tokens": 21, "output_tokens": 7}, (21, 7, 28, None)),
    ({"total_tokens": 28}, (None, None, 28, None)),
    ({"tokens": 28}, (None, None, 28, None)),
    ({"usage": {"prompt_tokens": 21, "completion_tokens": 7}}, (21, 7, 28, None)),
    (
        {"usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}},
        (9, None, 9, 4),
    ),
    (
        {"usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}}},
        (9, None, 9, 0),
    ),
    (
        {"usage": {"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 1}},
        (9, 1, 10, 4),
    ),
    (
        {
            "usage_metadata": {
                "input_tokens": 9,
                "output_tokens": 1,
                "total_tokens": 10,
                "input_token_details": {"cache_read": 4},
            }
        },
        (9, 1, 10, 4),
    ),
    (
        {
            "usageMetadata": {
                "promptTokenCount": 9,
                "candidatesTokenCount": 1,
                "totalTokenCount": 10,
            }
        },
        (9, 1, 10, None),
    ),
    ({"usage": {"inputTokens": 9, "outputTokens": 1, "totalTokens": 10}}, (9, 1, 10, None)),
    ({"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 1}, (9, 1, 10, None)),
    ({"prompt_tokens": 21.0}, (21, None, 21, None)),
    ({"prompt_tokens": "21", "completion_tokens": True}, (None, None, None, None)),
    ({"prompt_tokens": -1}, (None, None, None, None)),
    ({"cached_tokens": 3}, (None, None, None, None)),
    ({}, (None, None, None, None)),
]


@pytest.mark.parametrize("where", ["metadata", "metrics"])
@pytest.mark.parametrize(("shape", "counts"), SHAPES)
def test_the_usual_shapes_are_recognised(
    shape: dict[str, Any], counts: tuple[int | None, ...], where: str
) -> None:
    """Counts are found in metadata and in metrics, whichever provider's names they have."""
    assert own_usage(recorded(**{where: shape}))[:4] == counts


def test_the_usage_of_a_returned_answer() -> None:
    """A traced function that returns a provider's answer has that answer's usage and model."""
    answer = {"model": "bee-1", "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 100_000}}
    usage = own_usage(recorded(outputs=answer))
    assert (usage.total_tokens, usage.cost) == (1_100_000, 3.0)
    assert list(usage.models) == ["bee-1"]


def test_prices_of_the_file() -> None:
    """Exact names and patterns are priced, cached tokens at their own price."""
    counts = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000, "cached_tokens": 500_000}
    assert own_usage(recorded(config={"model": "bee-1"}, metadata=counts)).cost == 2.5
    assert own_usage(recorded(config={"model": "wasp-9"}, metadata=counts)).cost == 1.1


def test_a_cost_that_was_recorded_wins() -> None:
    """What the program or its instrumentor said a call cost is not calculated anew."""
    metadata = {"prompt_tokens": 10, "cost": 0.5}
    assert own_usage(recorded(config={"model": "bee-1"}, metadata=metadata)).cost == 0.5


def test_a_model_without_a_price_is_unknown() -> None:
    """No price gives no cost, rather than 0, and names the model."""
    usage = own_usage(recorded(config={"model": "hornet"}, metadata={"prompt_tokens": 10}))
    assert (usage.cost, usage.unpriced) == (None, ("hornet",))
    assert own_usage(recorded(metadata={"prompt_tokens": 10})).cost is None


def test_prices_of_the_package() -> None:
    """A model that the file does not have is priced by genai-prices, its provider known or not."""
    pytest.importorskip("genai_prices")
    counts = {"prompt_tokens": 21, "completion_tokens": 7, "cached_tokens": 4}
    for provider in ("openai", "no-such-provider", None):
        config = {"model": "gpt-4o-mini", "provider": provider}
        usage = own_usage(recorded(config=config, metadata=counts))
        assert usage.cost == pytest.approx(7.05e-06)


def test_without_the_package_the_cost_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """genai-prices is an extra; without it nothing fails."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    usage = own_usage(recorded(config={"model": "gpt-4o-mini"}, metadata={"prompt_tokens": 1}))
    assert (usage.prompt_tokens, usage.cost) == (1, None)


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"m": {"input": "1"}}', b'{"m": {"in": 1}}'])
def test_a_price_file_that_is_none_is_told_once(
    price_file: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken price file costs one log line that names it, and no session its tokens."""
    price_file.write_bytes(content)
    for _ in range(2):
        usage = own_usage(recorded(config={"model": "bee-x"}, metadata={"prompt_tokens": 1}))
        assert (usage.prompt_tokens, usage.cost) == (1, None)
    (line,) = [r.getMessage() for r in caplog.records if "price file" in r.getMessage()]
    assert str(price_file) in line


def test_usage_adds_up_the_tree_by_model() -> None:
    """A run has the sum of the calls inside it, and each model its own figures."""
    top = recorded("top")
    found = [
        top,
        recorded("a", "top", config={"model": "bee-1"}, metadata={"prompt_tokens": 1_000_000}),
        recorded("b", "top"),
        recorded("c", "b", config={"model": "wasp-1"}, metadata={"completion_tokens": 2_000_000}),
        recorded("d", "b", config={"model": "hornet"}, metadata={"total_tokens": 5}),
    ]
    usages = tree_usage(top, found)
    assert usages["top"][:5] == (1_000_000, 2_000_000, 3_000_005, None, 4.0)
    assert usages["top"].unpriced == ("hornet",)
    assert usages["b"].total_tokens == 2_000_005
    assert usages["top"].models["bee-1"].cost == 2.0
    assert usages["top"].models["hornet"].cost is None


def test_a_sum_that_an_agent_repeats_is_not_counted_twice() -> None:
    """Figures on an agent that are the sum of the calls inside it count once."""
    top = recorded("top", metadata={"prompt_tokens": 20, "completion_tokens": 4})
    call = {"config": {"model": "bee-1"}, "metadata": {"prompt_tokens": 10, "completion_tokens": 2}}
    found = [top, recorded("a", "top", **call), recorded("b", "top", **call)]
    assert tree_usage(top, found)["top"].total_tokens == 24
    assert list(tree_usage(top, found)["top"].models) == ["bee-1"]
    (alone,) = tree_usage(top, [top]).values()
    assert alone.total_tokens == 24


def test_calls_that_a_replay_answered_spent_nothing() -> None:
    """Answers of a recording are left out of every sum, also of one that an agent repeats."""
    call = {"config": {"model": "bee-1"}, "metadata": {"prompt_tokens": 10, "completion_tokens": 2}}
    answered = {**call, "details": {"answered_from": "earlier"}}
    top = recorded("top", metadata={"prompt_tokens": 20, "completion_tokens": 4})
    found = [top, recorded("a", "top", **answered), recorded("b", "top", **call)]
    usages = tree_usage(top, found)
    assert usages["top"].total_tokens == 12
    assert usages["b"].total_tokens == 12
    assert not usages["a"]
    assert not own_usage(found[1])
    nothing = [top, recorded("a", "top", **answered), recorded("b", "top", **answered)]
    assert not tree_usage(top, nothing)["top"]
    more = recorded("top", metadata={"prompt_tokens": 40, "completion_tokens": 4})
    assert tree_usage(more, [more, *found[1:]])["top"].total_tokens == 44


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=12))
def test_a_total_is_the_sum_of_its_parts(parts: list[tuple[int, int]]) -> None:
    """Adding in any grouping gives the same figures."""
    usages = [
        own_usage(
            recorded(
                config={"model": "bee-1"}, metadata={"prompt_tokens": p, "completion_tokens": c}
            )
        )
        for p, c in parts
    ]
    whole = total(usages)
    half = len(usages) // 2
    again = total([total(usages[:half]), total(usages[half:])])
    assert whole[:4] == again[:4]
    assert whole.total_tokens == (sum(p + c for p, c in parts) if parts else None)


def test_an_empty_usage_is_false() -> None:
    """No figures is false; a count of 0 that was recorded is a figure."""
    assert not Usage()
    assert own_usage(recorded(metadata={"prompt_tokens": 0}))
    assert orjson.dumps(Usage().to_dict())


def test_get_session_has_the_usage_of_its_tree() -> None:
    """`session.usage` reads the tree that was recorded."""
    with honeytrace.session("run") as run:
        with honeytrace.session("call", config={"model": "bee-1"}) as call:
            call.metadata["prompt_tokens"] = 500_000
        with honeytrace.session("call"):
            honeytrace.current_session().update(metrics={"total_tokens": 3})
    usage = honeytrace.get_session(run.session_id).usage
    assert (usage.total_tokens, usage.cost) == (500_003, 1.0)
