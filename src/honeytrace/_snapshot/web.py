"""Requests, responses, headers and query strings of the common web libraries.

Of a request the record has method, path, query and the names of its headers; the values of a few
harmless headers stay. Other objects that it refers to (the application, the user, the body) are not
opened.
"""

from __future__ import annotations

from typing import Any, Final

from .headers import as_text, headers, multi, query
from .introspect import mro_of, stored_dict, stored_fields, type_name
from .objects import TYPE


def _request(value: Any, method: Any, path: Any, **more: Any) -> dict[str, Any]:
    shown = {TYPE: type_name(type(value)), "method": as_text(method), "path": as_text(path)}
    return {**{k: v for k, v in shown.items() if v is not None}, **more}


def asgi_request(value: Any) -> Any:
    """Return a `Request` or `WebSocket` of Starlette and FastAPI, from its scope."""
    scope = stored_dict(value).get("scope")
    if type(scope) is not dict:
        return value
    return _request(
        value,
        scope.get("method"),
        scope.get("path"),
        query=query(scope.get("query_string")),
        headers=headers(scope.get("headers") or ()),
    )


def asgi_response(value: Any) -> dict[str, Any]:
    stored = stored_dict(value)
    return {
        TYPE: type_name(type(value)),
        "status_code": stored.get("status_code"),
        "headers": headers(stored.get("raw_headers") or ()),
    }


def stored_pairs(value: Any) -> Any:
    """Return headers or parameters that an object keeps in `_list`, all values of each name."""
    pairs = stored_fields(value).get("_list")
    return multi(pairs) if type(pairs) is list else value


def httpx_headers(value: Any) -> Any:
    pairs = stored_dict(value).get("_list")
    return multi((name, held) for _, name, held in pairs) if type(pairs) is list else value


def decoded(value: Any) -> Any:
    """Return pairs of bytes as text."""
    found = stored_pairs(value)
    if type(found) is not dict:
        return found
    return {k: as_text(v) if type(v) is bytes else [*map(as_text, v)] for k, v in found.items()}


def django_request(value: Any) -> Any:
    stored = stored_dict(value)
    meta = stored.get("META")
    meta = meta if type(meta) is dict else {}
    names = [(k[5:].replace("_", "-"), v) for k, v in meta.items() if k.startswith("HTTP_")]
    names += [
        (k.replace("_", "-"), meta[k]) for k in ("CONTENT_TYPE", "CONTENT_LENGTH") if k in meta
    ]
    return _request(
        value,
        stored.get("method"),
        stored.get("path"),
        query=query(meta.get("QUERY_STRING")),
        headers=headers(names),
    )


def django_response(value: Any) -> dict[str, Any]:
    stored = stored_dict(value)
    kept = stored_dict(stored.get("headers")).get("_store")
    code = stored.get("status_code", getattr(type(value), "status_code", None))
    return {
        TYPE: type_name(type(value)),
        "status_code": code if type(code) is int else None,
        "headers": headers(kept.values() if type(kept) is dict else ()),
    }


def werkzeug_request(value: Any) -> Any:
    stored = stored_dict(value)
    environ = stored.get("environ")
    names: Any = ()
    if type(environ) is dict:
        names = [(k[5:].replace("_", "-"), v) for k, v in environ.items() if k.startswith("HTTP_")]
    return _request(
        value,
        stored.get("method"),
        stored.get("path"),
        query=query(stored.get("query_string")),
        headers=headers(names),
    )


def werkzeug_response(value: Any) -> dict[str, Any]:
    stored = stored_dict(value)
    pairs = stored_dict(stored.get("headers")).get("_list")
    return {
        TYPE: type_name(type(value)),
        "status_code": stored.get("_status_code"),
        "headers": headers(pairs if type(pairs) is list else ()),
    }


def aiohttp_request(value: Any) -> Any:
    stored = stored_fields(value)
    url = stored_fields(stored.get("_rel_url"))
    pairs = stored.get("_headers")
    return _request(
        value,
        stored.get("_method"),
        url.get("_path"),
        query=query(url.get("_query")),
        headers=headers(multidict_pairs(pairs)),
    )


def multidict_pairs(value: Any) -> list[Any]:
    return list(type(value).items(value)) if type(value).__module__.startswith("multidict") else []


def multidict_items(value: Any) -> Any:
    return multi(type(value).items(value))


def _sent(value: Any, method: Any, url: Any, pairs: Any) -> dict[str, Any]:
    return {
        TYPE: type_name(type(value)),
        "method": as_text(method),
        "url": as_text(url),
        "headers": headers(pairs),
    }


def requests_request(value: Any) -> dict[str, Any]:
    stored = stored_dict(value)
    return _sent(value, stored.get("method"), stored.get("url"), _requests_pairs(stored))


def _requests_pairs(stored: dict[str, Any]) -> list[Any]:
    held = stored.get("headers")
    kept = held if type(held) is dict else stored_dict(held).get("_store") if held else None
    if kept is None:
        return []
    pairs = dict.items(kept) if dict in mro_of(type(kept)) else ()
    return [v if type(v) is tuple else (k, v) for k, v in pairs]


def requests_response(value: Any) -> dict[str, Any]:
    stored = stored_dict(value)
    return {
        TYPE: type_name(type(value)),
        "status_code": stored.get("status_code"),
        "url": as_text(stored.get("url")),
        "headers": headers(_requests_pairs(stored)),
    }


def case_insensitive(value: Any) -> Any:
    return multi(_requests_pairs({"headers": value}))


def httpx_request(value: Any) -> dict[str, Any]:
    stored = stored_dict(value)
    return _sent(value, stored.get("method"), httpx_url(stored.get("url")), _httpx_pairs(stored))


def _httpx_pairs(stored: dict[str, Any]) -> Any:
    pairs = stored_dict(stored.get("headers")).get("_list")
    return [(name, held) for _, name, held in pairs] if type(pairs) is list else []


def httpx_url(value: Any) -> Any:
    """Return the text of an `httpx.URL`; its parts are stored as a tuple of str."""
    parts = stored_dict(value).get("_uri_reference")
    return str(parts) if parts is not None else None


def httpx_response(value: Any) -> dict[str, Any]:
    stored = stored_dict(value)
    return {
        TYPE: type_name(type(value)),
        "status_code": stored.get("status_code"),
        "headers": headers(_httpx_pairs(stored)),
    }


def urllib_request(value: Any) -> dict[str, Any]:
    stored = stored_dict(value)
    kept = stored.get("headers")
    pairs = list(kept.items()) if type(kept) is dict else []
    return _sent(value, stored.get("method"), stored.get("_full_url"), pairs)


def stored_url(value: Any) -> Any:
    """Return the text that Starlette's `URL` keeps."""
    return as_text(stored_dict(value).get("_url"))


def message_headers(value: Any) -> dict[str, Any]:
    """Return the headers of an `email.message.Message`."""
    pairs = stored_dict(value).get("_headers")
    return {TYPE: type_name(type(value)), "headers": headers(pairs if type(pairs) is list else ())}


def upload(value: Any) -> dict[str, Any]:
    stored = stored_dict(value)
    return {
        TYPE: type_name(type(value)),
        "filename": as_text(stored.get("filename")),
        "size": stored.get("size"),
    }


WEB_RULES: Final[dict[tuple[str, str], Any]] = {
    ("starlette.requests", "HTTPConnection"): asgi_request,
    ("starlette.responses", "Response"): asgi_response,
    ("starlette.datastructures", "Headers"): decoded,
    ("starlette.datastructures", "ImmutableMultiDict"): stored_pairs,
    ("starlette.datastructures", "URL"): stored_url,
    ("starlette.datastructures", "UploadFile"): upload,
    ("django.http.request", "HttpRequest"): django_request,
    ("django.http.response", "HttpResponseBase"): django_response,
    ("werkzeug.sansio.request", "Request"): werkzeug_request,
    ("werkzeug.sansio.response", "Response"): werkzeug_response,
    ("werkzeug.datastructures.headers", "Headers"): stored_pairs,
    ("aiohttp.web_request", "BaseRequest"): aiohttp_request,
    ("requests.models", "Request"): requests_request,
    ("requests.models", "PreparedRequest"): requests_request,
    ("requests.models", "Response"): requests_response,
    ("requests.structures", "CaseInsensitiveDict"): case_insensitive,
    ("httpx", "Request"): httpx_request,
    ("httpx", "Response"): httpx_response,
    ("httpx", "Headers"): httpx_headers,
    ("httpx", "URL"): httpx_url,
    ("urllib.request", "Request"): urllib_request,
    ("email.message", "Message"): message_headers,
    **{
        (module, name): multidict_items
        for module in ("multidict._multidict", "multidict._multidict_py", "multidict")
        for name in ("MultiDict", "CIMultiDict", "MultiDictProxy", "CIMultiDictProxy")
    },
}
"""Rules by module and name of a class, for its subclasses, too."""
