"""A finished span to the fields of a session. Nothing here imports an OpenTelemetry package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._base.interrupts import interrupts
from .._capture.call import internal_error
from .._capture.external import Failure, Read
from .._capture.spec import Spec
from .._config import SETTINGS, Config
from .._record.record import RESERVED
from ._semconv import Fields, Span, event_fields

_DEFAULTS = tuple(SETTINGS[name].default for name in ("project", "source"))

Named = tuple[bool, bool]
"""Whether a span may name the project, and whether the source: settings hold for spans, too, and
what its resource says stands in for the defaults."""


def named(config: Config) -> Named:
    """Return what spans may name under these settings."""
    project, source = _DEFAULTS
    return config.project == project, config.source == source


_MOST, _LONGEST_NAME = 10_000, 200
"""Specs that are remembered, and characters of the name of one."""
_specs: dict[tuple[str, str], Spec] = {}


def spec(name: str, kind: str) -> Spec:
    """Return the spec that spans of a name and type share."""
    found = _specs.get((name, kind))
    if found is None and len(name) > _LONGEST_NAME:
        return Spec(name, event_type=kind)
    if found is None:
        if len(_specs) >= _MOST:  # names with ids in them
            _specs.clear()
        found = _specs[name, kind] = Spec(name, event_type=kind)
    return found


def read(span: Span, named: Named, is_root: bool, redact: Callable[[str], str]) -> Read:
    """Return what is recorded of a finished span."""
    fields = _fields(span)
    return Read(
        spec(fields.event_name, fields.event_type),
        fields.inputs,
        fields.outputs,
        None if fields.error is None else _failure(fields, redact),
        _extras(span, fields, named, is_root=is_root),
    )


def _fields(span: Span) -> Fields:
    """Return the fields of a span; a defect of the mapping costs their names, and no attribute."""
    try:
        return event_fields(span)
    except Exception as error:
        if interrupts(error):
            raise
        internal_error(error)
        fields = Fields("chain", span.name)
        fields.metadata = dict(span.attributes)
        return fields


def _extras(span: Span, fields: Fields, named: Named, *, is_root: bool) -> dict[str, Any]:
    """Return the fields of a session besides inputs, outputs and error."""
    metadata = fields.metadata
    details: dict[str, Any] = {"otel": [span.trace_id, span.span_id, span.parent_id]}
    if is_root and fields.event_type != "chain":
        details["event_type"] = fields.event_type
    metadata[RESERVED] = details
    extras: dict[str, Any] = {"metadata": metadata}
    if fields.config:
        extras["config"] = fields.config
    if fields.metrics:
        extras["metrics"] = fields.metrics
    if fields.feedback:
        extras["feedback"] = fields.feedback
    if fields.user_properties:
        extras["user_properties"] = fields.user_properties
    if fields.project and named[0]:
        extras["project"] = fields.project
    if fields.source and named[1]:
        extras["source"] = fields.source
    return extras


def _failure(fields: Fields, redact: Callable[[str], str]) -> Failure:
    details = {} if fields.traceback is None else {"traceback": redact(fields.traceback)}
    return "error", redact(fields.error or ""), details
