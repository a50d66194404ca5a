"""Creating, updating and reading events."""

from __future__ import annotations

from typing import Any

import orjson

from .._capture.hooks import new_id
from .._record.record import Record
from ._call import Call
from ._homes import Homes
from ._http import RefusedError, bad_request
from ._wire import check, event_json, event_record, session_record, update_item

_DONE = orjson.dumps({"success": True})


def create(call: Call) -> bytes:
    """`POST /events`, whose body wraps the event."""
    return _create(call, call.json().get("event"))


def create_v1(call: Call) -> bytes:
    """`POST /v1/events`, whose body is the bare event."""
    return _create(call, call.json())


def create_model(call: Call) -> bytes:
    """`POST /events/model`."""
    return _create(call, from_model_event(call.json().get("model_event")))


def create_batch(call: Call) -> bytes:
    """`POST /events/batch` and `POST /v1/events/batch`: create all events, or none and a 400."""
    body = call.json()
    return _create_batch(call, body, _events(body, "events"))


def create_model_batch(call: Call) -> bytes:
    """`POST /events/model/batch`."""
    body = call.json()
    events = [from_model_event(event) for event in _events(body, "model_events")]
    return _create_batch(call, body, events)


def create_in_session(call: Call) -> bytes:
    """`POST /v1/sessions/{session_id}/events/batch`: the session in the path overrides those of the
    events."""
    return _create_inside(call, _events(call.json(), "events"))


def create_traces(call: Call) -> bytes:
    """`POST /session/{session_id}/traces`, the older form: exactly one of `logs` and `events`."""
    body = call.json()
    if ("logs" in body) == ("events" in body):
        raise bad_request("send exactly one of logs and events")
    return _create_inside(call, _events(body, "logs" if "logs" in body else "events"))


def update(call: Call) -> bytes:
    """`PUT /events`. The store keeps an update that arrives before its event."""
    call.store.update([update_item(call.json())])
    return _DONE


def update_v1(call: Call) -> bytes:
    """`PUT /v1/events/{event_id}`."""
    call.store.update([update_item({**call.json(), "event_id": call.path["event_id"]})])
    return _DONE


def get(call: Call) -> bytes:
    """`GET /v1/events/{event_id}` → `{"event": Event}`."""
    record = call.store.get(call.path["event_id"])
    if record is None:
        raise RefusedError(404, "event_not_found", "no event has this id")
    return b'{"event":' + event_json(record) + b"}"


def from_model_event(payload: Any) -> dict[str, Any]:
    """Return the event of a CreateModelEvent (OpenAPI 1.0.21, HoneyHive's conventions).

    Messages become `inputs.chat_history`, the response becomes `outputs`, usage and cost become
    `metadata`, and the request parameters become `config`.
    """
    if type(payload) is not dict:
        raise bad_request("model_event must be an object")
    asked = ("model", "provider", "hyperparameters", "template", "tools")
    config = {
        name: payload[name]
        for name in (*asked, "tool_choice", "response_format")
        if payload.get(name) is not None
    }
    usage, variables = _object(payload, "usage"), _object(payload, "template_inputs")
    messages, cost, name = (payload.get(name) for name in ("messages", "cost", "event_name"))
    chat = {} if messages is None else {"chat_history": messages}
    ours = ("model", "provider", "messages", "response", "usage", "cost", "template_inputs")
    return {
        **{name: value for name, value in payload.items() if name not in (*ours, *config)},
        "event_type": "model",
        "event_name": "model" if name is None else name,
        "config": config,
        "inputs": {**variables, **chat},
        "outputs": payload.get("response"),
        "metadata": {**usage, **({} if cost is None else {"cost": cost})},
    }


def _create(call: Call, payload: Any) -> bytes:
    (record,), homes = _records(call, [payload], None)
    sessions = [] if payload.get("session_id") else [_session(record, {})]
    _store(call, [*sessions, record], homes)
    return orjson.dumps({"event_id": record.event_id, "success": True})


def _create_batch(call: Call, body: dict[str, Any], events: list[Any]) -> bytes:
    # The legacy route accepts two names for each field.
    names = ("session_properties", "session")
    for name in names:  # An invalid value is refused even if the other name is used.
        check(_object(body, name), name)
    properties = _object(body, names[0]) or _object(body, names[1])
    single = _flag(body, "is_single_session") or _flag(body, "single_session")
    session_id = _common_session(events) if single else None
    records, homes = _records(call, events, session_id)
    # Sessions that nobody started: those named by events, and the session of the whole batch.
    nameless = [r for r, event in zip(records, events, strict=True) if not event.get("session_id")]
    first = {r.session_id: r for r in reversed(records if single else nameless)}
    known = {each.event_id for each in call.store.get_many(list(first))}
    new = [_session(r, properties) for i, r in first.items() if i not in known]
    _store(call, [*new, *records], homes)
    if records and single and properties and not new:
        call.store.update([update_item({**properties, "event_id": session_id})])
    reply: dict[str, Any] = {"event_ids": [r.event_id for r in records], "success": True}
    if records:
        reply["session_id"] = records[0].session_id
    return orjson.dumps(reply)


def _create_inside(call: Call, events: list[Any]) -> bytes:
    records, homes = _records(call, events, call.path["session_id"])
    _store(call, records, homes)
    return _DONE


def _records(call: Call, events: list[Any], session_id: str | None) -> tuple[list[Record], Homes]:
    """Return the records of the events, and their sessions. Raises RefusedError, which names the
    invalid event."""
    index = 0
    try:
        records = []
        for index, event in enumerate(events):  # noqa: B007 - used in the error below
            records.append(event_record(event, session_id))
    except RefusedError as refusal:
        if len(events) == 1:
            raise
        raise bad_request(f"nothing was stored, for event {index}: {refusal}") from None
    homes = Homes(call.store, records)
    return list(map(homes.settle, records, events)), homes


def _store(call: Call, records: list[Record], homes: Homes) -> None:
    """Store the records of one request, and name them in their sessions."""
    call.store.update(homes.named)
    call.store.insert(records)
    call.store.update(homes.late())


def _common_session(events: list[Any]) -> str:
    """Return the session that holds the whole batch: the first one named, or a new one."""
    for event in events:
        if type(event) is dict and event.get("session_id"):
            check(event, "event")
            return str(event["session_id"])
    return new_id()


def _session(first: Record, properties: dict[str, Any]) -> Record:
    """Return a session for events that arrived without one."""
    return session_record(
        {
            "session_name": first.event_name,
            "project": first.project,
            "source": first.source,
            "start_time": first.start_time,
            **{name: value for name, value in properties.items() if value is not None},
            "session_id": first.session_id,
        }
    )


def _events(body: dict[str, Any], name: str) -> list[Any]:
    events = body.get(name)
    if type(events) is not list:
        raise bad_request(f"{name} must be a list")
    return events


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if type(value) not in (dict, type(None)):
        raise bad_request(f"{name} must be an object")
    return value or {}


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if type(value) not in (bool, type(None)):
        raise bad_request(f"{name} must be true or false")
    return bool(value)
