"""The cost of OpenTelemetry in, across and out: `python -m benchmarks.telemetry [--rounds N]`.

CPU of the calling thread, the best of many short rounds, beside a unit of the same run: the span of
the OpenTelemetry SDK that nobody records, or a traced call without the bridge. Ratios can be
compared between machines, the microseconds cannot.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from opentelemetry.sdk.trace import TracerProvider

import honeytrace
from honeytrace import session, trace_session
from honeytrace._capture.hooks import hooks
from honeytrace._record.record import Record
from honeytrace.otel import SpanProcessor
from honeytrace.otel._encode import body, encoded

from .ours import Nowhere

PLAIN = {f"app.attribute.{i}": "v" * 20 for i in range(18)} | {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
}
GEN_AI = PLAIN | {
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Why?"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"So."}]}]',
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o-mini",
    **{f"llm.input_messages.{i}.message.role": "user" for i in range(4)},
    **{f"llm.input_messages.{i}.message.content": "What do bees see?" for i in range(4)},
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "Bees see ultraviolet.",
    "llm.token_count.prompt": 21,
    "llm.token_count.completion": 7,
    "llm.token_count.total": 28,
    "llm.invocation_parameters": '{"temperature": 0.2}',
    "output.value": '{"choices": [], "usage": {"prompt_tokens": 21, "completion_tokens": 7}}',
    "output.mime_type": "application/json",
}
SPANS = {"20 plain attributes": PLAIN, "GenAI": GEN_AI, "OpenInference": OPENINFERENCE}
CALLS = 50
"""Calls of one round: so few that some rounds are not disturbed on a busy machine."""


def best(call: Callable[[], Any], rounds: int) -> float:
    """Return the µs of CPU that a call takes in the best round."""
    least = float("inf")
    for _ in range(rounds):
        begin = time.thread_time_ns()
        for _ in range(CALLS):
            call()
        least = min(least, (time.thread_time_ns() - begin) / CALLS / 1e3)
        honeytrace.flush(60)
    return least


def spans(tracer: Any, attributes: dict[str, Any]) -> Callable[[], None]:
    """Return a call that makes one span."""

    def one() -> None:
        with tracer.start_as_current_span("chat", attributes=attributes):
            pass

    return one


@contextmanager
def recording(journal: bool) -> Iterator[None]:
    """Record to nowhere."""
    with tempfile.TemporaryDirectory() as place:
        honeytrace.configure(sink=Nowhere(), journal=place if journal else ":none:")
        yield
        honeytrace.shutdown()


def bridge(rounds: int) -> None:
    """Print what a span costs with the bridge, and a traced call beside it."""
    bare = TracerProvider(shutdown_on_exit=False).get_tracer("bench")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor())
    bridged = provider.get_tracer("bench")
    for journal in (False, True):
        with recording(journal):
            for name, attributes in SPANS.items():
                unit = best(spans(bare, attributes), rounds)
                added = best(spans(bridged, attributes), rounds) - unit
                row(f"a span, {name}{', journal' if journal else ''}", added, added / unit)

    @trace_session
    def call(x: int) -> int:
        return x

    with recording(journal=False):
        installed, hooks.adopt = hooks.adopt, None
        unit = best(lambda: call(1), rounds)
        hooks.adopt = installed
        added = best(lambda: call(1), rounds) - unit
        row("a traced call, bridge installed", added, added / unit)
        hooks.adopt = None


def across(rounds: int) -> None:
    """Print what carrying a trace costs."""
    with recording(journal=False), session("caller"):
        unit = best(lambda: orjson.dumps(PLAIN), rounds)
        headers = honeytrace.inject()
        row("inject", took := best(lambda: honeytrace.inject({}), rounds), took / unit)

        def continued() -> None:
            with honeytrace.continue_from(headers):
                pass

        row("continue_from", took := best(continued, rounds), took / unit)


def out(rounds: int) -> None:
    """Print what a record costs on its way to a collector."""
    found: list[Record] = []

    class Kept(Nowhere):
        def deliver(self, batch: Any, *, timeout: float) -> Any:
            found.extend(item for item in batch if isinstance(item, Record))
            return super().deliver(batch, timeout=timeout)

    honeytrace.configure(sink=Kept(), journal=":none:")
    with session("call", inputs={"question": "What do bees see?"}, config={"model": "bee"}) as s:
        s.outputs = {"role": "assistant", "content": "Bees see ultraviolet."}
        s.update(metadata={"prompt_tokens": 21, "completion_tokens": 7})
    honeytrace.flush(60)
    honeytrace.shutdown()
    (record,) = found
    unit = best(lambda: orjson.dumps(PLAIN), rounds)
    took = best(lambda: body("p", "s", [encoded(record) for _ in range(50)]), rounds) / 50
    row("OtlpSink, a record encoded", took, took / unit)


def row(name: str, took: float, ratio: float) -> None:
    print(f"{name:<42}{took:>8.2f} µs{ratio:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    print(f"{'':<42}{'added':>8}   {'units':>8}")
    bridge(rounds)
    across(rounds)
    out(rounds)


if __name__ == "__main__":
    main()
