"""The ids of records that stand for spans of other tracers: derived, so that a repeat is known.

The server, the in-process bridge and `continue_from` derive the same id from the same span.
"""

from __future__ import annotations

try:
    # without the dispatch of OpenSSL, which takes longer than the hash
    from _sha1 import sha1 as _hash  # type: ignore[import-not-found]
except ImportError:
    from functools import partial
    from hashlib import sha1

    _hash = partial(sha1, usedforsecurity=False)

# `uuid.NAMESPACE_OID`, without the import of uuid
_NAMESPACE = bytes.fromhex("6ba7b8129dad11d180b400c04fd430c8")
_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""The first digit of the fourth group, by the digit of the hash."""


def event_id(trace_id: str, span_id: str) -> str:
    """The id of a span's record: `uuid5(NAMESPACE_OID, "<trace id>/<span id>")`.

    Ids are lower-case hex. Written out, since the bridge needs one for every span and the objects
    of the uuid module would take half of its time.
    """
    digest = _hash(b"%b%b/%b" % (_NAMESPACE, trace_id.encode(), span_id.encode())).hexdigest()
    variant = _VARIANTS[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def session_id(trace_id: str) -> str:
    """The id of a trace's outermost session: of its root span, which names no parent."""
    return event_id(trace_id, "")
