"""OpenTelemetry in and out: spans become sessions, and sessions become spans.

    honeytrace.otel.instrument()                                  # every installed instrumentor
    provider.add_span_processor(honeytrace.otel.SpanProcessor())  # a provider of your own
    honeytrace.configure(sink=honeytrace.otel.OtlpSink("http://collector:4318"))

These need the extra: pip install "honeytrace[otel]".

_semconv/       one mapping from spans to events, for the bridge and for the server; no extra needed
_bridge.py      SpanProcessor: a span that runs here becomes a session
_finished.py    a finished span in the shape that the mapping takes
_reading.py     the fields of a session from a finished span
_raw.py         a finished span as a journal keeps it, to be read later
_spans.py       the spans that run here, and the sessions they stand for
_langchain.py   the runs of LangChain, which are nobody's current span
_instrument.py  instrument(): find and start the installed instrumentors
_sink.py        OtlpSink: sessions to a collector
_encode.py      a record as a span in OTLP
_protobuf.py    the few messages of protobuf that this takes
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._bridge import SpanProcessor
    from ._instrument import Instrumentation, instrument
    from ._sink import OtlpSink

__all__ = ["Instrumentation", "OtlpSink", "SpanProcessor", "instrument"]

_WHERE = {
    "Instrumentation": "_instrument",
    "OtlpSink": "_sink",
    "SpanProcessor": "_bridge",
    "instrument": "_instrument",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        module = import_module(f".{_WHERE[name]}", __name__)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("opentelemetry", "google"):
            raise
        raise ImportError(
            f'honeytrace.otel.{name} needs {missing.name}: pip install "honeytrace[otel]"'
        ) from missing
    return getattr(module, name)
