"""The server keeps to its own description, whatever it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import orjson
import pytest
import schemathesis
from hypothesis import settings
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method
from server_running import running

from honeytrace.server import create_app
from honeytrace.server._openapi import document
from honeytrace.store.sqlite import SQLiteStore

schema = schemathesis.openapi.from_dict(orjson.loads(document()))


FILTERED = ("/events/export", "/v1/events/export", "/v1/events/search")
"""Their values are texts, of which a schema cannot say which are dates, numbers or JSON."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = SQLiteStore(tmp_path_factory.mktemp("store") / "sessions.db")
    with running(create_app(store)) as url:
        yield url
    store.close()


# protobuf bodies are left to test_otlp
@pytest.mark.filterwarnings("ignore:Skipped test cases with unsupported payload:UserWarning")
@schema.parametrize()
@settings(max_examples=5, deadline=None, derandomize=True)
def test_no_request_breaks_the_server_or_its_description(case: Any, url: str) -> None:
    """Valid and invalid requests alike: no 5xx, and statuses and bodies as described."""
    excluded = [unsupported_method]  # `GET /session/start` is a session of that id
    if case.path in FILTERED or (case.method, case.path[-7:]) == ("GET", "/events"):
        excluded.append(positive_data_acceptance)
    case.call_and_validate(base_url=url, excluded_checks=excluded)


@pytest.mark.parametrize("other", [[], [{"event_type": "tool"}], [{"event_id": "no type"}], None])
def test_the_description_refuses_logs_beside_events(other: Any, url: str) -> None:
    """As the server does, whatever is under the other name."""
    body = {"logs": [{"event_type": "tool"}], "events": other}
    described = orjson.loads(document())
    operation = described["paths"]["/session/{session_id}/traces"]["post"]
    body_schema = operation["requestBody"]["content"]["application/json"]["schema"]
    schema = {**body_schema, "components": described["components"]}
    assert not jsonschema.Draft202012Validator(schema).is_valid(body)
    del body["events"]
    assert jsonschema.Draft202012Validator(schema).is_valid(body)
    assert httpx.post(f"{url}/session/s/traces", json=body).status_code == 200
    body["events"] = other
    assert httpx.post(f"{url}/session/s/traces", json=body).status_code == 400
