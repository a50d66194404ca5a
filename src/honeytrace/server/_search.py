"""The export and search routes: events by filter, newest first.

The store evaluates the conditions it knows; all others are checked on each row. A search by project
or session is fast, and a search by a metadata field reads every row.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from .._record.record import OBJECTS, Record
from .._record.surrogates import loads
from ..lookup.times import iso_ms
from ..store import Query, Store
from ._call import Call
from ._http import bad_request
from ._wire import event_json

MAX_LIMIT = 7500
"""The limit of HoneyHive's export route."""

_CHUNK = 1000

Check = Callable[[Record], bool]


def export(call: Call) -> bytes:
    """`POST /events/export`, `/v1/events/export` and `/v1/events/search`.

    → `{"events", "totalEvents", "count"}`. The last two hold the number of all matching events,
    under its older and its newer name.
    """
    return _answer(call.store, call.json())


def listing(call: Call) -> bytes:
    """`GET /events` and `GET /v1/events`: the same, with `filters` and `dateRange` as JSON text."""
    body: dict[str, Any] = dict(call.query)
    for name in ("filters", "dateRange", "limit", "page"):
        text = body.get(name)
        if text is not None:
            if name in ("limit", "page") and not text.isdecimal():
                raise bad_request(f"{name} must be a whole number")
            try:
                body[name] = loads(text.encode("utf-8", "surrogatepass"))
            except orjson.JSONDecodeError:
                raise bad_request(f"{name} must be JSON") from None
    return _answer(call.store, body)


def _answer(store: Store, body: dict[str, Any]) -> bytes:
    limit, page = _count(body, "limit", 1000), _count(body, "page", 1)
    wanted = _names(body.get("projections"))
    query, checks = _read(body)
    total, chosen = 0, []
    for record in _matches(store, query, checks):
        if (page - 1) * limit <= total < page * limit:
            chosen.append(event_json(record))
        total += 1
    if wanted:
        chosen = [_project(event, wanted) for event in chosen]
    events = b",".join(chosen)
    return b'{"events":[%b],"totalEvents":%d,"count":%d}' % (events, total, total)


def _read(body: Mapping[str, Any]) -> tuple[Query, list[Check]]:
    filters = body.get("filters")
    filters = [] if filters is None else filters
    project = body.get("project")
    if type(filters) is not list or type(project) not in _TEXT:
        raise bad_request("filters must be a list, and project a string")
    checks = [_check(item) for item in filters]
    exact = {
        item["field"]: item["value"]
        for item in filters
        if item.get("operator", "is") == "is"
        and item.get("type", "string") in ("string", "id")
        and type(item.get("value")) is str
    }
    if project is not None:
        exact.setdefault("project", project)
        checks.append(lambda record: record.project == project)
    dates = body.get("dateRange")
    dates = {} if dates is None else dates
    if type(dates) is not dict:
        raise bad_request("dateRange must be an object with $gte and $lte")
    for bound, text in dates.items():
        if bound in _BOUNDS and text is not None:
            checks.append(_bound(_BOUNDS[bound], _moment(text)))
    earliest = dates.get("$gte")
    return Query(
        project=exact.get("project"),
        source=exact.get("source"),
        session_name=exact.get("event_name"),
        since=None if earliest is None else _moment(earliest),
        root_id=exact.get("session_id"),
        parent_id=exact.get("parent_id"),
        limit=_CHUNK,
    ), checks


def _matches(store: Store, query: Query, checks: list[Check]) -> Iterator[Record]:
    """Yield every record that passes, newest first."""
    if query.root_id is not None:
        # The store knows a tree by its root, so one session of a tree is selected here.
        session = store.get(query.root_id)
        query = query if session is None else query._replace(root_id=session.root_id)
    while chunk := store.list(query):
        for record in chunk:
            if all(check(record) for check in checks):
                yield record
        if len(chunk) < query.limit:
            return
        query = query._replace(before=(chunk[-1].start_time, chunk[-1].event_id))


def _check(item: Any) -> Check:
    """Return the condition of a filter: `{"field", "operator", "value", "type"}`."""
    if type(item) is not dict or type(item.get("field")) is not str:
        raise bad_request("a filter is an object with a field, an operator and a value")
    path, name, value = item["field"], item.get("operator", "is"), item.get("value")
    kind = item.get("type", "string")
    if type(name) is not str or name not in OPERATORS:
        raise bad_request(f"the operator of a filter is one of: {', '.join(OPERATORS)}")
    if type(kind) is not str or kind not in TYPES:
        raise bad_request(f"the type of a filter is one of: {', '.join(TYPES)}")
    if name in ("exists", "not exists"):
        return lambda record: (_field(record, path) is None) == (name != "exists")
    kind = _ORDERED.get(name, kind)
    reader, holds = TYPES[kind], OPERATORS[name]
    wanted = reader(value)
    if wanted is None:
        raise bad_request(f"the value of a filter by {name!r} must be a {kind}")

    def check(record: Record) -> bool:
        found = reader(_field(record, path))
        return name in _NEGATED if found is None else holds(found, wanted)

    return check


def _field(record: Record, path: str) -> Any:
    """Return the value at a path such as `metadata.cost`; a key that contains dots is found,
    too."""
    name, _, rest = path.partition(".")
    name = _ALIASES.get(name, name)
    if name not in Record._fields:
        return None
    value = getattr(record, name)
    if name in _JSON:
        value = None if value is None else orjson.loads(value)
    while rest:
        if type(value) is not dict:
            return None
        if rest in value:
            return value[rest]
        name, _, rest = rest.partition(".")
        value = value.get(name)
    return value


def _text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    return orjson.dumps(value).decode()


def _number(value: Any) -> float | None:
    if type(value) is bool:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _boolean(value: Any) -> bool | None:
    return value if type(value) is bool else {"true": True, "false": False}.get(str(value).lower())


def _date(value: Any) -> float | None:
    """Return milliseconds since the epoch; a date without a zone is UTC."""
    if type(value) is not str:
        return _number(value)
    found = iso_ms(value)
    return _number(value) if found is None else found


def _moment(value: Any) -> float:
    moment = _date(value)
    if moment is None:
        raise bad_request("$gte and $lte must be ISO dates, or milliseconds since the epoch")
    return moment


def _bound(holds: Callable[[Any, Any], bool], moment: float) -> Check:
    return lambda record: holds(record.start_time, moment)


def _count(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    value = default if value is None else value
    most = MAX_LIMIT if name == "limit" else 2**53
    if type(value) not in (int, float) or value != int(value) or not 1 <= value <= most:
        raise bad_request(f"{name} must be a whole number from 1 to {most}")
    return int(value)


def _names(value: Any) -> list[str]:
    if value is None:
        return []
    if type(value) is not list or any(type(name) is not str for name in value):
        raise bad_request("projections must be a list of field names")
    return value


def _project(event: bytes, names: list[str]) -> bytes:
    """Return the event with only these fields."""
    fields = orjson.loads(event)
    return orjson.dumps({name: fields[name] for name in names if name in fields})


_TEXT = (str, type(None))
_JSON = frozenset((*OBJECTS, "children_ids"))
_ALIASES = {"project_id": "project", "session_name": "event_name"}
TYPES: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "id": _text,
    "number": _number,
    "boolean": _boolean,
    "datetime": _date,
}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "is": operator.eq,
    "is not": operator.ne,
    "contains": lambda found, wanted: str(wanted) in str(found),
    "not contains": lambda found, wanted: str(wanted) not in str(found),
    "greater than": operator.gt,
    "less than": operator.lt,
    "after": operator.gt,
    "before": operator.lt,
    "exists": operator.is_not,
    "not exists": operator.is_,
}
_NEGATED = ("is not", "not contains")
_ORDERED = {
    **dict.fromkeys(("greater than", "less than"), "number"),
    **dict.fromkeys(("after", "before"), "datetime"),
}
_BOUNDS = {"$gte": operator.ge, "$lte": operator.le, "$gt": operator.gt, "$lt": operator.lt}
