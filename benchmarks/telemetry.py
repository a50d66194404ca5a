"""The cost of OpenTelemetry in, across and out: `python -m benchmarks.telemetry [--rounds N]`.

CPU of the calling thread, the best of many short rounds back to back, beside a unit that takes
turns with it: the span of the OpenTelemetry SDK that nobody records, a traced call without the
bridge, or one look at twenty attributes by orjson. Microseconds are those of this machine, ratios
less so. Spans are measured with other work in between, too, as a program has it.

With `--count`, the bytecode instructions of the same calls, which are the same on every machine:
`{"a span, GenAI": [of the SDK alone, with the bridge], "inject": …}`.
"""

from __future__ import annotations

import argparse
import email
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

import honeytrace
from honeytrace import session, trace_session
from honeytrace._capture.hooks import hooks
from honeytrace._record.record import Record
from honeytrace.otel import SpanProcessor
from honeytrace.otel._encode import body, encoded

from .cost import WARM, instructions
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
CALLS = 40
"""Calls of one round: so few that some rounds are not disturbed on a busy machine."""
_WARM = 10
"""Calls before each round, which are not counted: the one before it has emptied the caches."""


def best(unit: Callable[[], Any], call: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Return the µs of CPU that the unit and the call take, each in its best round.

    They take turns, so that a busy machine slows down both of them.
    """
    least = [float("inf")] * 2
    for _ in range(rounds):
        for which, each in enumerate((unit, call)):
            for _ in range(_WARM):
                each()
            begin = time.thread_time_ns()
            for _ in range(CALLS):
                each()
            least[which] = min(least[which], (time.thread_time_ns() - begin) / CALLS / 1e3)
        honeytrace.flush(60)
    return least[0], least[1]


def apart(unit: Callable[[], Any], call: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Return the µs that the unit and the call take when a program does other work in between.

    Back to back, the unit alone has the caches of the processor for itself: 36 µs of any Python
    code between two spans make the SDK's own part of them take nearly twice the time. The median of
    single calls, which take turns.
    """
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(rounds):
        for found, each in zip(times, (unit, call), strict=True):
            for _ in range(CALLS):
                between()
                begin = time.perf_counter_ns()
                each()
                found.append(time.perf_counter_ns() - begin)
        honeytrace.flush(60)
    return statistics.median(times[0]) / 1e3, statistics.median(times[1]) / 1e3


def between() -> None:
    """Do what a program does between two spans: it reads headers, and writes JSON in Python."""
    email.message_from_string("Content-Type: application/json\nX-Bees: 7\n\n{}")
    json.dumps({"bees": [1, 2.5, None, {"hive": "north"}]}, indent=1)


def spans(tracer: Any, attributes: dict[str, Any]) -> Callable[[], None]:
    """Return a call that makes one span, as the call of a model is one."""

    def one() -> None:
        with tracer.start_as_current_span("chat", kind=SpanKind.CLIENT, attributes=attributes):
            pass

    return one


@contextmanager
def recording(journal: bool) -> Iterator[None]:
    """Record to nowhere, and deliver between the rounds."""
    with tempfile.TemporaryDirectory() as place:
        honeytrace.configure(
            sink=Nowhere(), journal=place if journal else ":none:", flush_interval=3600.0
        )
        yield
        honeytrace.shutdown()


def tracers() -> tuple[Any, Any]:
    """Return a tracer that nobody records, and one with the bridge."""
    bare, bridged = (TracerProvider(shutdown_on_exit=False) for _ in range(2))
    bridged.add_span_processor(SpanProcessor())
    return bare.get_tracer("bench"), bridged.get_tracer("bench")


def bridge(rounds: int) -> None:
    """Print what a span costs with the bridge, and a traced call beside it."""
    bare, bridged = tracers()
    for journal in (False, True):
        with recording(journal):
            for name, attributes in SPANS.items():
                both = spans(bare, attributes), spans(bridged, attributes)
                name = f"a span, {name}{', journal' if journal else ''}"
                for which, measure in ((name, best), ("  with other work in between", apart)):
                    unit, took = measure(*both, rounds)
                    row(which, took - unit, unit)

    @trace_session
    def call(x: int) -> int:
        return x

    installed = hooks.adopt

    def without() -> None:
        hooks.adopt = None
        call(1)

    def within() -> None:
        hooks.adopt = installed
        call(1)

    with recording(journal=False):
        unit, took = best(without, within, rounds)
        row("a traced call, bridge installed", took - unit, unit)
        hooks.adopt = None


def across(rounds: int) -> None:
    """Print what carrying a trace costs."""
    with recording(journal=False), session("caller"):
        headers = honeytrace.inject()

        def continued() -> None:
            with honeytrace.continue_from(headers):
                pass

        for name, call in (("inject", lambda: honeytrace.inject({})), ("continue_from", continued)):
            unit, took = best(lambda: orjson.dumps(PLAIN), call, rounds)
            row(name, took, unit)


def exported() -> Record:
    """Return the record of a model's call."""
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
    return found[0]


def out(rounds: int) -> None:
    """Print what a record costs on its way to a collector."""
    record, batch = exported(), 20
    unit, took = best(
        lambda: orjson.dumps(PLAIN),
        lambda: body("p", "s", [encoded(record) for _ in range(batch)]),
        rounds,
    )
    row("OtlpSink, a record encoded", took / batch, unit)


def counts() -> dict[str, Any]:
    """Return the bytecode instructions of each call."""
    bare, bridged = tracers()
    found: dict[str, Any] = {}
    gc.disable()
    for journal in (False, True):
        with recording(journal):
            for name, attributes in SPANS.items():
                both = [counted(spans(tracer, attributes)) for tracer in (bare, bridged)]
                found[f"a span, {name}{', journal' if journal else ''}"] = both
    hooks.adopt = None
    with recording(journal=False), session("caller"):
        found["inject"] = counted(lambda: honeytrace.inject({}))
    record = exported()
    found["OtlpSink"] = counted(lambda: encoded(record))
    return found


def counted(call: Callable[[], Any]) -> int:
    """Return the bytecode instructions of a call that has been made often before."""
    for _ in range(WARM):
        call()
    return instructions(call)


def row(name: str, took: float, unit: float) -> None:
    print(f"{name:<42}{took:>8.2f} µs{took / unit:>8.2f} of {unit:.2f} µs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--count", action="store_true")
    arguments = parser.parse_args()
    if arguments.count:
        print(json.dumps(counts()))
        return
    rounds = arguments.rounds
    print(f"{'':<42}{'added':>8}   {'units':>8}")
    bridge(rounds)
    across(rounds)
    out(rounds)


if __name__ == "__main__":
    main()
