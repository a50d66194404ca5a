"""Sessions as a file: JSON lines, as `honeytrace export` writes them."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ...lookup import StoreFamily
from ...store import Reader
from .._http import bad_request
from ._filters import Filters
from ._page import Site
from ._sift import check, sift

__all__ = ["export_sessions"]

_MOST = 10_000
"""Number of sessions in one file."""

_PAGE = 200
"""Number of sessions that are read at a time."""


def export_sessions(site: Site, request: Request) -> Response:
    """`GET /export`: the sessions that `id` names, otherwise those that match the list's
    parameters, newest first, at most 10,000."""
    ids = request.query_params.getlist("id")
    if len(ids) > _MOST:
        raise bad_request(f"at most {_MOST:,} sessions are exported at a time")
    filters = Filters.read(request.query_params)
    check(filters)
    filters.query()  # Invalid conditions are refused now rather than within the file.
    reader = site.reader
    lines = _chosen(reader, ids) if ids else _listed(reader, filters)
    headers = {"content-disposition": 'attachment; filename="sessions.jsonl"'}
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


def _chosen(reader: Reader, ids: list[str]) -> Iterator[bytes]:
    family = StoreFamily(reader)
    for record in reader.get_many(ids):
        yield orjson.dumps(family.load(record).to_dict()) + b"\n"


def _listed(reader: Reader, filters: Filters) -> Iterator[bytes]:
    family = StoreFamily(reader)
    query = filters.query()._replace(limit=_PAGE)
    for _ in range(_MOST // _PAGE):
        if filters.sifted:
            sifted = sift(reader, filters, query)
            for record in sifted.records:
                yield orjson.dumps(family.load(record).to_dict()) + b"\n"
            if sifted.rest is None:
                return
            query = query._replace(before=(sifted.rest.start_time, sifted.rest.event_id))
            continue
        found = reader.list(query)
        for record in found:
            yield orjson.dumps(family.load(record).to_dict()) + b"\n"
        if len(found) < _PAGE:
            return
        query = query._replace(before=(found[-1].start_time, found[-1].event_id))
