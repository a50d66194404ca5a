"""A finished span as a journal keeps it: its attributes as they are, to be read when a record is
made of them.

The mapping of attributes to fields takes longer than everything else that is done for a span, so
the thread that delivers does it, and after a `kill -9` the recovery. What is written is on disk at
once: only a span in which masking would change nothing, before the mapping or after it, is kept so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from operator import is_not
from typing import Any

import orjson

from .._base.interrupts import interrupts
from .._capture.external import Read, seal
from .._capture.hooks import hooks
from .._config import Config
from .._snapshot.gate_words import VALUES
from .._snapshot.limits import Limits
from .._snapshot.redact import DEFAULT
from .._snapshot.snapshotter import Snapshotter
from ._reading import named, read
from ._semconv import Span
from ._semconv.mapping import is_read
from ._semconv.remembered import Remembered

_SIMPLE = frozenset((str, int, bool))
"""Types whose values JSON brings back as they were."""
_WHOLE = ("input.value", "output.value")
"""Names that end like a member's and are none."""
_OPENS = ("{", "[")
"""The first character of a text that the mapping may parse."""


Around = tuple[Any, Any, Config]
"""Resource and scope of a span, and the settings."""


def written(
    own: tuple[Any, ...],
    attributes: Mapping[str, Any],
    around: Around,
    plain: Callable[[Any, Any], tuple[Any, Any]],
) -> bytes | None:
    """Return a span as JSON for `read_raw`; None for one with a secret, and for one whose values
    JSON does not bring back.

    own: trace id, span id, id of the parent, name, kind, trace state, what the SDK dropped.
    plain: returns resource and scope as dicts.
    """
    try:
        values, head = _unchanged(attributes), _head(around, plain)
        if values is None or head is None:
            return None
        if not _comes_back(attributes):
            return None
        state = own[_STATE]
        if state and hooks.redact(state) != state:
            return None
        return b'{"head":%b,"span":%b,"attributes":%b}' % (head, orjson.dumps(own), values)
    except Exception as error:  # surrogates, huge numbers
        if interrupts(error):
            raise
        return None


_STATE = 5
"""The place of the trace state among what a span says of itself."""


def read_raw(raw: bytes, is_root: bool, redact: Callable[[str], str]) -> Read:
    """Return the fields of a span that `written` has written."""
    return _read(orjson.loads(raw), is_root, redact)


def _read(raw: dict[str, Any], is_root: bool, redact: Callable[[str], str]) -> Read:
    head = raw["head"]
    trace_id, span_id, parent_id, name, kind, state, dropped = raw["span"]
    span = Span(
        trace_id,
        span_id,
        parent_id,
        name,
        0,
        0,
        raw["attributes"],
        head["resource"],
        kind,
        head["scope"],
        trace_state=state,
        dropped=dropped,
    )
    return read(span, tuple(head["named"]), is_root, redact)


def recovered(raw: dict[str, Any], is_root: bool) -> dict[str, Any]:
    """Return what a journal says of a session whose fields were read at its end, from `raw`."""
    head = raw["head"]
    redactor = DEFAULT if head["redact"] else None
    redact = str if redactor is None else redactor.text
    made = _read(raw, is_root, redact)
    fields, masked = seal(made, Snapshotter(Limits(*head["limits"]), redactor).encode, redact)
    inputs, outputs = fields.pop("inputs", None), fields.pop("outputs", None)
    return {
        "span": [made.spec.session_name, made.spec.event_type],
        "failure": made.failure,
        "masked": masked,
        "inputs": inputs and inputs.decode(),
        "outputs": outputs,
        "extras": {k: v.decode() if isinstance(v, bytes) else v for k, v in fields.items()},
    }


def _names_read(names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the names of attributes whose texts the mapping may parse.

    None if a name becomes one of a secret when it is taken apart at its dots, if names become a
    list, in which a pair can be a header and its value, or a dict whose `value` another member
    names, and for a record that was exported.
    """
    found = []
    for name in names:
        if type(name) is not str or name.startswith("honeytrace"):
            return None
        *_, last = parts = name.split(".")
        if any(map(DEFAULT.sensitive, parts)):
            return None
        if is_read(name):
            if last.isdecimal() or (last in VALUES and name not in _WHOLE):
                return None
            found.append(name)
    return tuple(found)


_read_in = Remembered(_names_read)


def _comes_back(attributes: Mapping[str, Any]) -> bool:
    """Return whether JSON keeps the values exactly, and parsed texts have no secret inside."""
    values = attributes.values()
    if not _SIMPLE.issuperset(map(type, values)):
        for value in values:
            kind = type(value)
            if kind is tuple:
                if not _SIMPLE.issuperset(map(type, value)):
                    return False
            elif kind not in _SIMPLE and (kind is not float or not isfinite(value)):
                return False
    names = _read_in(attributes)
    return names is not None and _harmless_json([attributes[name] for name in names])


def _harmless_json(values: list[Any]) -> bool:
    """Return whether nothing is masked in texts once they are parsed."""
    found = []
    for value in values:
        if type(value) is str and value[:1] in _OPENS:
            try:
                found.append(orjson.loads(value))
            except orjson.JSONDecodeError:
                continue  # it stays a text
    return not found or _unchanged(found) is not None


def _unchanged(value: Any) -> bytes | None:
    """Return the JSON of a value that a snapshot keeps as it is; None for any other."""
    receipt: list[str] = []
    data = hooks.encode(value, receipt, "metadata")
    return None if receipt or data != orjson.dumps(value) else data


_last: tuple[Around | None, bytes | None] = None, None


def _head(around: Around, plain: Callable[[Any, Any], tuple[Any, Any]]) -> bytes | None:
    """Return what spans of a provider and a scope have in common, under these settings."""
    global _last
    known, head = _last
    # `==` would compare what is in them
    if known is None or any(map(is_not, known, around)):
        head = _made_head(*plain(*around[:2]), around[2])
        _last = around, head
    return head


def _made_head(
    resource: Mapping[str, Any], scope: Mapping[str, Any], config: Config
) -> bytes | None:
    redact = config.redact is True or config.redact is None
    if not redact and config.redact is not False:
        return None  # rules of the program's own look at values where they end up
    around = {"resource": resource, "scope": scope}
    if _unchanged(around) is None or orjson.loads(orjson.dumps(around)) != around:
        return None
    limits = config.max_bytes, config.max_depth, config.max_items
    return orjson.dumps({**around, "redact": redact, "limits": limits, "named": named(config)})
