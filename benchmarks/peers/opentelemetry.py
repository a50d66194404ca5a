"""OpenTelemetry's SDK and OTLP exporter, with capture written by hand."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def setup(url: str) -> tuple[Callable[..., Any], Callable[[], Any]]:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"{url}/otel/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("bench")

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(fn)

        @contextmanager
        def traced(args: Any, kwargs: Any) -> Iterator[list[Any]]:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            out: list[Any] = []
            with tracer.start_as_current_span(fn.__qualname__) as span:
                span.set_attribute("inputs", json.dumps(bound.arguments, default=str))
                yield out
                span.set_attribute("outputs", json.dumps(out, default=str))

        @functools.wraps(fn)
        async def later(*args: Any, **kwargs: Any) -> Any:
            with traced(args, kwargs) as out:
                out.append(await fn(*args, **kwargs))
                return out[0]

        @functools.wraps(fn)
        def stream(*args: Any, **kwargs: Any) -> Any:
            with traced(args, kwargs) as out:
                for item in fn(*args, **kwargs):
                    out.append(item)
                    yield item

        @functools.wraps(fn)
        def call(*args: Any, **kwargs: Any) -> Any:
            with traced(args, kwargs) as out:
                out.append(fn(*args, **kwargs))
                return out[0]

        if inspect.iscoroutinefunction(fn):
            return later
        return stream if inspect.isgeneratorfunction(fn) else call

    return decorate, provider.force_flush
