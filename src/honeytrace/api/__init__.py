"""The HoneyHive client. It can be used by itself, and knows nothing about recording.

result       Ok, Err: results instead of exceptions
errors       the tree of exceptions
models       requests and replies
_wire        between a model and its JSON object
operations   every operation, once, without I/O
retry        whether to repeat a request, and when
_options     options of a client and of a call
_reply       a reply and its meaning
_call        one call: requests, retries, redirects, deadline
_failures    every exception as one of the client's own
_transport   the sync and the async driver
_bounds      bounds of bodies in time and in bytes
_clients     our own httpx clients, made from the environment
_httpx       httpx2 or httpx
core         HoneyHiveCore: authenticate, send, retry, keep the deadline
funcs        the standalone functions, which return a Result
client       HoneyHive: the methods, which raise; _group and _v1 are parts of it
"""

from honeytrace._network.streamed import Streamed
from honeytrace.api import operations
from honeytrace.api._options import HttpOptions, RequestOptions
from honeytrace.api._reply import Reply
from honeytrace.api.client import HoneyHive
from honeytrace.api.core import HoneyHiveCore
from honeytrace.api.errors import (
    APIConnectionError,
    APIError,
    HTTPClientError,
    InvalidRequestError,
    PartialBatchError,
    RequestTimeoutError,
    SDKError,
    SessionNotFoundError,
    UnexpectedClientError,
    ValidationError,
)
from honeytrace.api.funcs import (
    session_get_session,
    session_get_session_async,
    session_start_session,
    session_start_session_async,
)
from honeytrace.api.models import (
    CreateEventRequest,
    CreateEventRequestV1,
    CreateEventResponse,
    CreateModelEventRequest,
    CreateSessionRequest,
    Event,
    EventBatchRequest,
    EventBatchRequestV1,
    EventBatchResponse,
    EventFilter,
    EventQuery,
    EventsPage,
    ModelEventBatchRequest,
    SessionStartRequest,
    StartSessionResponse,
    UpdateEventRequest,
)
from honeytrace.api.result import Err, Ok, Result
from honeytrace.api.retry import RetryConfig

__all__ = [
    "APIConnectionError",
    "APIError",
    "CreateEventRequest",
    "CreateEventRequestV1",
    "CreateEventResponse",
    "CreateModelEventRequest",
    "CreateSessionRequest",
    "Err",
    "Event",
    "EventBatchRequest",
    "EventBatchRequestV1",
    "EventBatchResponse",
    "EventFilter",
    "EventQuery",
    "EventsPage",
    "HTTPClientError",
    "HoneyHive",
    "HoneyHiveCore",
    "HttpOptions",
    "InvalidRequestError",
    "ModelEventBatchRequest",
    "Ok",
    "PartialBatchError",
    "Reply",
    "RequestOptions",
    "RequestTimeoutError",
    "Result",
    "RetryConfig",
    "SDKError",
    "SessionNotFoundError",
    "SessionStartRequest",
    "StartSessionResponse",
    "Streamed",
    "UnexpectedClientError",
    "UpdateEventRequest",
    "ValidationError",
    "operations",
    "session_get_session",
    "session_get_session_async",
    "session_start_session",
    "session_start_session_async",
]
