"""The protobuf that is written out, read with the messages of the protobuf package."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("opentelemetry.proto")

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from honeytrace.otel import _protobuf

values = st.one_of(
    st.text(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.lists(st.text(), max_size=3),
)


def plain(value: AnyValue) -> Any:
    """The Python value of an attribute."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [each.string_value for each in value.array_value.values]
    return getattr(value, str(kind))


@given(st.dictionaries(st.text(), values, max_size=4))
def test_attributes_are_read_as_they_were_written(written: dict[str, Any]) -> None:
    """Names and values of every type, of any length and sign."""
    span = Span.FromString(_protobuf.attributes(9, written))
    assert {each.key: plain(each.value) for each in span.attributes} == written


def test_a_value_that_is_none_of_these_is_refused() -> None:
    """The message has the name of the attribute."""
    with pytest.raises(TypeError, match="odd="):
        _protobuf.attributes(9, {"odd": object()})  # type: ignore[dict-item]


@given(st.text(), st.integers(0, 2**64 - 1), st.integers(0, 5), st.binary(max_size=300))
def test_fields_of_a_span_are_read_as_they_were_written(
    name: str, nanoseconds: int, kind: int, ids: bytes
) -> None:
    """Text, times, numbers and bytes."""
    data = _protobuf.text(5, name) + _protobuf.time(7, nanoseconds)
    data += _protobuf.number(6, kind) + _protobuf.framed(1, ids)
    span = Span.FromString(data)
    assert (span.name, span.start_time_unix_nano) == (name, nanoseconds)
    assert (span.kind, span.trace_id) == (kind, ids)
